"""FaceForensics++ with FaceShifter and DeepFakeDetection: swaps and re-enactments between pairs of YouTube videos."""

import re
from collections.abc import Sequence
from pathlib import Path

from metaforge.data.catalogues._base import (
    SPLITS,
    Catalogue,
    Finding,
    Found,
    Split,
    Video,
    catalogue,
    report_missing,
    report_unlisted,
)
from metaforge.data.catalogues._scan import File, check_root, read_json, videos_in
from metaforge.data.catalogues._splits import keep_whole
from metaforge.data.images import FilePath
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

NAME = "faceforensics"
ACTORS = "DeepFakeDetection"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", ACTORS)

_FOLDERS = {"c0": ("c0", "raw"), "raw": ("c0", "raw"), "c23": ("c23",), "c40": ("c40",)}
_LISTS: dict[Split, str] = {"train": "train.json", "validation": "val.json", "test": "test.json"}


def faceforensics(root: FilePath, *, compression: str = "c23", methods: Sequence[str] = METHODS) -> Catalogue:
    """The videos of FaceForensics++.

    The owners' lists hold pairs of ids: `["071", "054"]` stands for the real videos 071 and 054 and, for every method,
    the fakes 071_054 and 054_071. Of a fake `T_S`, T is the scene (identity), S the source (donor).

    DeepFakeDetection has no official split, and shows its actors in many scenes: all of it is "test". Its people are
    "faceforensics/actor01" and so on.

    Masks are taken where they are. They mean something else for each method: a rectangle around the face (Deepfakes),
    the rendered region (Face2Face, FaceSwap), the tracked region (NeuralTextures), a network's raw output
    (DeepFakeDetection). There are none for FaceShifter.

    Args:
        root: the folder with `original_sequences` and `manipulated_sequences`.

    Other Arguments:
        compression: "c0" (or "raw"), "c23" or "c40".
        methods: which of `METHODS`.

    Raises:
        InputError: when a list of pairs, or everything else, is missing; or an option is unknown.

    References:
        Rössler et al., *FaceForensics++: Learning to Detect Manipulated Facial Images*, 2019.
    """
    if compression not in _FOLDERS:
        raise InputError(f"{NAME}: compression '{compression}' is not one of c0 (raw), c23, c40.")
    for method in methods:
        if method not in METHODS:
            raise InputError(f"{NAME}: method '{method}' is not one of {', '.join(METHODS)}.")
    folder = check_root(NAME, root, "original_sequences and manipulated_sequences")
    findings: list[Finding] = []
    found: list[Found] = []
    pairwise = [method for method in METHODS if method in methods and method != ACTORS]
    if pairwise:
        found += _pairwise(folder, compression, pairwise, findings)
    if ACTORS in methods:
        found += _actors(folder, compression, findings)
    return catalogue(NAME, root, found, findings)


def reals(root: Path, compression: str, findings: list[Finding]) -> tuple[str, list[File]]:
    """The folder of the YouTube videos, and those that are in it; `stem` is the id."""
    return _videos(root, "original_sequences/youtube", compression, findings)


def _pairwise(root: Path, compression: str, methods: Sequence[str], findings: list[Finding]) -> list[Found]:
    pairs = _read_lists(root, findings)
    homes: dict[str, Split] = {name: split for pair, split in pairs.items() for name in pair}
    swaps: dict[str, tuple[str, str, Split]] = {
        f"{a}_{b}": (a, b, split) for pair, split in pairs.items() for a, b in (pair, pair[::-1])
    }
    home: dict[str, Split] = {f"{NAME}/{name}": split for name, split in homes.items()}
    code = "c0" if compression == "raw" else compression
    where, files = reals(root, compression, findings)
    report_missing(where, [f"{name}.mp4" for name in homes], (f"{file.stem}.mp4" for file in files), findings)
    report_unlisted(where, [file.path for file in files if file.stem not in homes], findings)
    found = []
    for file in files:
        if file.stem in homes:
            row = Video(file.path, REAL, NAME, "real", file.stem, f"{NAME}/{file.stem}", split=homes[file.stem])
            found.append(Found(row._replace(compression=code), file.bytes))
    for method in methods:
        where, files = _videos(root, f"manipulated_sequences/{method}", compression, findings)
        report_missing(where, [f"{name}.mp4" for name in swaps], (f"{file.stem}.mp4" for file in files), findings)
        report_unlisted(where, [file.path for file in files if file.stem not in swaps], findings)
        masks = _masks(root, method, findings)
        for file in files:
            if file.stem in swaps:
                scene, source, split = swaps[file.stem]
                row = Video(
                    file.path, FAKE, NAME, method, file.stem, f"{NAME}/{scene}", f"{NAME}/{source}",
                    f"{NAME}/real/{scene}", code, split, masks.get(file.stem, ""),
                )  # fmt: skip
                found.append(Found(row, file.bytes))
    return keep_whole(found, home, findings)


