"""The pairs whose regions are told worst, and the numbers that say why."""

from collections.abc import Sequence

import numpy as np

from experiments.captions.pairs import FORGED, NAMES, Known, covered
from metaforge.captions.annotation import Annotation
from metaforge.captions.difference import difference
from metaforge.evaluation.regions import region_score
from metaforge.forgeries.parts import STRENGTHS

_MOST = 3  # regions that are spoken of; the others are counted


def worst(pairs: Sequence[Known], found: Sequence[Annotation], rows: int) -> list[int]:
    """The places of the pairs with the lowest F1, one of each change in turn, so that each kind of failure is seen."""
    score = [region_score(pair.regions[None], _said(one)[None]).f1 for pair, one in zip(pairs, found, strict=True)]
    order = sorted(range(len(pairs)), key=lambda place: score[place])
    queues = [[place for place in order if pairs[place].change == change] for change in STRENGTHS]
    depth = max(len(queue) for queue in queues)
    turns = [[queue[turn] for queue in queues if turn < len(queue)] for turn in range(depth)]
    return [place for turn in turns for place in sorted(turn, key=lambda place: score[place])][:rows]


def why(pair: Known, found: Annotation) -> list[str]:
    """What was missed and what was said too much, each with the number that decided."""
    said = _said(found)
    apart = difference(pair.real, pair.fake, pair.outside, thresholds=found.thresholds)
    true = covered(pair.mask, pair.inside)
    missed, extra = [], []
    for place, name in enumerate(NAMES):
        word, share = name.replace("_", " "), found.coverage.get(name, 0.0)
        if pair.regions[place] and not said[place]:
            there = pair.inside[place] & pair.mask
            half = np.median(apart.soft[there])
            floor = np.median(apart.floor[there])
            because = f"{half:.1f} levels, noise {floor:.1f}" if half <= floor else f"{share:.0%} in the mask"
            missed.append(f"{word} ({because})")
        elif said[place] and not pair.regions[place]:
            extra.append(f"{word} ({share:.0%} in the mask, truly {true[place]:.0%} of {FORGED:.0%})")
    lines = [f"{title}: {_few(words)}." for title, words in (("Missed", missed), ("Too many", extra)) if words]
    return lines or ["All regions are right."]


def _said(found: Annotation) -> np.ndarray:
    return np.array([name in found.regions for name in NAMES])


def _few(words: list[str]) -> str:
    rest = len(words) - _MOST
    return ", ".join(words[:_MOST]) + (f" and {rest} more" if rest > 0 else "")
