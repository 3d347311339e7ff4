"""The preview of the Deepfake Detection Challenge: two methods, and folders that are named by person."""

from pathlib import Path

from metaforge.data.catalogues._base import Finding, Found, Video, report_counts, report_missing, report_unlisted, shown
from metaforge.data.catalogues._dfdc_lists import label_of, name_of, read_mapping
from metaforge.data.catalogues._scan import File, join, listing, videos_in
from metaforge.data.catalogues._splits import drawn, homes, keep_whole
from metaforge.errors import InputError
from metaforge.labels import FAKE, REAL

_TOPS = ("original_videos", "method_A", "method_B")


def read_preview(root: Path, findings: list[Finding]) -> list[Found]:
    """The videos of the preview.

    `dataset.json` gives each a label and the owners' set, train or test. A person is the `target_id`, if it has one,
    or else the folder below `original_videos` or the method's; a donor is the `swapped_id`. A fake whose name begins
    with that of a real video of the same folder was made from it; others have no pair.

    Raises:
        InputError: when there is no `dataset.json`.
    """
    if not (root / "dataset.json").is_file():
        raise InputError(f"dfdc: no dataset.json in '{root.as_posix()}'. It comes with the preview: put it there.")
    rows = {name.replace("\\", "/"): row for name, row in read_mapping(root, "dataset.json", findings).items()}
    odd = [name for name in rows if name.split("/")[0] not in _TOPS]
    if odd:
        text = f"{len(odd)} videos in it are in none of {', '.join(_TOPS)}, the first '{shown(odd[0])}': left out."
        findings.append(Finding("unlisted", "dataset.json", f"{text} Get it anew."))
    files: dict[str, File] = {}
    for top in _TOPS:
        here = {file.path: file for file in _below(root, top, findings)}
        expected = [name.removeprefix(f"{top}/") for name in rows if name.startswith(f"{top}/")]
        report_missing(top, expected, (name.removeprefix(f"{top}/") for name in here), findings)
        report_unlisted(top, [name for name in here if name not in rows], findings)
        files |= here
    clips: dict[str, list[File]] = {}  # the real videos of each person's folder
    for name in rows:
        if name.startswith("original_videos/") and name in files:
            clips.setdefault(_person(name), []).append(files[name])
    found = []
    for name in (name for name in rows if name in files):
        label = label_of(rows[name].get("label"), "dataset.json", name, findings)
        part = str(rows[name].get("set")).casefold()
        if part not in ("train", "test"):
            text = f"its set '{shown(part)}' is neither train nor test: left out. Get dataset.json anew."
            findings.append(Finding("unreadable", name, text))
        elif label is not None and (label == REAL) != name.startswith("original_videos/"):
            text = f"its label '{shown(str(rows[name].get('label')))}' does not fit its folder: left out."
            findings.append(Finding("unreadable", name, f"{text} Get dataset.json anew."))
        elif label is not None:
            found.append(_row(name, rows[name], files[name], label, part, clips))
    report_counts(found, 1131, 4119, findings)
    tested = homes(each.video for each in found if each.video.split == "test")
    people = {person for each in found for person in each.video.people}
    return keep_whole(found, {person: tested.get(person) or drawn(person) for person in people}, findings)


def _row(name: str, row: dict, file: File, label: int, part: str, clips: dict[str, list[File]]) -> Found:
    person = f"dfdc/preview/{name_of(row.get('target_id')) or _person(name)}"
    donor = name_of(row.get("swapped_id")) if label == FAKE else ""
    like = [clip for clip in clips.get(_person(name), []) if f"{file.stem}_".startswith(f"{clip.stem}_")]
    clip = max(like, key=lambda clip: len(clip.stem)) if like and label == FAKE else None
    video = Video(
        name, label, "dfdc", "real" if label == REAL else name.split("/")[0], _name(name), person,
        donor and f"dfdc/preview/{donor}", f"dfdc/real/{_name(clip.path)}" if clip else "",
        split="test" if part == "test" else drawn(person),
    )  # fmt: skip
    return Found(video, file.bytes)


def _name(path: str) -> str:
    """A name that no other video of the method has: its folders are part of it."""
    return "__".join(path.rsplit(".", 1)[0].split("/")[1:])


def _person(path: str) -> str:
    """The person's folder in a path such as method_A/<person>/<person>_A/<video>.mp4."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else parts[1].split("_")[0]


def _below(root: Path, folder: str, findings: list[Finding]) -> list[File]:
    """Video files of a folder and of those in it, three deep, as the preview has them."""
    files, pending = [], [folder]
    for here in pending:
        files += videos_in(root, here, findings)
        if here.count("/") < 3:
            pending += [join(here, name) for name in listing(root, here, [])[0]]
    return files
