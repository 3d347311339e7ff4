"""A detector as workers open it: a file that needs no JAX, under the name and the hash of the original."""

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metaforge.errors import InputError
from metaforge.screening.verdicts.making import Screener
from metaforge.screening.verdicts.opening import screener
from metaforge.serving.buckets import Bucketed

REGIONS = "regions.npz"
"""The file of a saved detector that says where a face may be forged."""

KEPT = 4
"""Detectors that a worker holds open at a time, beside those that it never closes."""


class Served(NamedTuple):
    """Where a detector is, and what it is called.

    Attributes:
        id: by which requests ask for it.
        path: what is opened: a file in ONNX, or the folder of an adapter that was made before its network could be
            written so.
        name: of the original, for records.
        sha256: likewise.
        weights: where a detector's weights are now; "" for where it says.
        regions: the saved detector that says where a face may be forged; "" if there is none.
    """

    id: str
    path: str
    name: str
    sha256: str
    weights: str = ""
    regions: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same, of plain values."""
        return self._asdict()

    def screener(self, **options: Any) -> Screener:
        """What makes verdicts with it; options are those of `metaforge.screening.verdicts.screener`.

        Raises:
            InputError: if it cannot be read.
        """
        # A file in ONNX has all of its weights in it, wherever those are that its detector stands on.
        elsewhere = self.weights if Path(self.path).is_dir() else ""
        return screener(self.path, weights=elsewhere, **options)


class Opened:
    """The detectors that a worker has open, at most `KEPT`; the one that was not asked for longest is closed first."""

    def __init__(self, *, frames: int, trust: str, standing: Sequence[Served] = ()):
        """Nothing is opened yet.

        Other Arguments:
            frames: of each video.
            trust: a file of certificates; "" for none.
            standing: those that are never closed, beside `KEPT` others.
        """
        self._frames, self._trust = frames, trust
        self._standing = {(each.path, each.sha256) for each in standing}
        self._open: collections.OrderedDict[tuple[str, str], Screener] = collections.OrderedDict()

    def screener(self, served: Served) -> Screener:
        """What makes verdicts with a detector.

        Raises:
            InputError: if it cannot be read.
        """
        key = (served.path, served.sha256)
        if key not in self._open:
            found = served.screener(frames=self._frames, trust=self._trust)
            model = found.model._replace(name=served.name, sha256=served.sha256)
            self._open[key] = found._replace(detector=Bucketed(found.detector), model=model)
            others = [each for each in self._open if each not in self._standing and each != key]
            for each in others[: max(0, len(others) + 1 - KEPT)]:
                del self._open[each]
        self._open.move_to_end(key)
        return self._open[key]


def served_of(model: str, folder: Path, *, id: str = "default", weights: str = "") -> Served:
    """A detector ready to be served: what is no file in ONNX yet is written as one into a folder, once.

    Args:
        model: a saved detector, a file in ONNX, or a finished training run.
        folder: for the files in ONNX; each is called by the SHA-256 of its detector.

    Other Arguments:
        id: by which requests ask for it.
        weights: where a detector's weights are now.

    Raises:
        InputError: if it cannot be read.
    """
    from metaforge.screening.portable import load_onnx, save_onnx
    from metaforge.screening.predicting import detector_in
    from metaforge.screening.verdicts.identity import model_sha256

    path = Path(model)
    name, sha256 = path.resolve().name or "model", model_sha256(path)
    if path.is_file():
        load_onnx(path)  # what cannot be read is said before anything is started
        return Served(id, str(path.resolve()), name, sha256)
    made = folder / f"{sha256}.onnx"
    says_where = (path / REGIONS).exists()
    if not _opens(made):
        detector = detector_in(model, weights=weights)
        folder.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        save_onnx(made, detector)
    return Served(id, str(made.resolve()), name, sha256, weights, str(path.resolve()) if says_where else "")


def _opens(path: Path) -> bool:
    """Whether there is a file in ONNX that is whole, and of the form that is read now."""
    from metaforge.screening.portable import load_onnx

    try:
        load_onnx(path)
    except InputError:
        return False
    return True
