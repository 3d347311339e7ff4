"""Every hostile file of the tests for images and videos in one folder, among good ones: the right line for each.

It takes seconds since there are videos to be coded, and faces to be found.
"""

import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.cli import screen
from metaforge.screening import save_detector
from tests.data.clips import face_clip, face_frames, write_video
from tests.data.test_formats import GREY, saved, tiff
from tests.data.test_images import chunk, noise, png_that_claims
from tests.data.test_video import broken_from, stairs
from tests.screening.test_raw_pictures import detector

WORDS = b"These are words, and no picture at all.\n" * 50
HDR = saved(GREY)[:33] + chunk(b"cICP", bytes([9, 16, 0, 1])) + saved(GREY)[33:]

IMAGES = {
    "empty.png": (b"", "it is empty"),
    "text.jpg": (WORDS, "not an image that can be read"),
    "drawing.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "a PostScript document"),
    "bomb.png": (png_that_claims(100_000, 100_000), "64000000 are allowed"),
    "large.png": (png_that_claims(8_001, 8_000), "64000000 are allowed"),
    "flat.png": (png_that_claims(0, 5), "cut off or broken"),
    "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    "raw.cr3": (b"\0\0\0\x18ftypcrx " + bytes(40), "raw file"),
    "film.jpg": (b"\0\0\0\x18ftypisom" + bytes(40), "a video"),
    "a.jxl": (b"\xff\x0a" + bytes(40), "JPEG XL"),
    "b.jp2": (saved(GREY, "JPEG2000"), "JPEG 2000"),
    "c.jpg": (b"8BPS\0\1", "Photoshop"),
    "404.jpg": (b" <!DOCTYPE html><title>404</title>", "a web page"),
    "vector.png": (b"\xef\xbb\xbf<?xml version='1.0'?><svg onload='alert(1)'/>", "SVG"),
    "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "hdr.png": (HDR, "HDR (PQ)"),
    "signed.tif": (tiff(bytes(48), 8, kind=2), "have a sign"),
    "deep.tif": (tiff(bytes(60), 10), "unusual depth"),
    "preview.tif": (tiff(GREY.tobytes(), 8, extra={254: (4, 1)}), "begins with a preview"),
    "line\nbreak.png": (WORDS, "not an image that can be read"),
    "<script>alert(1)<.jpg": (WORDS, "not an image that can be read"),
    "=cmd|'calc'!A0.jpg": (WORDS, "not an image that can be read"),
    "-rf.jpg": (WORDS, "not an image that can be read"),
    "caf\udce9.jpg": (b"no", "not an image that can be read"),
    "n" * 251 + ".jpg": (WORDS, "not an image that can be read"),
}
VIDEOS = {
    "empty.mp4": (b"", "it is empty"),
    "text.mp4": (WORDS, "not a video that can be read"),
    "list.mp4": (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n", "not a video"),
    "concat.mp4": (b"ffconcat version 1.0\nfile good.mp4\n", "not a video that can be read"),
    "image.mp4": (saved(GREY), "its content is an image"),
    "page.mp4": (b"<html>404</html>", "its content is a web page"),
    "a\nb.mp4": (b"no", "not a video that can be read"),
}


def pickled():
    held = io.BytesIO()
    np.save(held, np.array([{"a": 1}], dtype=object))
    return held.getvalue()


def sound(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The folder, and of each file the words that its error must have; "" for a good one."""
    folder, around = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("around")
    said = {}
    for name, (content, words) in ({"array.png": (pickled(), "a NumPy array")} | IMAGES | VIDEOS).items():
        (folder / name).write_bytes(content)
        said[name] = words
    for ending in ("png", "jpg", "tif", "bmp", "webp", "gif", "ppm"):
        Image.fromarray(noise(64, 64)).save(around / f"whole.{ending}")
        content = (around / f"whole.{ending}").read_bytes()
        (folder / f"cut.{ending}").write_bytes(content[: len(content) // 2])
        said[f"cut.{ending}"] = "cut off or broken"
    whole = write_video(around / "whole.mkv", face_frames(frames=60)).read_bytes()
    (folder / "cut.mkv").write_bytes(whole[:800])
    film = write_video(around / "whole.mp4", stairs(20)).read_bytes()
    (folder / "cut.mp4").write_bytes(film[: len(film) // 2])
    broken_from(write_video(folder / "broken.mp4", face_frames(frames=20), **{"x264-params": "keyint=5:bframes=0"}), 10)
    sound(folder / "sound.mp4")
    said |= {"cut.mkv": "it has no frame", "cut.mp4": "not a video that can be read"}
    said |= {"broken.mp4": "broken at frame 10", "sound.mp4": "no video stream"}
    for name in ("pipe.png", "pipe.mp4"):
        os.mkfifo(folder / name)
        said[name] = "it is not a file"
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "up").symlink_to(folder, target_is_directory=True)
    for link, to in (("gone.png", "nowhere"), ("self.png", "self.png"), ("self.mp4", "self.mp4")):
        (folder / link).symlink_to(to)
        said[link] = "there is no such file"
    # The good ones lie between them.
    astronaut = Image.fromarray(data.astronaut())
    for name in ("aa.png", "folder.png/inside.png", "d\udce9.png"):
        astronaut.save(folder / name)
        said[name] = ""
    Image.fromarray(data.coffee()).save(folder / "no face.png")
    face_clip(folder / "good.mp4", frames=3, size=160)
    return folder, said | {"no face.png": "", "good.mp4": ""}


def test_each_has_the_right_line_and_none_stops_another(hostile, tmp_path, capsys):
    folder, said = hostile
    save_detector(tmp_path / "detector", detector())
    flags = ["screen", f"--model={tmp_path / 'detector'}", f"--images={folder}", f"--out={tmp_path / 'r.jsonl'}"]
    assert screen.main([*flags, "--page", f"--triage={tmp_path / 't.csv'}"]) == 3
    lines = (tmp_path / "r.jsonl").read_text(encoding="ascii").splitlines()
    found = {record["file"]: record for record in map(json.loads, lines)}
    assert len(lines) == len(found) == len(said)
    assert found.keys() == said.keys()
    for name, words in said.items():
        record, error = found[name], found[name]["error"]
        if words:
            assert error is not None, name
            assert words in error["message"], (name, error)
            assert "\n" not in error["message"]
            assert error["code"] == ("missing" if "no such" in words else "unreadable"), (name, error)
            assert (record["p_fake"], record["decision"], record["faces"]) == (None, "cannot tell", [])
        else:
            assert error is None, (name, error)
            assert len(record["faces"]) == (name != "no face.png")
            assert len(record["sha256"]) == 64
    same = {found[name]["p_fake"] for name in ("aa.png", "folder.png/inside.png", "d\udce9.png")}
    assert len(same) == 1
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "onload" not in page
    assert f"{len(said)} files" in capsys.readouterr().out
