"""Images that stay on the disk: an array to look at, decoded when its pixels are asked for."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from metaforge.data.images import FilePath, read_image, square
from metaforge.errors import InputError

_AHEAD = 256  # files that are asked for at once: a bad one stops the rest, and a million wait in no queue


class ImageFiles:
    """Image files that behave as one uint8 array, shape `(..., size, size, 3)`.

    Indexing gives fewer files and reads nothing; `np.asarray` decodes. So a table of a million images fits in memory,
    and an episode reads only its own.

    Args:
        paths: of the files below `root`, with "/" between folders, any shape. They say which images these are wherever
            the folders lie, and a run remembers its images by them.

    Other Arguments:
        root: the folder that they are in; or several, by the name that a path begins with.
        size: side of the images, in pixels: larger or smaller ones are resized, as by `metaforge.data.images.square`.
        threads: how many decode at once.

    Raises:
        InputError: when pixels are asked for and a file cannot be read; it names the file.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (8, 8), (255, 0, 0)).save(Path(folder, "red.png"))
        ...     images = ImageFiles(["red.png", "red.png", "red.png"], root=folder, size=4)
        ...     images.shape, np.asarray(images[1:])[0, 0, 0].tolist()
        ((3, 4, 4, 3), [255, 0, 0])
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths, *, root: FilePath | Mapping[str, FilePath] = ".", size: int, threads: int = 4):
        """Keeps the names; nothing is opened."""
        self.paths = np.asarray(paths, dtype=np.dtypes.StringDType())
        self.root = {name: Path(folder) for name, folder in root.items()} if isinstance(root, Mapping) else Path(root)
        self.size, self.threads = size, threads

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the decoded array would have."""
        return (*self.paths.shape, self.size, self.size, 3)

    def __len__(self) -> int:
        """The length of the leading axis."""
        return len(self.paths)

    def __getitem__(self, rows) -> "ImageFiles":
        """Some of the files: indices, a slice or a mask of the leading axes."""
        return ImageFiles(self.paths[rows], root=self.root, size=self.size, threads=self.threads)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Decodes all of them."""
        names = self.paths.ravel()
        found = np.empty((names.size, self.size, self.size, 3), np.uint8)

        def read(place: int, name: str):
            found[place] = self._read(name)

        with ThreadPoolExecutor(self.threads) as pool:
            for start in range(0, names.size, _AHEAD):
                some = names[start : start + _AHEAD].tolist()
                for _ in pool.map(read, range(start, start + len(some)), some):
                    pass
        return found.reshape(self.shape).astype(dtype or np.uint8, copy=False)

    def _read(self, name: str) -> np.ndarray:
        image = read_image(self.place(name))
        return image if image.shape[:2] == (self.size, self.size) else square(image, size=self.size)

    def place(self, name: str) -> str:
        """Where the file of a name lies."""
        if isinstance(self.root, Path):
            return f"{self.root}/{name}"
        folder, _, rest = name.partition("/")
        return f"{self.root[folder]}/{rest}"

    def _folders(self) -> dict[str, Path]:
        """The folders by name, each as a place that stays when the process goes to another one."""
        if isinstance(self.root, Path):
            return {os.path.basename(os.path.abspath(self.root)): self.root.resolve()}
        return {name: folder.resolve() for name, folder in self.root.items()}

    @staticmethod
    def concatenate(parts: Sequence["np.ndarray | ImageFiles"]) -> "ImageFiles":
        """One table of several, in order. Where they are of several folders, paths begin with the folder's name.

        Raises:
            InputError: when some are files and others are pixels, their sizes differ, or two folders have one name.
        """
        files = [part for part in parts if isinstance(part, ImageFiles)]
        if len(files) < len(parts) or len({part.size for part in files}) > 1:
            raise InputError(
                "records: some images are files and others are not. Read them all in one way, in one size."
            )
        first = files[0]
        if all(part.root == first.root for part in files):
            paths = np.concatenate([part.paths for part in files])
            return ImageFiles(paths, root=first.root, size=first.size, threads=first.threads)
        folders: dict[str, Path] = {}
        for name, folder in (each for part in files for each in part._folders().items()):
            if folders.setdefault(name, folder) != folder:
                raise InputError(f"records: '{folders[name]}' and '{folder}' have one name. Rename one of the folders.")
        paths = np.concatenate([part._named() for part in files])
        return ImageFiles(paths, root=folders, size=first.size, threads=first.threads)

    def _named(self) -> np.ndarray:
        if not isinstance(self.root, Path):
            return self.paths
        (name,) = self._folders()
        return np.strings.add(f"{name}/", self.paths)


def distinct(images: np.ndarray | ImageFiles) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a table's images, each file once, and which of them every row shows.

    A real image stands in the table of every method of its data set; in memory it need stand once.

    Returns:
        uint8 `(images, size, size, 3)`, and int32 `(rows,)` into it.
    """
    if not isinstance(images, ImageFiles):
        return images, np.arange(len(images), dtype=np.int32)
    numbers: dict[str, int] = {}
    index = [numbers.setdefault(path, len(numbers)) for path in images.paths.tolist()]
    once = ImageFiles(list(numbers), root=images.root, size=images.size, threads=images.threads)
    return np.asarray(once), np.array(index, np.int32)
