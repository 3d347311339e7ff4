"""Corrected pictures as a folder that `metaforge adapt` takes: real/ and fake/, with people and pairs kept together."""

import csv
import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from metaforge.data import crop_folder
from metaforge.data.images import printable
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL
from metaforge.screening.batches.summary import worst_face
from metaforge.screening.batches.triage import harmless
from metaforge.screening.reviewing.corrections import Correction
from metaforge.screening.target_images import set_aside
from metaforge.whole import claimed, whole_folder

TABLE = "corrections.csv"
"""Which file of the folder is which picture, and why it is there."""

_COLUMNS = ("path", "file", "sha256", "truth", "decision", "p_fake", "person", "note", "time")
_TO_TEST = 2
"""Images a class that `adapt` must be able to set aside."""


class Support(NamedTuple):
    """What was written: how many of each class, and whether the pictures are face crops."""

    real: int
    fake: int
    crops: bool


def places_of(kept: list[Correction]) -> dict[str, PurePosixPath]:
    """The path of each picture in the folder, by its SHA-256.

    `adapt` keeps what is in one subfolder together, and takes a fake and a real image of one path for a pair. So a
    person has a subfolder; without one, so have a real image and what was made from it. All else stands alone.

    Args:
        kept: corrections, one a picture.

    Raises:
        InputError: for a pair that is no corrected real image, or a real image that has one.
    """
    by_name = {one.record["file"]: one for one in kept} | {harmless(one.record["file"]): one for one in kept}
    partners: dict[str, Correction] = {}
    for one in kept:
        if not one.pair:
            continue
        partner = by_name.get(one.pair)
        if one.truth != "fake" or partner is None or partner.truth != "real":
            named = f"'{printable(one.pair)}' is the pair of '{printable(one.record['file'])}'"
            raise InputError(f"corrections: line {one.line}: {named}, but a pair is a fake and the real image that it "
                             "was made from, both corrected or confirmed.")  # fmt: skip
        partners[one.record["sha256"]] = partner
    origins = {partner.record["sha256"] for partner in partners.values()}
    found: dict[str, PurePosixPath] = {}
    for one in sorted(kept, key=lambda one: one.truth, reverse=True):  # the real ones first
        digest = one.record["sha256"]
        partner = partners.get(digest)
        first = partner or one
        name, folder = digest[:16], ""
        if first.person:
            folder = f"person-{hashlib.sha256(first.person.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
        elif partner or digest in origins:
            folder = f"pair-{first.record['sha256'][:12]}"
        wanted = found[partner.record["sha256"]].stem if partner else name
        suffix = PurePosixPath(one.record["file"]).suffix.lower()
        place = PurePosixPath(one.truth, folder, wanted + suffix)
        # Of several fakes of one image the first is its pair.
        taken = {path.with_suffix("") for path in found.values()}
        found[digest] = place if place.with_suffix("") not in taken else place.with_name(name + suffix)
    return found


def refuse_too_few(kept: list[Correction], places: dict[str, PurePosixPath], *, shots: int) -> None:
    """Holds that `adapt` can draw so many shots and test on others.

    Raises:
        InputError: when it cannot.
    """
    labels = np.array([FAKE if one.truth == "fake" else REAL for one in kept])
    paths = [places[one.record["sha256"]].relative_to(one.truth) for one in kept]
    groups = np.array([path.parts[0] if len(path.parts) > 1 else path.stem for path in paths])
    real, fake = (int((labels == kind).sum()) for kind in (REAL, FAKE))
    of = f"{real} real and {fake} fake pictures of {len(set(groups.tolist()))} people, pairs or files"
    least = f"{shots + _TO_TEST} of each, or that many real ones alone"
    few = InputError(f"corrections: {of} are too few to adapt on {shots} a class and test on others ({least}). "
                     "Correct or confirm more, or lower `shots`.")  # fmt: skip
    if not real:
        raise few
    try:
        # As adapt does it unless it is told otherwise.
        set_aside(labels, groups, shots=shots, share=0.5, seed=0)
    except InputError:
        raise few from None


def write_support(kept: list[Correction], out: str, *, images: str, shots: int) -> Support:
    """Copies the pictures to a new folder, each byte as it was judged.

    Args:
        kept: corrections, one a picture.
        out: the folder; must not exist yet.

    Other Arguments:
        images: the folder that names are relative to.
        shots: labelled images a class that it must suffice for.

    Raises:
        InputError: if they are too few, or a picture is not there or is another one by now.
    """
    places = places_of(kept)
    refuse_too_few(kept, places, shots=shots)
    faces = [worst_face(one.record) for one in kept]
    # A face without a number was not looked for.
    crops = any(face is not None and face["number"] == 0 for face in faces)
    with claimed(out), whole_folder(out) as made:
        for one in kept:
            path = made / places[one.record["sha256"]]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_content(one.record, images))
        _write_table(made / TABLE, kept, places)
        if crop := crop_folder.crop_of(Path(images)):
            sizes = [one.record["size"][0] for one in kept]
            crop_folder.mark(made, crop=crop, size=max(sizes))
    counts = [one.truth for one in kept]
    return Support(counts.count("real"), counts.count("fake"), crops)


def _content(record: dict, images: str) -> bytes:
    path = os.path.join(images, record["file"])
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"images: '{printable(path)}' cannot be read ({error.strerror}). Give the folder that "
                         "names in the results are relative to.") from None  # fmt: skip
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise InputError(f"images: '{printable(path)}' is another file than was judged: its SHA-256 differs.")
    return content


def _write_table(path: Path, kept: list[Correction], places: dict[str, PurePosixPath]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for one in kept:
            record = one.record
            said = [harmless(record["file"]), record["sha256"], one.truth, record["decision"], record["p_fake"]]
            rest = [harmless(text) for text in (one.person, one.note, one.time)]
            writer.writerow([places[record["sha256"]].as_posix(), *said, *rest])
