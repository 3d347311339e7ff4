"""The images of a target: labelled ones with their groups, what is set aside of them, and real ones beside them."""

import collections
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

import metaforge as mf
from metaforge.data.copies import each_once
from metaforge.data.crops import Crop
from metaforge.data.folders import ImageFolder, read_folder
from metaforge.data.held import together
from metaforge.errors import InputError
from metaforge.screening import closed_form, from_run

CLASSES = ("real", "fake")
"""The folders of a target."""


def classes_of(folder: str, *, rule: str) -> tuple[str, ...]:
    """The folders that a target has: real/ and fake/, or for the rule "discriminant" real/ alone.

    Raises:
        InputError: when one is missing that the rule needs.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"target: no folder '{folder}'. Give one that holds real/ and fake/.")
    missing = [name for name in CLASSES if not (root / name).is_dir()]
    if missing == ["fake"] and rule == "discriminant":
        return CLASSES[:1]
    if missing == ["fake"]:
        raise InputError(f"target: '{folder}' has no subfolder 'fake', and the rule '{rule}' needs fakes. Give some; "
                         "--rule=discriminant alone does without, of a run that was trained with it.")  # fmt: skip
    if missing:
        raise InputError(f"target: '{folder}' has no subfolder '{missing[0]}'. It needs real/ and fake/ with images in "
                         "both.")  # fmt: skip
    return CLASSES


def read_target(
    folder: str, *, size: int, crop: Crop | None = None, quiet: bool = True, classes: Sequence[str] = CLASSES
):
    """Images, labels and groups of FOLDER/real and FOLDER/fake, files left out, how many are doubtful, and stems.

    A stem is an image's path in its class's folder, without the suffix: a fake has that of the real image that it was
    made from. Of the doubtful it is said why.

    Images in one subfolder, or with one file name (a fake and the real it was made from), form a group, which is never
    parted between support and test. What a detector sees of a picture counts once: of copies the first is taken, and
    their groups are one; what is in real/ and in fake/ has no label, and is left out. `classes` are of `classes_of`.
    """
    root = Path(folder)
    parts: list[ImageFolder] = [
        read_folder(root / name, size=size, what=f"target {name}", crop=crop, quiet=quiet) for name in classes
    ]
    labels = np.repeat([mf.REAL, mf.FAKE][: len(parts)], [len(part.names) for part in parts])
    groups = [n.split("/")[0] if "/" in n else n.rsplit(".", 1)[0] for part in parts for n in part.names]
    stems = np.array([str(PurePosixPath(n).with_suffix("")) for part in parts for n in part.names])
    skipped = [
        skip._replace(path=f"{name}/{skip.path}")
        for name, part in zip(classes, parts, strict=True)
        for skip in part.skipped
    ]
    images = together([part.images for part in parts])
    named = [f"{name}/{each}" for name, part in zip(classes, parts, strict=True) for each in part.names]
    once = each_once(images, labels, np.array(groups), named)
    labels = labels[once.rows]
    for label, name in enumerate(classes):
        if label not in labels:
            first = next(skip for skip in once.left if skip.path.startswith(f"{name}/"))
            raise InputError(f"target: '{folder}' has no {name} image of its own. The first, '{first.path}': "
                             f"{first.reason}")  # fmt: skip
    notes = [part.notes[place] for part in parts for place in range(len(part.names))]
    doubtful = collections.Counter(notes[row] for row in once.rows.tolist() if notes[row])
    doubts = dict(sorted(doubtful.items()))
    return images[once.rows], labels, once.groups[once.rows], skipped + once.left, doubts, stems[once.rows]


def read_unlabelled(
    folder: str, images: Any, labels: np.ndarray, test: np.ndarray, *, size: int, crop: Crop | None
) -> np.ndarray | None:
    """The real images of `--unlabelled`, without those that the support set may hold; `None` where none are asked for.

    Of more than `closed_form.MOST_UNLABELLED` a fixed draw is taken.

    Raises:
        InputError: when one of them is judged on, or is a fake of the target, or when none is left.
    """
    if not folder:
        return None
    found = read_folder(folder, size=size, what="unlabelled", crop=crop, quiet=False)
    theirs, ours = from_run.digests(found.images), np.array(from_run.digests(images))
    for name, digest in zip(found.names, theirs, strict=True):
        for row in np.flatnonzero(ours == digest):
            if row in test or labels[row] == mf.FAKE:
                what = "is judged on" if row in test else "is a fake of the target"
                raise InputError(f"--unlabelled: '{folder}/{name}' {what}. Give a folder of other images.")
    rows = np.flatnonzero(~np.isin(theirs, ours))
    if not len(rows):
        raise InputError(f"--unlabelled: all images of '{folder}' are in the target too. Give another folder.")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[: closed_form.MOST_UNLABELLED])
    return found.images[rows]


def set_aside(
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    shots: int,
    share: float,
    seed: int,
    seen: Sequence[str] | np.ndarray = (),
):
    """Row numbers of the pool that support sets are drawn from, and of the test set; no group is in both.

    Groups that hold an image that was adapted on before (`seen`) are not tested on. Where no image is fake, real ones
    are all that there are to be enough of.
    """
    classes = np.unique(labels)
    names = np.setdiff1d(groups, seen)
    for attempt in range(100):
        order = np.random.default_rng([seed, attempt]).permutation(names)
        test = np.isin(groups, order[: max(1, round(share * len(names)))])
        pool_counts, test_counts = (np.bincount(labels[part], minlength=2)[classes] for part in (~test, test))
        # Intervals resample groups, and of one there is nothing to resample.
        if pool_counts.min() >= shots and test_counts.min() >= 2 and len(np.unique(groups[test])) >= 2:
            return np.flatnonzero(~test), np.flatnonzero(test)
    real, fake = np.bincount(labels, minlength=2)
    found = f"{real} real and {fake} fake images" if fake else f"{real} real images"
    but = f" ({len(set(seen))} of them adapted on before, and not to be tested on)" if len(seen) else ""
    raise InputError(
        f"target: {found} in {len(np.unique(groups))} groups{but} are too few for {shots} shots"
        f"{' a class' if fake else ''} and a test set apart from them. Lower --shots or --test_share, or give more "
        "images."
    )
