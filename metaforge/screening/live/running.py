"""Watches a stream, and says every few seconds what there is to say."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from metaforge.data.detection import check_finder
from metaforge.screening.live.people import People
from metaforge.screening.live.streams import Timed, frames_of, is_live

if TYPE_CHECKING:
    from metaforge.screening.judging import Scorer


def watched(detector: "Scorer", video: str, *, every: float, rate: float, raw: str = "") -> Iterator[dict[str, Any]]:
    """What is said of the people in a stream, each time that some seconds of it have gone by, and at its end.

    Args:
        detector: what scores. One that was trained on whole pictures is given crops all the same.
        video: as in `metaforge.screening.live.streams.frames_of`.

    Other Arguments:
        every: seconds of the stream.
        rate: frames a second that are looked at.
        raw: as there.

    Yields:
        Plain values for JSON: `seconds` of the stream, `looked`, how many frames since the last, `people`
        (`metaforge.screening.live.people.People.look`), and, of a pipe or a camera, how many seconds we are `behind`.
    """
    check_finder()
    crop = "ffpp" if detector.crop == "whole" else detector.crop
    people, begun = People(detector, crop=crop), None
    held: list[Timed] = []
    due = every
    for timed in frames_of(video, rate=rate, raw=raw):
        begun = time.monotonic() if begun is None else begun
        if timed.seconds >= due and held:
            yield _told(people, held, begun, video)
            held, due = [], every * (timed.seconds // every + 1)
        held.append(timed)
    if held and begun is not None:
        yield _told(people, held, begun, video)


def _told(people: People, held: list[Timed], begun: float, video: str) -> dict[str, Any]:
    glances, times = [each.glance for each in held], [each.seconds for each in held]
    said, now = people.look(glances, times), times[-1]
    told = {"seconds": round(now, 2), "looked": sum(each.image is not None for each in glances), "people": said}
    return told | ({"behind": round(time.monotonic() - begun - now, 1)} if is_live(video) else {})