def _actors(root: Path, compression: str, findings: list[Finding]) -> list[Found]:
    code = "c0" if compression == "raw" else compression
    found = []
    where, files = _videos(root, "original_sequences/actors", compression, findings)
    _none(where, files, findings)
    odd = [file.path for file in files if not re.fullmatch(r"\d+__.+", file.stem)]
    for file in files:
        if file.path not in odd:
            row = Video(file.path, REAL, NAME, "real", file.stem, _actor(file.stem.split("__")[0]), split="test")
            found.append(Found(row._replace(compression=code), file.bytes))
    report_unlisted(where, odd, findings, why="are not called <actor>__<scene>")
    where, files = _videos(root, f"manipulated_sequences/{ACTORS}", compression, findings)
    _none(where, files, findings)
    masks, odd = _masks(root, ACTORS, findings), []
    for file in files:
        name = re.fullmatch(r"(\d+)_(\d+)__(.+)__[^_]+", file.stem)
        if name is None:
            odd.append(file.path)
            continue
        target, source, scene = name.groups()
        row = Video(
            file.path, FAKE, NAME, ACTORS, file.stem, _actor(target), _actor(source),
            f"{NAME}/real/{target}__{scene}", code, "test", masks.get(file.stem, ""),
        )  # fmt: skip
        found.append(Found(row, file.bytes))
    report_unlisted(where, odd, findings, why="are not called <target>_<source>__<scene>__<id>")
    return found


def _actor(number: str) -> str:
    return f"{NAME}/actor{number}"


def _none(where: str, files: list[File], findings: list[Finding]) -> None:
    if not files:
        text = f"no video is here. Download it, or leave {ACTORS} out of the methods."
        findings.append(Finding("missing", where, text))


def _videos(root: Path, base: str, compression: str, findings: list[Finding]) -> tuple[str, list[File]]:
    """Uncompressed videos lie in a folder `raw` or `c0`."""
    folders = [f"{base}/{name}/videos" for name in _FOLDERS[compression]]
    where = next((folder for folder in folders if (root / folder).is_dir()), folders[0])
    return where, videos_in(root, where, findings)


def _masks(root: Path, method: str, findings: list[Finding]) -> dict[str, str]:
    files = videos_in(root, f"manipulated_sequences/{method}/masks/videos", findings)
    return {file.stem: file.path for file in files if file.bytes > 0}


def _read_lists(root: Path, findings: list[Finding]) -> dict[tuple[str, str], Split]:
    """Pairs of ids to their split; a pair or an id that is in two of them belongs to the stricter."""
    pairs: dict[tuple[str, str], Split] = {}
    homes: dict[str, Split] = {}
    for split in SPLITS:
        name = _LISTS[split]
        path = next(
            (root / each for each in (name, f"splits/{name}", f"dataset/splits/{name}") if (root / each).is_file()),
            None,
        )
        if path is None:
            raise InputError(
                f"{NAME}: no {name} in '{root.as_posix()}' or in its folder splits. "
                "Copy train.json, val.json and test.json there from dataset/splits of the owners' repository."
            )
        for a, b in _read_pairs(path):
            if {homes.setdefault(a, split), homes.setdefault(b, split)} != {split}:
                text = f"the pair {a}, {b} is left out: one of them is in another list too. Get the lists anew."
                findings.append(Finding("overlap", path.relative_to(root).as_posix(), text))
            else:
                pairs[a, b] = split
    return pairs


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        pairs = [(f"{int(a):03d}", f"{int(b):03d}") for a, b in read_json(path)]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{NAME}: '{path.as_posix()}' is no list of pairs of ids, such as 071 and 054. Get it anew."
        ) from error
    if not pairs:
        raise InputError(f"{NAME}: '{path.as_posix()}' is empty. Get it anew.")
    return pairs
