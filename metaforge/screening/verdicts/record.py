"""The record of a file: all that is said of it, as one JSON object whose form is `verdict.schema.json`."""

import functools
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from metaforge.captions.schema import validator
from metaforge.errors import InputError
from metaforge.evaluation.calibration.bands import Decision

VERSION = 1
"""The number of this form."""

Kind = Literal["image", "video"]
Tag = Literal["observed", "derived", "inferred"]
State = Literal["trusted", "valid", "invalid", "not available"]


class Evidence(NamedTuple):
    """A measured feature of a face.

    Attributes:
        name: of the feature.
        value: as measured.
        score: the probability of being fake that the feature alone gives, in [0, 1].
        auc: that of the feature alone on collections that were left out.
        tag: "observed" (seen in the pixels), "derived" (computed from them) or "inferred" (by a model).
        text: in words.
    """

    name: str
    value: float
    score: float
    auc: float
    tag: Tag
    text: str


class FaceVerdict(NamedTuple):
    """What is said of a face, or of a person in a video.

    Attributes:
        number: in the file, from 1; 0 where the file is a crop and no face was looked for.
        box: x0, y0, x1, y1 in the picture's pixels, of a video in the first of `frames`; `None` of a crop.
        frames: of a video, those that were scored.
        p_fake: the probability of being fake, in [0, 1]; `None` if the detector gives no number.
        band: an interval for `p_fake`, low and high; `None` if the detector's calibration knows none.
        familiarity: the share of the source images that are at least as unusual; `None` where that is not known.
        decision: "real", "cannot tell" or "fake".
        reason: why, in plain words.
        quality: flags, such as "blurred" (docs/verdicts.md has all of them).
        evidence: what was measured, if it was asked for.
    """

    number: int
    box: tuple[float, float, float, float] | None
    frames: tuple[int, ...]
    p_fake: float | None
    band: tuple[float, float] | None
    familiarity: float | None
    decision: Decision
    reason: str
    quality: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Model(NamedTuple):
    """The detector: its `name`, the `sha256` of its files, and what its calibration was `fitted_on`."""

    name: str
    sha256: str
    fitted_on: str


class Provenance(NamedTuple):
    """What the file says of its own origin by C2PA.

    Attributes:
        state: "trusted", "valid" (signed and unchanged, by somebody who is on no list), "invalid" or "not available".
        source_type: the active manifest's digital source type, such as "trainedAlgorithmicMedia"; "" if it names none.
        signer: who signed it, "" if that is not known.
        detail: why it is so, in one line.
    """

    state: State
    source_type: str
    signer: str
    detail: str


class Thresholds(NamedTuple):
    """Where decisions are made: below `real_below` "real", above `fake_above` "fake".

    Attributes:
        real_below: on `p_fake`.
        fake_above: on `p_fake`.
        fpr: the share of reals that may be called fake on what they were fitted on; `None` if that is not known.
        fnr: the share of fakes that may be called real.
        fitted_on: the name of that domain; "" for thresholds that were fitted on nothing.
    """

    real_below: float
    fake_above: float
    fpr: float | None
    fnr: float | None
    fitted_on: str


class Failure(NamedTuple):
    """Why nothing is said of a file.

    Attributes:
        code: "missing", "unreadable" (closed, broken, of no known form), "changed" (while it was read) or "failed" (a
            fault of ours).
        message: in one line.
    """

    code: Literal["missing", "unreadable", "changed", "failed"]
    message: str


class FileVerdict(NamedTuple):
    """What is said of a file.

    Attributes:
        file: as it was listed.
        sha256: of its bytes, in hexadecimal; `None` if they could not be read.
        bytes: how many they are.
        kind: "image" or "video".
        size: height and width; `None` of a video, or if it could not be read.
        time: when it was judged: UTC, as RFC 3339.
        model: by which detector.
        p_fake: that of its most suspicious face: of those called fake the one with the highest, otherwise of those of
            which nothing is said, otherwise of those called real. `None` if there is none.
        decision: that face's; "cannot tell" if there is none.
        reason: likewise.
        faces: all of them, in the order of their numbers.
        quality: flags of the file as a whole.
        provenance: by C2PA.
        thresholds: by which was decided.
        limits: what the verdict does not say, in one sentence.
        error: why there is none; `None` if there is.
    """

    file: str
    sha256: str | None
    bytes: int | None
    kind: Kind
    size: tuple[int, int] | None
    time: str
    model: Model
    p_fake: float | None
    decision: Decision
    reason: str
    faces: tuple[FaceVerdict, ...]
    quality: tuple[str, ...]
    provenance: Provenance
    thresholds: Thresholds
    limits: str
    error: Failure | None = None

    def as_json(self) -> dict[str, Any]:
        """The record, of plain values."""
        return {"version": VERSION} | _plain(self)

    @classmethod
    def from_json(cls, found: Any) -> "FileVerdict":
        """What `as_json` wrote.

        Raises:
            InputError: for anything else.
        """
        if wrong := _says()(found):
            raise InputError(f"verdict: {wrong}. Give records of this version, as metaforge screen writes them.")
        kept: dict[str, Any] = {name: found[name] for name in cls._fields}
        pair = lambda value: None if value is None else tuple(value)
        faces = tuple(
            _read(FaceVerdict)(each)._replace(
                box=pair(each["box"]),
                band=pair(each["band"]),
                frames=tuple(each["frames"]),
                quality=tuple(each["quality"]),
                evidence=tuple(map(_read(Evidence), each["evidence"])),
            )
            for each in kept["faces"]
        )
        kept |= {"size": pair(kept["size"]), "quality": tuple(kept["quality"]), "faces": faces}
        for name, kind in (("model", Model), ("provenance", Provenance), ("thresholds", Thresholds)):
            kept[name] = _read(kind)(kept[name])
        kept["error"] = None if kept["error"] is None else _read(Failure)(kept["error"])
        return cls(**kept)


@functools.cache
def schema() -> dict[str, Any]:
    """The form of a record, in JSON Schema."""
    return json.loads((Path(__file__).parent / "verdict.schema.json").read_text(encoding="utf-8"))


@functools.cache
def _says():
    return validator(schema())


def _read(kind: Any):
    # A later version of the same number may say more.
    return lambda found: kind(**{name: found[name] for name in kind._fields})


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
