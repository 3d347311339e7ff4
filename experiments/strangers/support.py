"""Who is in a support set, who lends unlabelled images, and who is judged: never the same people."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from experiments.strangers.config import Config
from metaforge.adaptation.gaussian import NO_PAIR

MATCHED, UNMATCHED = "matched", "unmatched"


class Draw(NamedTuple):
    """A support set of a collection and a method.

    Attributes:
        shots: labelled images a class.
        pairing: "matched", the same people in both classes, or "unmatched", others.
        draw: its number.
        support: rows, the real ones first.
        pairs: of each of them, a number that it shares with its counterpart.
        unlabelled: rows of real images of yet other people; none where there are not enough.
        judged: who is judged.
    """

    shots: int
    pairing: str
    draw: int
    support: np.ndarray
    pairs: np.ndarray
    unlabelled: np.ndarray
    judged: np.ndarray


def draws(config: Config, collection: str, label: np.ndarray, person: np.ndarray, pair: np.ndarray) -> Iterator[Draw]:
    """All support sets of one collection and method, whose rows are given.

    Matched and unmatched sets of one number of shots have the same real images and judge the same people. Of whom there
    are several images, one pair is drawn. Who is drawn does not depend on the method.

    Args:
        config: says how many.
        collection: its name, which seeds the draws.
        label: of each row, 0 or 1.
        person: of each row.
        pair: of each row.
    """
    people = np.unique(person)
    for number in range(config.draws):
        rng = np.random.default_rng([config.seed, zlib.crc32(collection.encode()), number])
        order = people[rng.permutation(len(people))]
        chosen = [_pair(rng, label, pair, np.flatnonzero(person == who)) for who in order]
        real, fake = np.array(chosen).T
        for shots in config.numbers():
            if 2 * shots + config.judged > len(order):
                continue
            beside = 2 * shots + config.unlabelled
            enough = config.unlabelled > 0 and beside + config.judged <= len(order)
            # Where there are too few people for unlabelled images, more are judged.
            judged = order[beside if enough else 2 * shots :]
            unlabelled = real[2 * shots : beside] if enough else real[:0]
            for pairing, fakes in ((MATCHED, fake[:shots]), (UNMATCHED, fake[shots : 2 * shots])):
                alone = np.full(shots, NO_PAIR)
                mine = np.arange(shots) if pairing == MATCHED else alone
                support, pairs = np.concatenate([real[:shots], fakes]), np.concatenate([mine, mine])
                yield Draw(shots, pairing, number, support, pairs, unlabelled, judged)


def _pair(rng: np.random.Generator, label: np.ndarray, pair: np.ndarray, rows: np.ndarray) -> tuple[int, int]:
    """Rows of a real image and of its fake."""
    mine = rows[pair[rows] == rng.choice(np.unique(pair[rows]))]
    return int(mine[label[mine] == 0][0]), int(mine[label[mine] > 0][0])
