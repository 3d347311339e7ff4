"""DeepfakeBench's names and ours: labels, data sets, and the people that the names of videos tell of."""

import re
from collections.abc import Mapping
from typing import Any

from metaforge.labels import FAKE, REAL

DATASETS: dict[str, str] = {
    "FaceForensics++": "faceforensics",
    "Celeb-DF-v1": "celeb_df_v1",
    "Celeb-DF-v2": "celeb_df",
    "DFDC": "dfdc",
    "DFDCP": "dfdc_preview",
    "DeeperForensics-1.0": "deeper_forensics",
}
"""Data sets that have a name of ours; others keep theirs."""

# Further files of FaceForensics++. They keep their names as data sets, but their videos and people are the same.
_PARTS = ("FF-DF", "FF-F2F", "FF-FS", "FF-NT", "FaceShifter", "DeepFakeDetection")

_METHODS: dict[str, dict[str, str]] = {
    "faceforensics": {"FF-real": "real", "DFD_real": "real", "FF-DF": "Deepfakes", "FF-F2F": "Face2Face",
                      "FF-FS": "FaceSwap", "FF-NT": "NeuralTextures", "FF-FH": "FaceShifter",
                      "DFD_fake": "DeepFakeDetection"},
    "celeb_df": {"CelebDFv2_real": "real", "CelebDFv2_fake": "Celeb-synthesis"},
    "celeb_df_v1": {"CelebDFv1_real": "real", "CelebDFv1_fake": "Celeb-synthesis"},
    "dfdc": {"DFDC_Real": "real", "DFDC_Fake": "DFDC", "DFDCP_FakeA": "method_A", "DFDCP_FakeB": "method_B"},
    "dfdc_preview": {"DFDCP_Real": "real", "DFDCP_FakeA": "method_A", "DFDCP_FakeB": "method_B"},
    "deeper_forensics": {"DF_real": "real", "DF_fake": "end_to_end"},
}  # fmt: skip
_FAKES = {"FF-SH", *(label for words in _METHODS.values() for label, method in words.items() if method != "real")}
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""The harness's splits and ours."""

COMPRESSIONS = frozenset({"raw", "c0", "c23", "c40"})
"""What may stand between a split and its videos."""

_ACTOR = re.compile(r"(\d+)__.+")


def family(dataset: str) -> str:
    """What the names of videos and people begin with: one for all files of FaceForensics++."""
    return "faceforensics" if dataset in _PARTS else dataset


def is_entry(value: Any) -> bool:
    """Whether something in the file is a video, rather than what holds videos."""
    return isinstance(value, Mapping) and isinstance(value.get("frames"), list)


def class_of(label: str, labels: Mapping[str, int]) -> int | None:
    """`REAL` or `FAKE` by what `labels` says, the harness's own labels, or the words in it; else `None`.

    Example:
        >>> [class_of(label, {}) for label in ("CelebDFv2_real", "whichfaceisreal_Fake", "FF-NT", "whichfaceisreal")]
        [0, 1, 1, None]
    """
    if label in labels or label in _FAKES:
        return labels.get(label, FAKE)
    words = re.split(r"[_\-\s]+", label.lower())
    return FAKE if "fake" in words else REAL if "real" in words else None


def method_of(dataset: str, label: str, kind: int, video: str, labels: Mapping[str, int]) -> str:
    """Our method for a label, such that `label_of` gives the label again; the label itself where there is none."""
    short = _METHODS.get(family(dataset), {}).get(label, "")
    if not short and kind == FAKE and label.endswith("_Fake") and class_of(label[:-5], labels) is None:
        short = label[:-5]
    return short if short and label_of(dataset, short, kind, video, labels) == label else label


def label_of(dataset: str, method: str, kind: int, video: str, labels: Mapping[str, int]) -> str:
    """The label to write for a method: the harness's own, or the method if it says its class, or both in one word."""
    words = {ours: theirs for theirs, ours in _METHODS.get(family(dataset), {}).items()}
    if family(dataset) == "faceforensics":
        actors = dataset == "DeepFakeDetection" or (dataset == "faceforensics" and _ACTOR.fullmatch(video))
        words["real"] = "DFD_real" if actors else "FF-real"
    for label in (*([method] if method in labels else []), words.get(method, method), method):
        if class_of(label, labels) == kind:
            return label
    suffixed = f"{method}_{'Fake' if kind == FAKE else 'Real'}"
    return suffixed if class_of(suffixed, labels) == kind else "real"


def people(dataset: str, video: str, kind: int) -> tuple[str, str, str]:
    """Identity, donor, and the real video that shows the same scene, as far as a video's name tells; else ""."""
    of = family(dataset)
    find = {"faceforensics": _faceforensics, "celeb_df": _celeb_df, "celeb_df_v1": _celeb_df,
            "deeper_forensics": _deeper_forensics}.get(of)  # fmt: skip
    return find(video, kind) if find else ("", "", "")


def _faceforensics(video: str, kind: int) -> tuple[str, str, str]:
    if kind == REAL:
        if actor := _ACTOR.fullmatch(video):
            return f"faceforensics/actor{actor[1]}", "", video
        return (f"faceforensics/{video}", "", video) if re.fullmatch(r"\d{3}", video) else ("", "", "")
    if pair := re.fullmatch(r"(\d{3})_(\d{3})", video):
        return f"faceforensics/{pair[1]}", f"faceforensics/{pair[2]}", pair[1]
    if swap := re.fullmatch(r"(\d+)_(\d+)__(.+)__[^_]+", video):
        return f"faceforensics/actor{swap[1]}", f"faceforensics/actor{swap[2]}", f"{swap[1]}__{swap[3]}"
    return "", "", ""


def _celeb_df(video: str, kind: int) -> tuple[str, str, str]:
    if kind == FAKE:
        swap = re.fullmatch(r"(id\d+)_(id\d+)_(\d+)", video)
        return (f"celeb_df/{swap[1]}", f"celeb_df/{swap[2]}", f"{swap[1]}_{swap[3]}") if swap else ("", "", "")
    if re.fullmatch(r"\d+", video):
        return f"celeb_df/youtube/{video}", "", video
    person = re.fullmatch(r"(id\d+)_\d+", video)
    return (f"celeb_df/{person[1]}", "", video) if person else ("", "", "")


def _deeper_forensics(video: str, kind: int) -> tuple[str, str, str]:
    if kind == FAKE:
        swap = re.fullmatch(r"(\d{3})_(\w+)", video)
        return (f"faceforensics/{swap[1]}", f"deeper_forensics/{swap[2]}", swap[1]) if swap else ("", "", "")
    if re.fullmatch(r"\d{3}", video):
        return f"faceforensics/{video}", "", video
    actor = re.fullmatch(r"([A-Z]\d{3})_.+", video)
    return (f"deeper_forensics/{actor[1]}", "", video) if actor else ("", "", "")
