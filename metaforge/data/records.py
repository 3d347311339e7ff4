"""One record for every source of images, and the filters that make domains and splits of them."""

import dataclasses

import numpy as np

from metaforge.data.copies import check_files
from metaforge.data.files import ImageFiles
from metaforge.errors import InputError

COLUMNS = ("domain", "method", "video", "identity", "donor", "pair", "compression", "split")
"""The columns of text. NumPy's strings of free length keep a million of each in some tens of megabytes."""

_TEXT = np.dtypes.StringDType()


@dataclasses.dataclass(frozen=True)
class Records:
    """A table of images: column `c` of record `i` is `records.c[i]`.

    Attributes:
        image: uint8 RGB in [0, 255], shape `(records, height, width, 3)`: an array, or files that are decoded when
            they are asked for (`metaforge.data.files.ImageFiles`).
        label: int32, shape `(records,)`: `REAL` (0) or `FAKE` (1).
        domain: the task that a record belongs to: a forgery method, with its acquisition if it has one.
        method: how it was forged, or what its pair was forged with if it is real.
        video: what it was cut from, by a name that no other video has (data set, method and name); two frames of one
            video never stand on both sides of an episode or a split.
        identity: whose face it is (of a fake: the face it was pasted into).
        donor: whose face was pasted, or "" if nobody else's.
        pair: a fake and the real image it was made from share this name: the real video's, "#", and the frame's number.
        compression: the acquisition: "none", "jpeg", "downscale", "c23", ...
        split: "train", "validation" or "test".
        frame: int32, the frame's number in its video.
        mask: uint8 in [0, 255], shape `(records, height, width)`: how much of each pixel is forged, 0 in real images;
            `None` where that is not known of every image, or not asked for.
        caption: what is said of an image, or "" where nothing is; `None` where captions were not asked for.
    """

    image: np.ndarray | ImageFiles
    label: np.ndarray
    domain: np.ndarray
    method: np.ndarray
    video: np.ndarray
    identity: np.ndarray
    donor: np.ndarray
    pair: np.ndarray
    compression: np.ndarray
    split: np.ndarray
    frame: np.ndarray
    mask: np.ndarray | None = None
    caption: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of records."""
        return len(self.label)

    def __post_init__(self):
        """Refuses columns of different lengths, and masks of another size than the images."""
        lengths = {name: len(column) for name, column in self._columns().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}.")
        if self.mask is not None and self.mask.shape[1:] != self.image.shape[1:3]:
            raise ValueError(f"masks of shape {self.mask.shape[1:]} for images of shape {self.image.shape[1:3]}.")

    def _columns(self) -> dict:
        """Every column that there is, by its name."""
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: column for name, column in columns.items() if column is not None}

    @classmethod
    def from_columns(cls, *, image, label, mask=None, caption=None, **columns) -> "Records":
        """Builds a table, with "" for every text column, 0 for every frame number, and no mask or caption if left out.

        Example:
            >>> images = np.zeros((2, 8, 8, 3), np.uint8)
            >>> len(Records.from_columns(image=images, label=[0, 1], domain=["swap", "swap"]))
            2
        """
        count = len(label)
        unknown = set(columns) - {*COLUMNS, "frame"}
        if unknown:
            raise ValueError(f"unknown columns {sorted(unknown)}; known: {[*COLUMNS, 'frame', 'mask', 'caption']}.")
        empty = np.zeros(count, _TEXT)
        text = {name: _column(name, columns.get(name, empty)) for name in COLUMNS}
        frame = np.asarray(columns.get("frame", np.zeros(count)), np.int32)
        image = image if isinstance(image, ImageFiles) else np.asarray(image)
        mask = None if mask is None else np.asarray(mask, np.uint8)
        said = None if caption is None else _column("caption", caption)
        return cls(image=image, label=np.asarray(label, np.int32), frame=frame, mask=mask, caption=said, **text)

    def take(self, rows) -> "Records":
        """The records at `rows` (indices or a boolean mask), as a new table."""
        return type(self)(**{name: column[rows] for name, column in self._columns().items()})

    def rows(self, **conditions) -> np.ndarray:
        """Row numbers, int64, where every named column equals its value (or is one of a list, tuple or set).

        Example:
            >>> images = np.zeros((3, 8, 8, 3), np.uint8)
            >>> records = Records.from_columns(image=images, label=[0, 1, 1], domain=["a", "a", "b"])
            >>> records.rows(domain="a", label=1).tolist()
            [1]
        """
        keep = np.ones(len(self), bool)
        for name, value in conditions.items():
            values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
            keep &= np.isin(getattr(self, name), values)
        return np.flatnonzero(keep)

    def where(self, **conditions) -> "Records":
        """The records that `rows(**conditions)` names, as a new table."""
        return self.take(self.rows(**conditions))

    def domains(self) -> list[str]:
        """The names of the domains, sorted."""
        return sorted(set(self.domain.tolist()))

    def by_domain(self) -> dict[str, np.ndarray]:
        """The row numbers of every domain, by its name, sorted by name."""
        names = self.domain.tolist()
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        codes = np.fromiter(map(numbers.__getitem__, names), np.int32, len(self))
        order, counts = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(numbers))
        parts = np.split(order, np.cumsum(counts)[:-1]) if numbers else []
        return dict(sorted(zip(numbers, parts, strict=True)))

    def people(self) -> np.ndarray:
        """Who is in each picture, shape `(records, 2)`: identity and donor; the identity twice if nobody gave."""
        return np.stack([self.identity, np.where(self.donor == "", self.identity, self.donor)], axis=1)

    def originals(self) -> np.ndarray:
        """The video that each record was made from, where that alone tells what belongs together.

        Where everybody in a pair is known, people tell, and nothing is given: they may be named apart on purpose.

        Returns:
            Text, shape `(records,)`: a record's `pair` before the last "#" if some record of this original has no
            identity, else "".

        Example:
            >>> images = np.zeros((3, 8, 8, 3), np.uint8)
            >>> records = Records.from_columns(image=images, label=[0, 1, 1], pair=["set/real/a#0", "set/real/a#5", ""])
            >>> records.originals().tolist()
            ['set/real/a', 'set/real/a', '']
        """
        unknown = (self.identity == "") & (self.pair != "")
        if not unknown.any():
            return np.zeros(len(self), _TEXT)
        names = [pair.rsplit("#", 1)[0] for pair in self.pair.tolist()]
        asked = {name for name, alone in zip(names, unknown.tolist(), strict=True) if alone}
        return np.array([name if name in asked else "" for name in names], _TEXT)


def _column(name: str, values) -> np.ndarray:
    try:
        return np.asarray(values, dtype=_TEXT)
    except UnicodeEncodeError as error:
        raise InputError(f"records: {name} {error.object!a} holds bytes that are no text. Rename it.") from None


def concatenate(tables: list[Records]) -> Records:
    """One table of several, in order. Images must be of one size, and all have masks or none, and captions or none.

    Raises:
        InputError: if there is no table, their image sizes differ, or some have masks or captions and others have not.
    """
    if not tables:
        raise InputError("records: nothing to concatenate. Give at least one table.")
    sizes = {table.image.shape[1:] for table in tables}
    if len(sizes) > 1:
        raise InputError(f"records: images of different sizes {sorted(sizes)}. Resize them to one size first.")
    for name in ("mask", "caption"):
        if len({getattr(table, name) is None for table in tables}) > 1:
            raise InputError(
                f"records: some tables have {name}s and others have not. Give them to all, or set {name}=None."
            )
    names = [name for name in tables[0]._columns() if name != "image"]
    images = [table.image for table in tables]
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in names}
    pixels = [image for image in images if isinstance(image, np.ndarray)]
    image = np.concatenate(pixels) if len(pixels) == len(images) else ImageFiles.concatenate(images)
    return Records(image=image, **columns)


def check_splits_are_disjoint(records: Records) -> None:
    """Holds the rule that splits share no video, no person and no file, and that a file has one label.

    Of people whom nobody named, a fake and its original (`Records.originals`) are held to be one. A file is one however
    it is spelt, and whatever links lead to it (`metaforge.data.copies.file_codes`).

    Raises:
        InputError: naming one video, person or file that stands in two splits, or a file that is real and fake.

    Example:
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> records = Records.from_columns(image=images, label=[0, 1], video=["a", "a"], split=["train", "test"])
        >>> check_splits_are_disjoint(records)
        Traceback (most recent call last):
        metaforge.errors.InputError: records: video 'a' is in the splits 'test' and 'train'. Split by person...
    """
    split = records.split.tolist()
    names = {
        "person": (records.identity, records.donor),
        "video": (records.video, records.originals()),
    }
    for kind, columns in names.items():
        home: dict[str, str] = {}
        for column in columns:
            # A set first: frames of one video repeat their names.
            for name, where in sorted(set(zip(column.tolist(), split, strict=True))):
                if name and home.setdefault(name, where) != where:
                    raise InputError(
                        f"records: {kind} '{name}' is in the splits '{home[name]}' and '{where}'. "
                        "Split by person and video before forging."
                    )
    if isinstance(records.image, ImageFiles):
        check_files(records.image, records.label, records.split)
