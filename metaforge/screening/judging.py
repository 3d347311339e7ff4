"""From what files show to what is said of it: a batch at a time, in the order of the files, in flat memory."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from metaforge.evaluation.calibration import Verdict, doubted, track_verdict, uncalibrated_verdict
from metaforge.screening.looking import Look, Row

if TYPE_CHECKING:
    from metaforge.screening.detector import Detector
    from metaforge.screening.portable import PortableDetector

    Scorer = Detector | PortableDetector


def judged(detector: "Scorer", looks: Iterable[Look], *, batch: int, most: int = 0) -> Iterator[tuple[Look, list[Row]]]:
    """Each look with its rows, now with scores and verdicts.

    Args:
        detector: what scores.
        looks: the files as they come.

    Other Arguments:
        batch: so many crops are scored at a time; of the last there may be fewer.
        most: how many files wait for a batch to fill at most; any number if 0, so that nothing is said of files none of
            which shows a face before all were looked at.
    """
    waiting: list[Look] = []
    crops = 0
    for found in looks:
        waiting.append(found)
        crops += sum(map(len, found.crops))
        if crops >= batch or len(waiting) == most:
            yield from _scored(detector, waiting, batch)
            waiting, crops = [], 0
    yield from _scored(detector, waiting, batch)


def _scored(detector: "Scorer", waiting: list[Look], batch: int) -> Iterator[tuple[Look, list[Row]]]:
    images = [image for found in waiting for crops in found.crops for image in crops]
    verdict = _verdicts(detector, np.stack(images), batch) if images else None
    for found in waiting:
        rows = []
        for row, crops in zip(found.rows, found.crops, strict=True):
            said = verdict(len(crops)) if verdict and crops else None
            rows.append(row._replace(p_fake=said.p_fake, verdict=doubted(said, row.note.split(", "))) if said else row)
        yield found, rows


def _verdicts(detector: "Scorer", images: np.ndarray, batch: int) -> Callable[[int], Verdict]:
    """What gives one verdict on the next so many of the images."""
    judge = detector.judge
    if judge is None:
        scores = iter(detector(images, batch=batch).tolist())
        return lambda count: uncalibrated_verdict(float(np.mean(list(itertools.islice(scores, count)))))
    logits, distances = detector.examine(images, batch=batch)
    rows = iter(range(len(images)))

    def next_verdict(count: int) -> Verdict:
        mine = list(itertools.islice(rows, count))
        return track_verdict(logits[mine], None if distances is None else distances[mine], judge)

    return next_verdict
