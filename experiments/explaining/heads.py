"""Region heads with a family of methods left out: chosen, fitted and calibrated without it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.explaining.cases import CALIBRATE, FAMILIES, FIT, family_of
from experiments.explaining.features import Table
from metaforge.evaluation.regions import region_score
from metaforge.screening.explaining.detail import CHANNELS
from metaforge.screening.explaining.fitting import (
    PIECES,
    Moments,
    calibrated,
    discriminant,
    moments,
    rows_of,
    standards,
    with_weights,
)
from metaforge.screening.explaining.region_head import RegionHead, region_probabilities

BLOCKS = 3
"""Blocks of the network whose maps are looked at, the finest: the others have cells as large as a nose."""

SOURCES = {"both": (True, True), "fine detail": (True, False), "network": (False, True)}
"""What a head may look at: the map of fine detail, and the network's."""


class Candidate(NamedTuple):
    """A head that may be chosen: what it looks at, how that is weighed, and how far its covariance is shrunk."""

    source: str
    pieces: tuple[str, ...]
    shrinkage: float


CANDIDATES = tuple(
    Candidate(source, pieces, shrinkage)
    for source in SOURCES
    for pieces in (("size",), ("own", "size"), PIECES)
    for shrinkage in (0.3, 3.0)
)


class Material(NamedTuple):
    """All images, and the moments of those that are fitted to.

    Attributes:
        table: of `experiments.explaining.features`.
        family: of each image, "" for a real one.
        there: which regions each image shows.
        blank: a head that knows real faces.
        columns: the features that are looked at.
        rows: of `rows_of` those.
        moments: by family, of the people who are fitted to: of real images, and of those of which a part was forged. A
            face that is forged everywhere has no rest that a region could be unlike.
    """

    table: Table
    family: np.ndarray
    there: np.ndarray
    blank: RegionHead
    columns: np.ndarray
    rows: np.ndarray
    moments: dict[str, Moments]

    def role(self, *names: str) -> np.ndarray:
        """Which images are of people who serve for this."""
        return np.isin(self.table.about["role"], names)

    def parts(self) -> np.ndarray:
        """Of which images one part was forged."""
        return self.table.about["part"] != ""


def material(table: Table, channels: Sequence[int]) -> Material:
    """Standardised, and summed up.

    Args:
        table: all images.
        channels: of each block of the network, in order.
    """
    family = np.array([family_of(method) for method in table.about["method"]])
    there = np.repeat(table.found[:, None], table.true.shape[1], axis=1)
    fit = table.about["role"] == FIT
    real = fit & (family == "") & table.found
    blank = standards(table.features[real], there[real])
    columns = np.arange(2 * CHANNELS + 2 * sum(channels[:BLOCKS]))
    rows = rows_of(blank, table.features, there, columns=columns)
    useful = fit & table.found & ((family == "") | (table.about["part"] != ""))
    each = {name: useful & (family == name) for name in ("", *FAMILIES)}
    summed = {name: moments(rows[mine], there[mine], table.true[mine]) for name, mine in each.items() if mine.any()}
    return Material(table, family, there, blank, columns, rows, summed)


def places(made: Material, candidate: Candidate) -> np.ndarray:
    """Which numbers of `rows` a candidate weighs."""
    size = len(made.columns)
    fine = np.arange(size) < 2 * CHANNELS
    detail, network = SOURCES[candidate.source]
    source = np.where(fine, detail, network)
    return np.flatnonzero(np.concatenate([source & (piece in candidate.pieces) for piece in PIECES]))


class Heads:
    """Heads without some families, each fitted once."""

    def __init__(self, made: Material):
        """Over images."""
        self.made = made
        self._logits: dict[Any, np.ndarray] = {}

    def weights(self, candidate: Candidate, without: frozenset[str]) -> tuple[np.ndarray, float]:
        """Fitted to all families but some."""
        groups = [one for name, one in self.made.moments.items() if name not in without]
        return discriminant(groups, columns=places(self.made, candidate), shrinkage=candidate.shrinkage)

    def logits(self, candidate: Candidate, without: frozenset[str]) -> np.ndarray:
        """Of the people who calibrate; of others nothing is said here."""
        if (candidate, without) not in self._logits:
            weights, bias = self.weights(candidate, without)
            some = self.made.role(CALIBRATE)
            found = np.zeros(self.made.there.shape)
            found[some] = self.made.rows[some][..., places(self.made, candidate)] @ weights + bias
            self._logits[candidate, without] = found
        return self._logits[candidate, without]

    def strange(self, candidate: Candidate, without: frozenset[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of people who calibrate, and logits: each by a head that had not seen its family either."""
        made, found = self.made, np.zeros(self.made.there.shape)
        chosen = np.zeros(len(made.family), bool)
        for name in made.moments:
            if name and name not in without:
                mine = made.role(CALIBRATE) & made.table.found & made.parts() & (made.family == name)
                found[mine] = self.logits(candidate, without | {name})[mine]
                chosen |= mine
        return np.flatnonzero(chosen), found[chosen]

    def choose(self, candidates: Sequence[Candidate], without: frozenset[str]) -> tuple[Candidate, float]:
        """The candidate with the best F1 of regions of images of which a part was forged, and that F1."""
        scores = []
        for candidate in candidates:
            rows, logits = self.strange(candidate, without)
            true = self.made.table.true[rows]
            # What it calibrates to counts, so that how often a region is forged counts too.
            found = region_probabilities(
                calibrated(self.made.blank, logits, self.made.there[rows], true), logits
            )  # fmt: skip
            cuts = np.quantile(found, np.linspace(0, 1, 100))
            scores.append(max(region_score(true, found > cut).f1 for cut in cuts))
        best = int(np.argmax(scores))
        return candidates[best], float(scores[best])

    def fitted(self, candidates: Sequence[Candidate], without: frozenset[str]) -> tuple[RegionHead, Candidate, float]:
        """Chosen, fitted and calibrated without some families."""
        made = self.made
        candidate, score = self.choose(candidates, without)
        weights, bias = self.weights(candidate, without)
        size, kept = made.blank.mean.shape[1], len(made.columns)
        # The numbers of all features, of which the columns are the first of each piece.
        every = np.concatenate([piece * size + np.arange(kept) for piece in range(len(PIECES))])
        head = with_weights(made.blank, weights, bias, every[places(made, candidate)])
        rows, logits = self.strange(candidate, without)
        head = calibrated(head, logits, made.there[rows], made.table.true[rows])
        return head, candidate, score


def without_each(heads: Heads, candidates: Sequence[Candidate], *, say: Callable[[str], object]):
    """A head without each family in turn, by its name."""
    found = {}
    for name in FAMILIES:
        found[name] = heads.fitted(candidates, frozenset({name}))
        say(f"without {name}: {found[name][1]}, F1 {found[name][2]:.3f} where it was chosen")
    return found
