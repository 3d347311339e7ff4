"""What a worker does with a batch: all files are read beside each other, then all their faces scored together."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from metaforge.data.images import one_line
from metaforge.screening.evidence.heat import occlusion_map, sentence
from metaforge.screening.judging import judged
from metaforge.screening.looking import Look
from metaforge.screening.reporting.looking import MAPPED
from metaforge.screening.reporting.pictures import face_picture
from metaforge.screening.verdicts.making import Screener
from metaforge.serving.served import Opened, Served

_LOG = logging.getLogger(__name__)


class Ask(NamedTuple):
    """A file to be judged.

    Attributes:
        name: what its record calls it.
        data: its content; empty if it lies at `path`.
        served: by which detector.
        path: where a video lies.
        crops: whether it is a face crop.
        evidence: whether features are measured beside the score.
        map: whether to say what the score depends on.
        request_id: by which the log has whatever goes wrong with it.
    """

    name: str
    data: bytes
    served: Served
    path: str = ""
    crops: bool = False
    evidence: bool = False
    map: bool = False
    request_id: str = ""


class Answer(NamedTuple):
    """What is said of a file.

    Attributes:
        record: `FileVerdict.as_json()`; empty if it could not be judged by a fault of ours.
        maps: what the scores of its faces depend on, if that was asked for.
        regions: where it may be forged, if that was asked for and the detector can say it.
        read: seconds that reading it and finding faces took.
        score: seconds of scoring, which the files of a batch share.
        error: a fault of ours, in a line.
    """

    record: dict[str, Any]
    maps: list[dict[str, Any]]
    regions: dict[str, Any] | None
    read: float
    score: float
    error: str = ""


class _Read(NamedTuple):
    place: int
    look: Look | None
    seconds: float
    error: str = ""


class Batch(NamedTuple):
    """Files that were read together, and wait to be scored together.

    Attributes:
        asks: what was asked.
        read: of each detector the files that were read for it.
        faults: the answers to files for which there is nothing to score.
    """

    asks: Sequence[Ask]
    read: list[tuple[Screener, list[_Read]]]
    faults: dict[int, Answer]


def answers(opened: Opened, asks: Sequence[Ask], *, threads: ThreadPoolExecutor) -> list[Answer]:
    """An answer to each, in their order. A file that cannot be judged harms no other.

    Args:
        opened: the detectors.
        asks: the files of a batch.

    Other Arguments:
        threads: that read them.
    """
    return score_batch(read_batch(opened, asks, threads=threads))


def read_batch(opened: Opened, asks: Sequence[Ask], *, threads: ThreadPoolExecutor) -> Batch:
    """The first half of `answers`: reads the files, and finds their faces."""
    batch = Batch(asks, [], {})
    # Of each detector the files together.
    by_model: dict[Served, list[int]] = {}
    for place, ask in enumerate(asks):
        by_model.setdefault(ask.served, []).append(place)
    for served, places in by_model.items():
        try:
            screener = opened.screener(served)
        except Exception as error:  # noqa: BLE001 - a detector that cannot be opened harms its own files alone
            faults = {place: Answer({}, [], None, 0.0, 0.0, _fault(error, asks[place])) for place in places}
            batch.faults.update(faults)
            continue
        batch.read.append((screener, list(threads.map(_reader(screener, asks), places))))
    return batch


def score_batch(batch: Batch) -> list[Answer]:
    """The second half: scores the faces, and says what comes of it."""
    found = dict(batch.faults)
    for screener, read in batch.read:
        found |= dict(_scored(screener, read, batch.asks))
    return [found[place] for place in range(len(batch.asks))]


def _reader(screener: Screener, asks: Sequence[Ask]) -> Callable[[int], _Read]:
    def read(place: int) -> _Read:
        begun, ask = time.perf_counter(), asks[place]
        try:
            look = _asked(screener, ask).look_at(
                ask.data, path=ask.path, name=ask.name, kind="image" if not ask.path else "video"
            )
        except Exception as error:  # noqa: BLE001 - whatever one file does, the others are still to be judged
            return _Read(place, None, time.perf_counter() - begun, _fault(error, ask))
        return _Read(place, look, time.perf_counter() - begun)

    return read


def _asked(screener: Screener, ask: Ask) -> Screener:
    measure = None
    if ask.evidence:
        from metaforge.screening.evidence.showing import evidence

        measure = evidence()
    return screener._replace(crops=ask.crops, measure=measure)


def _scored(screener: Screener, read: list[_Read], asks: Sequence[Ask]) -> Iterator[tuple[int, Answer]]:
    good = [each for each in read if each.look is not None]
    begun = time.perf_counter()
    looks = [each.look for each in good if each.look is not None]
    try:
        rows = [rows for _, rows in judged(screener.detector, looks, batch=screener.detector.batch)]
    except Exception as error:  # noqa: BLE001 - as above
        if len(good) == 1:
            said = _fault(error, asks[good[0].place])
            yield good[0].place, Answer({}, [], None, good[0].seconds, 0.0, said)
        else:  # each by itself, so that one harms no other
            for each in good:
                yield from _scored(screener, [each], asks)
        good, rows = [], []
    seconds = time.perf_counter() - begun
    for each, said in zip(good, rows, strict=True):
        assert each.look is not None
        try:
            yield each.place, _said(screener, each.look, said, asks[each.place], read=each.seconds, score=seconds)
        except Exception as error:  # noqa: BLE001 - as above: a map, or a detector of regions that is gone
            yield each.place, Answer({}, [], None, each.seconds, seconds, _fault(error, asks[each.place]))
    for each in read:
        if each.look is None:
            yield each.place, Answer({}, [], None, each.seconds, 0.0, each.error)


def _said(screener: Screener, look: Look, rows: Any, ask: Ask, *, read: float, score: float) -> Answer:
    record = screener.record(look, rows).as_json()
    maps = list(_maps(screener, look)) if ask.map and record["error"] is None else []
    regions = _regions(ask) if ask.map and record["error"] is None and record["kind"] == "image" else None
    return Answer(record, maps, regions, read, score)


def _maps(screener: Screener, look: Look) -> Iterator[dict[str, Any]]:
    logits = lambda crops: screener.detector.examine(crops)[0]
    shown = [(row, crops[0]) for row, crops in zip(look.rows, look.crops, strict=True) if crops]
    for row, crop in shown[:MAPPED]:
        heat = occlusion_map(logits, crop)
        says = sentence(heat)
        yield {"face": row.face, "tag": "inferred", "falls": np.round(heat, 4).tolist(), "crop": face_picture(crop),
               "text": says}  # fmt: skip


def _regions(ask: Ask) -> dict[str, Any] | None:
    if not ask.served.regions:
        return None
    from metaforge.data.images import decode_image
    from metaforge.screening.explaining import explanation, files

    detector = _explaining(ask.served.regions, ask.served.weights, files.loaded)
    found = explanation.explain(detector, decode_image(ask.data, name=ask.name), crop="whole" if ask.crops else "")
    regions = [{"name": name, "p": round(p, 4), "named": name in found.named} for name, p in found.regions.items()]
    return {"regions": regions, "sentence": found.sentence, "limits": list(found.limits)}


_EXPLAINING: dict[tuple[str, str], Any] = {}


def _explaining(path: str, weights: str, load: Callable[..., Any]) -> Any:
    """The one that was asked for last stays open: it takes JAX, and is slow to open."""
    if (path, weights) not in _EXPLAINING:
        _EXPLAINING.clear()
        _EXPLAINING[path, weights] = load(path, weights=weights)
    return _EXPLAINING[path, weights]


def _fault(error: Exception, ask: Ask) -> str:
    _LOG.error("A file could not be judged.", exc_info=error, extra={"request_id": ask.request_id})
    return f"a fault of this program: {type(error).__name__}: {one_line(error)}"
