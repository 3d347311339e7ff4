"""Small trees of every layout. Files hold one byte, unless `write` fills them: `write(path, key)` makes one file.

`key` is that of the video (`Video.key`) that the file is, or is a frame of; a mask's is the video's and "@mask"; of
files that no catalogue takes, it is "". What ends with .png is to be an image, what ends with .mp4 a video. Every
function draws below `root`, which it makes, and returns it.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

Write = Callable[[Path, str], object]

FF_PAIRS = {
    "train": [("000", "003"), ("010", "012"), ("020", "021")],
    "val": [("030", "031")],
    "test": [("040", "041")],
}
FF_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")

# Whom the hash puts where is a fact of SHA-256: id0, id1, id4 are below 0.15, the others are not.
CELEB_VALIDATION, CELEB_TRAIN, CELEB_TEST = (
    ("id0", "id1", "id4"),
    ("id2", "id3", "id5", "id6"),
    ("id10", "id11", "id12"),
)


def placeholder(path: Path, key: str) -> None:
    path.write_bytes(b"x")


def _make(write: Write, path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, key)


def _frames(write: Write, folder: Path, key: str, count: int = 3) -> None:
    for frame in range(count):
        _make(write, folder / f"{frame:03d}.png", key)


def faceforensics(root: Path, write: Write = placeholder, *, compression: str = "c23", lists: str = "") -> Path:
    (root / lists).mkdir(parents=True, exist_ok=True)
    for name, pairs in FF_PAIRS.items():
        (root / lists / f"{name}.json").write_text(json.dumps(pairs))
    for pair in (pair for pairs in FF_PAIRS.values() for pair in pairs):
        for a, b in (pair, pair[::-1]):
            real = root / f"original_sequences/youtube/{compression}/videos/{a}.mp4"
            _make(write, real, f"faceforensics/real/{a}")
            for method in FF_METHODS:
                base, key = root / "manipulated_sequences" / method, f"faceforensics/{method}/{a}_{b}"
                _make(write, base / compression / "videos" / f"{a}_{b}.mp4", key)
                if method != "FaceShifter":
                    _make(write, base / "masks/videos" / f"{a}_{b}.mp4", f"{key}@mask")
    for name in ("01__kitchen", "01__podium", "02__kitchen", "03__hall__outside"):
        path = root / f"original_sequences/actors/{compression}/videos/{name}.mp4"
        _make(write, path, f"faceforensics/real/{name}")
    for name in ("01_02__kitchen__YVGY8LOK", "02_01__kitchen__0123ABCD", "03_01__hall__outside__QWERTYUI"):
        base = root / "manipulated_sequences/DeepFakeDetection"
        _make(write, base / compression / "videos" / f"{name}.mp4", f"faceforensics/DeepFakeDetection/{name}")
    return root


def celeb_df(
    root: Path, write: Write = placeholder, *, folders=("Celeb-real", "YouTube-real", "Celeb-synthesis")
) -> Path:
    celebrities, youtube, synthesis = folders
    groups = CELEB_VALIDATION, CELEB_TRAIN, CELEB_TEST
    names = [f"{a}_{b}_0000" for group in groups for a in group for b in group if a != b]
    names += ["id0_id2_0000", "id2_id10_0001"]  # two splits; a test person's face
    for person in (person for group in groups for person in group):
        for clip in ("0000", "0001"):
            _make(write, root / celebrities / f"{person}_{clip}.mp4", f"celeb_df/real/{person}_{clip}")
    for number in range(10):
        _make(write, root / youtube / f"{number:05d}.mp4", f"celeb_df/real/{number:05d}")
    for name in names:
        _make(write, root / synthesis / f"{name}.mp4", f"celeb_df/Celeb-synthesis/{name}")
    (root / "List_of_testing_videos.txt").write_text("\n".join(celeb_lines()))
    return root


def celeb_lines() -> list[str]:
    lines = [f"1 YouTube-real/{number:05d}.mp4" for number in range(3)]
    lines += [f"1 Celeb-real/{person}_0000.mp4" for person in CELEB_TEST]
    return lines + [f"0 Celeb-synthesis/{a}_{b}_0000.mp4" for a in CELEB_TEST for b in CELEB_TEST if a != b]


def dfdc(root: Path, write: Write = placeholder) -> Path:
    for part, letter in ((0, "a"), (34, "b"), (35, "c"), (39, "d"), (40, "e"), (49, "f")):
        folder, rows = root / f"dfdc_train_part_{part}", {}
        for scene in "xy":
            real = f"real{letter}{scene}"
            rows[f"{real}.mp4"] = {"label": "REAL", "split": "train"}
            _make(write, folder / f"{real}.mp4", f"dfdc/real/{real}")
            for number in range(3):
                fake = f"fake{letter}{scene}{number}"
                rows[f"{fake}.mp4"] = {"label": "FAKE", "split": "train", "original": f"{real}.mp4"}
                _make(write, folder / f"{fake}.mp4", f"dfdc/DFDC/{fake}")
        (folder / "metadata.json").write_text(json.dumps(rows))
    return root


def dfdc_test(root: Path, write: Write = placeholder, *, folder: str = "videos", table: str = "labels.csv") -> Path:
    names = {f"test{number}": number % 2 for number in range(6)}
    for name, label in names.items():
        _make(write, root / folder / f"{name}.mp4", f"dfdc/{('real', 'DFDC')[label]}/{name}")
    text = "".join(f"{name}.mp4,{label}\n" for name, label in names.items())
    (root / table).write_text(f"filename,label\n{text}")
    return root


def dfdc_preview(root: Path, write: Write = placeholder) -> Path:
    rows = {}
    # 1010 and 1016 are below 0.15; 1000 to 1002 are not.
    for person, part in (
        (1000, "train"),
        (1001, "train"),
        (1002, "train"),
        (1010, "train"),
        (1016, "train"),
        (2000, "test"),
    ):
        for clip in range(2):
            stem = f"{person}_A_{clip:03d}"
            names = {f"original_videos/{person}/{stem}.mp4": "real"}
            names |= {f"method_{m}/{person}/{person}_A/{stem}_{n}.mp4": "fake" for m in "AB" for n in range(2)}
            for name, label in names.items():
                rows[name] = {"label": label, "set": part}
                method = "real" if label == "real" else name.split("/")[0]
                video = "__".join(name.removesuffix(".mp4").split("/")[1:])
                _make(write, root / name, f"dfdc/{method}/{video}")
    (root / "dataset.json").write_text(json.dumps(rows))
    return root


def wild_deepfake(root: Path, write: Write = placeholder, *, space: str = "_") -> Path:
    # Archives 1 and 2 are below 0.15; 3 and 4 are not.
    for kind, numbers in {
        "real_train": (1, 3, 4),
        "fake_train": (1, 2, 3, 4),
        "real_test": (1, 3),
        "fake_test": (3, 5),
    }.items():
        label, part = kind.split("_")
        folder = root / kind.replace("_", space)
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            members = {}
            for sequence in (7, 131):
                method = "real" if label == "real" else "WildDeepfake"
                for frame in (10, 9, 100):  # neither in order nor without gaps
                    scratch = folder / ".scratch.png"
                    _make(write, scratch, f"wild_deepfake/{method}/{part}__{number}__{sequence}")
                    members[f"./{number}/{label}/{sequence}/{frame}.png"] = scratch.read_bytes()
                    scratch.unlink()
            archive(folder / f"{number}.tar.gz", members)
    return root


def archive(path: Path, members: dict[str, bytes], extra: Iterable[tarfile.TarInfo] = ()) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)


def df40(root: Path, write: Write = placeholder) -> Path:
    for method in ("simswap", "fomm"):
        for a, b in (("040", "041"), ("041", "040")):
            _frames(write, root / f"DF40/{method}/ff/frames/{a}_{b}", f"df40/{method}/ff__{a}_{b}")
            _make(write, root / f"DF40/{method}/ff/landmarks/{a}_{b}/000.png", "")
        _frames(write, root / f"DF40/{method}/cdf/frames/id0_id16_0000", f"df40/{method}/cdf__id0_id16_0000")
        # 020_021 goes to validation; 040 is a person of the test split.
        for a, b in (("000", "003"), ("003", "000"), ("020", "021"), ("021", "020"), ("040", "050")):
            _frames(write, root / f"DF40_train/{method}/ff/frames/{a}_{b}", f"df40/{method}/ff__{a}_{b}")
    for label, method in (("fake", "heygen"), ("real", "real")):
        prefix = "heygen" if label == "real" else label
        _frames(write, root / f"DF40/heygen/{label}/clip1", f"df40/{method}/{prefix}__clip1")
        _make(write, root / f"DF40/heygen/{label}/clip2.mp4", f"df40/{method}/{prefix}__clip2")
    for number in range(2):
        _make(write, root / f"DF40/MidJourney/fake/{number}.png", f"df40/MidJourney/fake__{number}")
    return root


DEEPER = {"train": ("000_M101", "003_M101", "010_W002"), "val": ("012_W030",), "test": ("020_M040", "021_M040")}


def deeper_forensics(root: Path, write: Write = placeholder, *, ff_root: Path | None = None) -> Path:
    """Its real videos are drawn below `ff_root`, if that is given."""
    (root / "lists/splits").mkdir(parents=True)
    for split, names in DEEPER.items():
        (root / f"lists/splits/{split}.txt").write_text("".join(f"{name}.mp4\n" for name in names))
        for name in names:
            for method in ("end_to_end", "end_to_end_level_1"):
                key = f"deeper_forensics/{method}/{name}"
                _make(write, root / "manipulated_videos" / method / f"{name}.mp4", key)
            if ff_root is not None:
                real = ff_root / f"original_sequences/youtube/c23/videos/{name[:3]}.mp4"
                _make(write, real, f"deeper_forensics/real/{name[:3]}")
    _make(write, root / "source_videos/M101/light_up/happy/M101_light_up_happy_camera_front.mp4", "")
    return root


def face_folder(root: Path, write: Write = placeholder) -> Path:
    """With splits of its own; every kind of video is in each of them."""
    for split in ("train", "val", "test"):
        _make(write, root / split / "real/portrait.png", f"face_folder/real/{split}__portrait")
        _make(write, root / split / "real/interviews/anna.mp4", f"face_folder/real/{split}__interviews__anna")
        _frames(write, root / split / "real/bob", f"face_folder/real/{split}__bob")
        _make(write, root / split / "fake/loose.mp4", f"face_folder/fake/{split}__loose")
        _frames(write, root / split / "fake/carl", f"face_folder/fake/{split}__carl")
        _make(write, root / split / "fake/swap/dora.mp4", f"face_folder/swap/{split}__dora")
        _frames(write, root / split / "fake/puppet/emil/frames", f"face_folder/puppet/{split}__emil")
        _make(write, root / split / "fake/puppet/single.png", f"face_folder/puppet/{split}__single")
    return root
