"""Whether prepared data are the owners' data set as a table names it: only then a paper's numbers stand beside ours."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from metaforge.evaluation.protocols import Cell

SHARE = 0.95
"""Of the owners' videos, at least so many must be there: some show no face, and some links have died."""


class Whole(NamedTuple):
    """A data set as its owners hand it out.

    Attributes:
        videos: how many there are, by split and by method, of which "real" is one; all together stand under "".
        settings: what `metaforge prepare` must have been asked for.
        defaults: what it takes where it was asked for nothing; `metaforge.data.catalogues` says the same.
        faces: whether it is handed out as faces, so that none need be looked for.
    """

    videos: Mapping[str, Mapping[str, int]]
    settings: Mapping[str, str] = {}
    defaults: Mapping[str, str] = {}
    faces: bool = False


def _each(count: int) -> dict[str, int]:
    methods = ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
    return dict.fromkeys(methods, count)


WHOLE: dict[str, Whole] = {
    "faceforensics": Whole(
        {"train": _each(720), "validation": _each(140), "test": _each(140)}, defaults={"compression": "c23"}
    ),
    "celeb_df": Whole(
        {"test": {"real": 178, "Celeb-synthesis": 340}}, settings={"version": "v2"}, defaults={"version": "v2"}
    ),
    "dfdc": Whole({"test": {"real": 2500, "DFDC": 2500}}, settings={"subset": "test"}, defaults={"subset": "train"}),
    "wild_deepfake": Whole({"": {"": 7314}}, faces=True),
}
"""The data sets whose size is published: of the split that tables are made of, or of all where it says nothing."""

_SETTINGS = ("compression", "version", "subset")


def prepared_with(provenance: Mapping[str, Any], setting: str) -> str:
    """What prepared data were asked to be, with the data set's default where nothing was asked for.

    Args:
        provenance: what `metaforge prepare` wrote beside the images.
        setting: "compression", "version" or "subset".

    Returns:
        Such as "c23"; "" if it is not known, as of a folder without provenance, or if the data set has no such setting.

    Example:
        >>> prepared_with({"dataset": "faceforensics", "compression": ""}, "compression")
        'c23'
        >>> prepared_with({"dataset": "faceforensics"}, "compression"), prepared_with({}, "compression")
        ('', '')
    """
    whole = WHOLE.get(provenance.get("dataset", ""))
    if whole is None or setting not in provenance:
        return ""
    found = provenance[setting] or whole.defaults.get(setting, "")
    return "c0" if found == "raw" else found


def shortcomings(provenance: Mapping[str, Any], *, methods: Sequence[str] = (), compression: str = "") -> list[str]:
    """What keeps prepared data from being the owners' data set, in words; nothing if they are it.

    They are if `metaforge prepare` made them of a data set of `WHOLE`, asked for the version and the compression that
    the table means, with face crops of a known number of frames, and at least 95 % of the owners' videos are there, of
    the real ones and of each method.

    Args:
        provenance: what `metaforge prepare` wrote beside the images.

    Other Arguments:
        methods: the forgery methods that the table takes; all if empty.
        compression: what the table means, such as "c40"; "" for data sets that have one form.

    Example:
        >>> counts = {"test": {"real": {"videos": 178}, "Celeb-synthesis": {"videos": 100}}}
        >>> found = {"dataset": "celeb_df", "version": "", "frames": 32, "crop": "ffpp", "counts": counts}
        >>> shortcomings(found)
        ['100 of 340 test videos of Celeb-synthesis']
    """
    whole = WHOLE.get(provenance.get("dataset", ""))
    if whole is None:
        return ["a data set of unknown size"]
    found = []
    wanted = dict(whole.settings) | ({"compression": compression} if compression else {})
    for setting, value in wanted.items():
        there = prepared_with(provenance, setting)
        if there != value:
            found.append(f"{setting} {there or 'not known'} instead of {value}")
    if not provenance.get("frames") or not provenance.get("crop"):
        found.append("frames or crop not known")
    elif provenance["crop"] == "whole" and not whole.faces:
        found.append("whole frames instead of faces")
    return found + _lacking(whole, provenance.get("counts", {}), methods)


def _lacking(whole: Whole, counts: Mapping[str, Any], methods: Sequence[str]) -> list[str]:
    found = []
    for split, of_method in whole.videos.items():
        parts = [counts.get(split, {})] if split else list(counts.values())

        def there(method: str, parts=parts) -> int:
            return sum(part.get(method, {}).get("videos", 0) for part in parts)

        if "" in of_method:
            number = sum(there(method) for method in {name for part in parts for name in part})
            if not SHARE * of_method[""] <= number <= of_method[""]:
                found.append(f"{number} of {of_method['']} videos")
            found += [f"no video of {method}" for method in methods if not there(method)]
            continue
        for method in ("real", *(methods or [name for name in of_method if name != "real"])):
            what = f"{split} videos of {method}"
            if method not in of_method:
                found.append(f"{what}, of unknown number")
            elif not SHARE * of_method[method] <= there(method) <= of_method[method]:
                found.append(f"{there(method)} of {of_method[method]} {what}")
    return found


def is_official(provenance: Mapping[str, Any], *, methods: Sequence[str] = (), compression: str = "") -> bool:
    """Whether prepared data are the owners' data set: there are no `shortcomings`, of the same arguments."""
    return not shortcomings(provenance, methods=methods, compression=compression)


def unofficial(cells: Sequence[Cell], provenance: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What keeps a table's data from being those that a paper's table was made of, in words; nothing if they are.

    Papers leave open how many frames of a video they took and how they cut out faces; so do we, but in one table all
    data sets must be prepared alike, but for those that are handed out as faces.

    Args:
        cells: the table's.
        provenance: what `metaforge prepare` wrote beside the images, by folder.

    Returns:
        Lines such as "celeb_df: 100 of 340 test videos of Celeb-synthesis", in the order of the cells.

    Example:
        >>> from metaforge.evaluation.protocols import PROTOCOLS
        >>> unofficial(PROTOCOLS["daml_table1"].cells, {"faceforensics_c23": {}, "faceforensics_c40": {}})[0]
        'faceforensics_c23: a data set of unknown size'
    """
    asked = list(dict.fromkeys(domains for cell in cells for domains in (cell.source, cell.target)))
    found = [
        f"{domains.folder}: {reason}"
        for domains in asked
        for reason in shortcomings(provenance[domains.folder], methods=domains.methods, compression=domains.compression)
    ]
    known = [provenance[domains.folder] for domains in asked if provenance[domains.folder].get("dataset") in WHOLE]
    cut = [one for one in known if not WHOLE[one["dataset"]].faces]
    rules = {
        "frames of a video": {one.get("frames", 0) for one in known},
        "crops": {f"{one.get('crop') or 'unknown'} of {one.get('size', 0)} pixels" for one in cut},
    }
    for what, values in rules.items():
        if len(values) > 1:
            found.append(f"{what} differ between data sets ({', '.join(map(str, sorted(values)))})")
    return list(dict.fromkeys(found))
