"""What a Mac or Windows leaves beside the files of a data set is none of it."""

import pytest

from metaforge.data.catalogues import read_catalogue, read_member_frames
from tests.data.catalogues import trees

# As AppleDouble files begin.
SHADOW = b"\x00\x05\x16\x07\x00\x02\x00\x00"

LAYOUTS = {
    "faceforensics": {}, "celeb_df": {}, "dfdc": {"subset": "train"}, "dfdc_test": {"subset": "test"},
    "dfdc_preview": {"subset": "preview"}, "wild_deepfake": {}, "df40": {}, "deeper_forensics": {}, "face_folder": {},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shadows_beside_every_file_change_nothing(tmp_path, layout):
    options = dict(LAYOUTS[layout])
    if layout == "deeper_forensics":
        options["ff_root"] = tmp_path / "ff"
    root = getattr(trees, layout)(tmp_path / "tree", **{key: options[key] for key in options if key == "ff_root"})
    name = layout.split("_")[0] if layout.startswith("dfdc") else layout
    before = read_catalogue(name, root, **options)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        (path.parent / f"._{path.name}").write_bytes(SHADOW)
    for folder in {path.parent for path in files} | {root}:
        (folder / ".DS_Store").write_bytes(SHADOW)
        (folder / "__MACOSX").mkdir()
        for ending in ("png", "mp4", "json", "tar.gz"):
            (folder / "__MACOSX" / f"x.{ending}").write_bytes(SHADOW)
    assert read_catalogue(name, root, **options) == before


def test_shadows_in_an_archive_do_not_stand_in_the_place_of_frames(tmp_path):
    root = trees.wild_deepfake(tmp_path)
    frames = {f"./1/fake/7/{frame}.png": f"picture {frame}".encode() for frame in (9, 10)}
    shadows = {"./1/fake/7/._9.png": SHADOW, "./1/fake/._7/9.png": SHADOW, "__MACOSX/1/fake/7/9.png": SHADOW}
    trees.archive(root / "fake_train/1.tar.gz", frames | shadows)
    found = read_catalogue("wild_deepfake", root)
    mine = [video.path for video in found.videos if video.path.startswith("fake_train/1.tar.gz")]
    assert mine == ["fake_train/1.tar.gz::1/fake/7"]
    assert list(read_member_frames(root, mine[0])) == [(9, b"picture 9"), (10, b"picture 10")]
    assert not [finding for finding in found.findings if finding.path == "fake_train/1.tar.gz"]
