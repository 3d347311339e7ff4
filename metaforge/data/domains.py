"""What a task is: domains as filters over one table, and a test split that training code cannot hold."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from metaforge.data.copies import file_codes
from metaforge.data.files import ImageFiles
from metaforge.data.records import Records, check_splits_are_disjoint
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

SourceSplit = Literal["train", "validation"]
"""The splits that training and selection may see. There is no third: `TestSplit` is not `Records`."""


class TestSplit:
    """Images to be judged on, and nothing else: they can be scored, not trained on.

    Code that learns takes `Records`; this is none, has no images to hand out, and a type checker says so. What it
    gives is what a report needs: scores in, and labels, videos and people beside them.
    """

    __test__ = False  # not a test of pytest's

    def __init__(self, records: Records):
        """Seals the records."""
        self.__records = records
        self.label, self.method, self.video, self.identity = (
            records.label, records.method, records.video, records.identity,
        )  # fmt: skip

    def __len__(self) -> int:
        """The number of images."""
        return len(self.label)

    def only(self, methods: Sequence[str]) -> "TestSplit":
        """The fakes of some methods, and the real images.

        Raises:
            InputError: when a method has no fakes here.
        """
        records = self.__records
        for name in methods:
            if not len(records.rows(label=FAKE, method=name)):
                raise InputError(f"test split: no fakes of method '{name}'. Prepare the data with it.")
        keep = (records.label == REAL) | np.isin(records.method, list(methods))
        return TestSplit(records.take(np.flatnonzero(keep)))

    def shared(self, records: Records) -> str:
        """A file of a table that is judged here too, by whatever name (`metaforge.data.copies.file_codes`), or "".

        Of images in memory, which have no names, nothing is asked.
        """
        ours, theirs = self.__records.image, records.image
        if not (isinstance(ours, ImageFiles) and isinstance(theirs, ImageFiles)):
            return ""
        both = np.flatnonzero(np.isin(file_codes(theirs), file_codes(ours)))
        return str(theirs.paths[both[0]]) if len(both) else ""

    def score(
        self, scorer: Callable[[np.ndarray], np.ndarray], *, batch: int = 1024, deal: int | None = None
    ) -> np.ndarray:
        """p(fake) of every image, float64, shape `(images,)`, by a function of uint8 images `(n, size, size, 3)`.

        A function of several detectors may give `(n, detectors)`; scores then have the shape `(images, detectors)`.

        Args:
            scorer: the function. It is given each image once, and never all of them: they are read and let go.

        Other Arguments:
            batch: the most images that it is given at once, at least 1.
            deal: for a detector whose scores depend on the batch: a seed, by which the images are dealt to batches of
                nearly one size at random, the same every time. `None` takes them in their order.
        """
        image = self.__records.image
        order = np.arange(len(self)) if deal is None else np.random.default_rng(deal).permutation(len(self))
        parts = np.array_split(order, max(1, -(-len(self) // batch)))
        scores = np.zeros(len(self))
        for rows in parts if len(self) else ():
            part = np.asarray(scorer(np.asarray(image[rows])))
            if part.ndim > scores.ndim:
                scores = np.zeros((len(self), *part.shape[1:]))
            scores[rows] = part
        return scores

    def score_episodes(
        self, scorer: Callable[[slice, np.ndarray], np.ndarray], rows: np.ndarray, *, block: int = 20
    ) -> np.ndarray:
        """Scores of the query images of many episodes.

        Args:
            scorer: which episodes, and their images uint8 `(episodes, queries, size, size, 3)`, to an array whose
                second to last axis is episodes and whose last is queries.
            rows: the row numbers of each episode's images, shape `(episodes, queries)`.

        Other Arguments:
            block: episodes at a time; they must divide evenly, so that one program does for all.
        """
        image = self.__records.image
        parts = [slice(at, at + block) for at in range(0, len(rows), block)]
        return np.concatenate([scorer(part, np.asarray(image[rows[part]])) for part in parts], axis=-2)


class Splits(NamedTuple):
    """The three parts of a table: `train` and `validation` are `Records`, `test` is a `TestSplit`."""

    train: Records
    validation: Records
    test: TestSplit


def split(records: Records) -> Splits:
    """Takes a table apart by its column `split`, after holding that no video and no person is in two of them.

    Args:
        records: each with a split; `metaforge prepare --dataset=face_folder` draws splits for a list of files.

    Raises:
        InputError: when a video or person is in two, a file is in two or has two labels, or a record has no split.

    Example:
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> parts = split(Records.from_columns(image=images, label=[0, 1], split=["train", "test"]))
        >>> len(parts.train), len(parts.validation), len(parts.test)
        (1, 0, 1)
    """
    lacking = np.flatnonzero(records.split == "")
    if len(lacking):
        file = f", the first '{records.image.paths[lacking[0]]}'" if isinstance(records.image, ImageFiles) else ""
        raise InputError(
            f"split: {len(lacking)} of {len(records)} images are in no split{file}. Write train, validation or test "
            "into the column 'split', by person; or let metaforge prepare draw them (data set face_folder)."
        )
    check_splits_are_disjoint(records)
    train, validation, test = (records.where(split=name) for name in ("train", "validation", "test"))
    return Splits(train, validation, TestSplit(test))


def by_method(records: Records, methods: Sequence[str] | None = None, *, prefix: str = "") -> Records:
    """A table in which each forgery method is a domain: its fakes, and the real images beside them.

    Real images belong to every method of their data set, so they stand in the table once for each (files are not
    copied). Where fakes share a `pair` with the real image that they were made from, a domain has the videos of those
    real ones, all of their frames; else all real images.

    Args:
        records: of one data set.
        methods: which; all by default.

    Other Arguments:
        prefix: put before the method's name, which is the domain's too: methods of several data sets are told apart.

    Raises:
        InputError: when a method has no fakes, naming those that have.

    Example:
        >>> images = np.zeros((3, 8, 8, 3), np.uint8)
        >>> records = Records.from_columns(image=images, label=[0, 1, 1], method=["real", "a", "b"])
        >>> domains = by_method(records)
        >>> [(d, int(l)) for d, l in zip(domains.domain, domains.label)]
        [('a', 0), ('a', 1), ('b', 0), ('b', 1)]
    """
    known = sorted(set(records.method[records.label == FAKE].tolist()))
    wanted = list(known if methods is None else methods)
    for name in wanted:
        if name not in known:
            raise InputError(f"domains: no fakes of method '{name}'; there are: {', '.join(known) or 'none'}.")
    real = records.rows(label=REAL)
    rows, domain, method = [], [], []
    for name in wanted:
        fakes = records.rows(label=FAKE, method=name)
        sources = set(records.pair[fakes].tolist()) - {""}
        named = list(zip(records.pair[real].tolist(), records.video[real].tolist(), strict=True))
        videos = {video for pair, video in named if pair in sources} - {""}
        beside = np.array([pair in sources or video in videos for pair, video in named], bool)
        rows += [real[beside] if beside.any() else real, fakes]
        domain += [f"{prefix}{name}"] * (len(rows[-2]) + len(rows[-1]))
        method += [*records.method[rows[-2]].tolist(), *[f"{prefix}{name}"] * len(rows[-1])]
    table = records.take(np.concatenate(rows)) if rows else records.take(np.zeros(0, int))
    text = np.dtypes.StringDType()
    return dataclasses.replace(table, domain=np.array(domain, text), method=np.array(method, text))


def spread_frames(records: Records, frames: int) -> Records:
    """At most `frames` images of every video, spread evenly over it: never its first ones.

    Of a real video and its fakes (what `pair` says before its last "#"), those that all of them have come first, so
    that pairs stay together; what is lacking is filled up out of each video's own.

    Example:
        >>> images = np.zeros((5, 8, 8, 3), np.uint8)
        >>> records = Records.from_columns(image=images, label=[0] * 5, video=["v"] * 5, frame=[0, 10, 20, 30, 40])
        >>> spread_frames(records, 3).frame.tolist()
        [0, 20, 40]
    """
    number = records.frame.tolist()
    units: dict[str, dict[str, list[int]]] = {}
    home: dict[str, dict[str, list[int]]] = {}
    for row, (video, pair) in enumerate(zip(records.video.tolist(), records.pair.tolist(), strict=True)):
        if video not in home:
            home[video] = units.setdefault(pair.rpartition("#")[0] or video, {})
        home[video].setdefault(video, []).append(row)
    kept = []
    for videos in units.values():
        common = set.intersection(*({number[row] for row in rows} for rows in videos.values()))
        for rows in videos.values():
            ordered = sorted(rows, key=number.__getitem__)
            first = _spread([row for row in ordered if number[row] in common], frames)
            kept += first + _spread([row for row in ordered if number[row] not in common], frames - len(first))
    return records.take(np.array(sorted(kept), np.int64))


def _spread(rows: list[int], count: int) -> list[int]:
    return [rows[place] for place in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def clusters(test: TestSplit) -> np.ndarray:
    """Whose every image is: people, or videos where people are unknown."""
    return np.where(test.identity == "", test.video, test.identity)
