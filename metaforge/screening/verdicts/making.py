"""Makes verdicts: of the files of a list, one after the other and in flat memory, or of bytes that came in."""

import datetime
import functools
from collections.abc import Callable, Iterable, Iterator
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from metaforge.data.crop_folder import crop_for
from metaforge.data.crops import Crop
from metaforge.data.detection import check_finder
from metaforge.data.formats import VIDEOS, is_image, what_it_is
from metaforge.evaluation.calibration import doubted
from metaforge.screening.judging import judged
from metaforge.screening.looking import Look, Row
from metaforge.screening.verdicts.reading import About, Evident, Seen, look_at_bytes, look_at_file
from metaforge.screening.verdicts.record import FaceVerdict, FileVerdict, Kind, Model, Provenance, Thresholds
from metaforge.workers import in_order

if TYPE_CHECKING:
    from metaforge.screening.judging import Scorer

RANK = {"real": 0, "cannot tell": 1, "fake": 2}
"""Which of two decisions is the more suspicious."""


class Screener(NamedTuple):
    """A detector and all that goes with its verdicts; `screener` makes one.

    Attributes:
        detector: what scores.
        model: its name and SHA-256.
        thresholds: by which it decides.
        limits: what its verdicts do not say.
        crops: whether pictures are said to be face crops already.
        frames: of each video, spread evenly.
        measure: evidence on a face of a picture; `None` if none is asked for.
        trust: certificates, in PEM, of those whose C2PA signatures are trusted.
        now: the time.
    """

    detector: "Scorer"
    model: Model
    thresholds: Thresholds
    limits: str
    crops: bool = False
    frames: int = 32
    measure: Evident | None = None
    trust: str = ""
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)

    def crop_in(self, folder: Path) -> tuple[Crop | None, str]:
        """How faces are cut out of the pictures in a folder, and one line on what is amiss, if it is.

        Raises:
            InputError: if faces are to be found, and the finder is not installed.
        """
        crop, amiss = crop_for(self.detector.crop, folder, crops=self.crops)
        if crop is not None:
            check_finder()
        return crop, amiss

    def verdicts(self, files: Iterable[Path], *, root: Path, workers: int = 2) -> Iterator[FileVerdict]:
        """A verdict on each file, in their order, as soon as a batch is full.

        Args:
            files: pictures and videos; asked for as they are needed, so they may be without end.

        Other Arguments:
            root: the folder that names are relative to; a file that lies elsewhere is called by its path.
            workers: threads that read pictures and find faces ahead of the detector.

        Yields:
            Records; a file that cannot be read has one with its `error`.

        Raises:
            InputError: as `crop_in`.
        """
        crop, _ = self.crop_in(root)
        seen = functools.partial(self._seen, root=root, crop=crop)
        batch = self.detector.batch
        looks = in_order(seen, files, workers=workers)
        # No file waits longer than two batches of files without a face.
        for found, rows in judged(self.detector, looks, batch=batch, most=2 * batch):
            yield self.record(found, rows)

    def verdict(self, data: bytes, *, name: str = "upload") -> FileVerdict:
        """The verdict on a picture or a video that came in as bytes.

        Args:
            data: the content of a file.

        Other Arguments:
            name: what to call it. It is a video if its name ends so, or without an ending if it begins like one.

        Returns:
            Its record; with `error` if it cannot be read.
        """
        found = self.look_at(data, name=name)
        batch = self.detector.batch if found.about.kind == "video" else 1
        ((found, rows),) = judged(self.detector, [found], batch=batch)
        return self.record(found, rows)

    def look_at(self, data: bytes, *, path: str = "", name: str = "upload", kind: Kind | None = None) -> Look:
        """The faces of what came in as bytes, cut out and not yet scored; `judged` scores those of many together.

        Args:
            data: as in `verdict`.

        Other Arguments:
            path: where a video lies that is too large to be held; `data` is not looked at then.
            name: as there.
            kind: what it is by its content, whatever its name says.
        """
        crop = None if self.crops or self.detector.crop == "whole" else self.detector.crop
        if crop is not None:
            check_finder()
        if path:
            return look_at_file(Path(path), name=name, **self._how(crop))
        called = Path("upload") if kind else Path(name)
        video = kind == "video" or called.suffix.lower() in VIDEOS
        if not (kind or called.suffix or is_image(data[:64])):
            video = what_it_is(data[:64])[0] == "a video"
        if video and not called.suffix:
            called = Path("upload.mp4")
        return look_at_bytes(data, called, name=name, video=video, **self._how(crop))

    def _how(self, crop: Crop | None) -> dict[str, Any]:
        return {
            "size": self.detector.image_size,
            "crop": crop,
            "frames": self.frames,
            "measure": self.measure,
            "trust": self.trust,
        }

    def _seen(self, file: Path, *, root: Path, crop: Crop | None) -> Look:
        name = file.relative_to(root) if file.is_relative_to(root) else file
        return look_at_file(file, name=name.as_posix(), **self._how(crop))

    def record(self, found: Look, rows: list[Row]) -> FileVerdict:
        """The record of a file that was looked at, from the rows that `judged` gave it."""
        about: About = found.about
        faces = tuple(
            _face(row, more or Seen(), about.quality)
            for row, more in zip(rows, found.seen, strict=True)
            if row.verdict is not None
        )
        worst = max(faces, key=suspicion, default=None)
        nothing = about.failure.message if about.failure else rows[0].note
        return FileVerdict(
            file=rows[0].file,
            sha256=about.identity.sha256 if about.identity else None,
            bytes=about.identity.bytes if about.identity else None,
            kind=about.kind,
            size=found.size,
            time=self.now().astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            model=self.model,
            p_fake=worst.p_fake if worst else None,
            decision=worst.decision if worst else "cannot tell",
            reason=worst.reason if worst else nothing,
            faces=faces,
            quality=about.quality,
            provenance=about.provenance or Provenance("not available", "", "", "the file could not be read"),
            thresholds=self.thresholds,
            limits=self.limits,
            error=about.failure,
        )


def suspicion(face: FaceVerdict) -> tuple[int, float]:
    """What faces are ordered by, the most suspicious last: their decisions, and among the same decisions `p_fake`.

    Example:
        >>> face = FaceVerdict(1, None, (), 0.9, None, None, "cannot tell", "blurred")
        >>> suspicion(face) < suspicion(face._replace(decision="fake", p_fake=0.8))
        True
    """
    return RANK[face.decision], -1.0 if face.p_fake is None else face.p_fake


def _face(row: Row, seen: Seen, of_file: tuple[str, ...]) -> FaceVerdict:
    assert row.verdict is not None
    # Notes on the face have been weighed already; the other flags are known here alone.
    said = doubted(row.verdict, (*of_file, *seen.quality))
    score = None if said.p_fake != said.p_fake else round(said.p_fake, 6)
    box = None if not row.box else (*(round(side, 1) for side in row.box),)
    # Outwards, so that it holds the probability as it is written.
    ends = None if said.band is None else [round(1e4 * end, 6) for end in said.band]
    band = None if ends is None else (floor(ends[0]) / 1e4, ceil(ends[1]) / 1e4)
    known = None if said.familiarity is None else round(said.familiarity, 4)
    return FaceVerdict(row.face, box, row.frames, score, band, known, said.decision, said.reason, *seen)  # type: ignore[arg-type]
