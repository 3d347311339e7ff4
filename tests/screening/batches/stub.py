"""What judges files by their names alone, in the form of a real screener."""

import hashlib
from pathlib import Path

from metaforge.screening.verdicts.record import (
    FaceVerdict,
    Failure,
    FileVerdict,
    Model,
    Provenance,
    Thresholds,
)  # fmt: skip

THRESHOLDS = Thresholds(0.3, 0.7, 0.05, 0.1, "names")


def record(name, p_fake: float | None = 0.5, *, error=None, **changes):
    """A record of an image with one face, or with none where `p_fake` is `None`."""
    decision = (
        "cannot tell" if p_fake is None else "real" if p_fake < 0.3 else "fake" if p_fake > 0.7 else "cannot tell"
    )
    face = FaceVerdict(1, (10.0, 10.0, 40.0, 40.0), (), p_fake, (0.1, 0.9), 0.5, decision, f"as {name}", ("blurred",))
    failure = Failure(*error) if error else None
    made = FileVerdict(
        file=name, sha256="0" * 64, bytes=1, kind="image", size=(64, 64), time="2026-01-02T03:04:05Z",
        model=Model("stub", "ab" * 32, "names"), p_fake=None if error else p_fake,
        decision="cannot tell" if error else decision, reason=error[1] if error else f"as {name}",
        faces=() if error or p_fake is None else (face,), quality=() if p_fake is not None else ("no face",),
        provenance=Provenance("not available", "", "", "not looked for"), thresholds=THRESHOLDS,
        limits="Names say nothing of files.", error=failure,
    )  # fmt: skip
    return made._replace(**changes)


def score(name):
    """In [0, 1), of the name alone."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[0] / 256


class Stub:
    """Judges by `score`; names with "bad" in them have an error. `judged` has the names in their order."""

    def __init__(self, *, sha256="ab" * 32, stop=None):
        self.model = Model("stub", sha256, "names")
        self.judged, self.stop = [], stop

    def crop_in(self, folder):
        return None, ""

    def verdicts(self, files, *, root, workers=2):
        for file in files:
            if len(self.judged) == self.stop:
                raise KeyboardInterrupt
            name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
            self.judged.append(name)
            bad = ("unreadable", "it is broken") if "bad" in Path(name).name else None
            yield record(name, score(name), error=bad)
