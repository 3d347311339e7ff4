"""The people of a running video: who of those in the last seconds was there before, and what is said of each so far."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metaforge.data.crops import Crop
from metaforge.data.detection import find_again, find_faces
from metaforge.data.following import follow
from metaforge.data.tracks import Sighting, linked
from metaforge.data.watching import Glance
from metaforge.evaluation.calibration import Verdict, track_verdict, uncalibrated_verdict

if TYPE_CHECKING:
    from metaforge.screening.judging import Scorer

KEPT = 8
"""Sightings of each person, the last ones, by which they are known again; their pixels are not kept."""

MOST = 64
"""People who are known at a time; of more, who has been away the longest is forgotten."""


@dataclasses.dataclass
class Person:
    """Somebody who was seen.

    Attributes:
        number: from 1, in the order of coming.
        seen: the last sightings.
        logits: one a frame, not calibrated; of a detector without a calibration its scores.
        distances: likewise; empty for a detector without.
        first: seconds, when they came.
    """

    number: int
    seen: list[Sighting]
    logits: list[float]
    distances: list[float]
    first: float


class People:
    """Those who were seen so far. Sixteen bytes a face and frame are kept, and a few sightings of each."""

    def __init__(self, detector: "Scorer", *, crop: Crop, min_face: float = 0.03):
        """Nobody yet."""
        self._detector, self._min_face = detector, min_face
        self._crop: Crop = crop
        self._known: list[Person] = []
        self._count = 0

    def look(self, glances: Sequence[Glance], seconds: Sequence[float]) -> list[dict[str, Any]]:
        """Takes the frames of the last seconds, and says of each who is in them what there is to say.

        Args:
            glances: all frames since the last call, some with their pixels.
            seconds: the time of each of them.

        Returns:
            One a person, plain values for JSON, in the order of coming: of all frames so far, and under "now" of those
            of this call.
        """
        found = follow(
            glances,
            find=lambda image: find_faces(image, min_face=self._min_face),
            again=lambda image, before: find_again(image, before, min_face=self._min_face),
            crop=self._crop,
            size=self._detector.image_size,
        )
        fresh = sorted((each for track in found.tracks for each in track.sightings), key=lambda each: each.frame)
        if not fresh:
            return []
        crops = np.stack([crop for track in found.tracks for crop in track.crops()])
        order = [id(each) for track in found.tracks for each in track.sightings]
        scores = dict(zip(order, self._examined(crops), strict=True))
        told = []
        at = {glance.frame: time for glance, time in zip(glances, seconds, strict=True)}
        for person, mine in self._people(fresh, found.cuts, at):
            now = [scores[id(each)] for each in mine]
            person.logits += [logit for logit, _ in now]
            person.distances += [distance for _, distance in now if distance is not None]
            person.seen = [each._replace(patch=None) for each in (*person.seen, *mine)][-KEPT:]
            said = self._verdict(person.logits, person.distances)
            last = self._verdict([logit for logit, _ in now], [each for _, each in now if each is not None])
            told.append({
                "person": person.number, "box": [round(float(side), 1) for side in mine[-1].face.box],
                "since": round(person.first, 2), "frames": len(person.logits), **_told(said),
                "now": {"frames": len(mine), **_told(last)},
            })  # fmt: skip
        self._known = sorted(self._known, key=lambda person: person.seen[-1].frame)[-MOST:]
        return sorted(told, key=lambda each: each["person"])

    def _people(
        self, fresh: list[Sighting], cuts: list[int], at: dict[int, float]
    ) -> list[tuple[Person, list[Sighting]]]:
        """Who is seen in which of the sightings."""
        whose = {id(each): person for person in self._known for each in person.seen}
        frames: dict[int, list[Sighting]] = {}
        for each in [*(each for person in self._known for each in person.seen), *fresh]:
            frames.setdefault(each.frame, []).append(each)
        new = {id(each) for each in fresh}
        mine: dict[int, tuple[Person, list[Sighting]]] = {}
        for track in linked(sorted(frames.items()), cuts):
            here = [each for each in track.sightings if id(each) in new]
            if not here:
                continue
            before = [whose[id(each)] for each in track.sightings if id(each) in whose]
            person = min(before, key=lambda person: person.number) if before else self._newcomer(at[here[0].frame])
            mine.setdefault(person.number, (person, []))[1].extend(here)
        return list(mine.values())

    def _newcomer(self, seconds: float) -> Person:
        self._count += 1
        person = Person(self._count, [], [], [], seconds)
        self._known.append(person)
        return person

    def _examined(self, crops: np.ndarray) -> list[tuple[float, float | None]]:
        batch = self._detector.batch
        if self._detector.judge is None:
            return [(score, None) for score in self._detector(crops, batch=batch).tolist()]
        logits, distances = self._detector.examine(crops, batch=batch)
        apart = [None] * len(logits) if distances is None else distances.tolist()
        return list(zip(logits.tolist(), apart, strict=True))

    def _verdict(self, logits: list[float], distances: list[float]) -> Verdict:
        judge = self._detector.judge
        if judge is None:
            return uncalibrated_verdict(float(np.mean(logits)))
        return track_verdict(logits, distances or None, judge)


def _told(said: Verdict) -> dict[str, Any]:
    score = None if said.p_fake != said.p_fake else round(said.p_fake, 6)
    known = None if said.familiarity is None else round(said.familiarity, 4)
    return {"p_fake": score, "familiarity": known, "decision": said.decision, "reason": said.reason}
