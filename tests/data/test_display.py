"""How a video wants to be shown: which stream is its film, which way up, how wide, in which colours."""

import io
import struct
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from metaforge.data.images import read_image
from metaforge.data.video import count_frames, read_frames
from metaforge.errors import InputError
from tests.data.clips import write_video

HEIGHT, WIDTH, ONE = 64, 96, 1 << 16
CORNERS = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)  # each of another colour: no two ways to show it look alike
CORNERS[:32, :48], CORNERS[:32, 48:], CORNERS[32:, :48] = (200, 40, 40), (40, 180, 40), (40, 40, 200)

# A track's header says (a, b, c, d, across, down): (x, y) is shown at (a x + c y + across, b x + d y + down).
WAYS = {
    "as stored": ((1, 0, 0, 1, 0, 0), CORNERS),
    "quarter clockwise": ((0, 1, -1, 0, HEIGHT, 0), np.rot90(CORNERS, -1)),
    "half": ((-1, 0, 0, -1, WIDTH, HEIGHT), np.rot90(CORNERS, 2)),
    "quarter back": ((0, -1, 1, 0, 0, WIDTH), np.rot90(CORNERS, 1)),
    "left and right change": ((-1, 0, 0, 1, WIDTH, 0), CORNERS[:, ::-1]),
    "top and bottom change": ((1, 0, 0, -1, 0, HEIGHT), CORNERS[::-1]),
    "x and y change": ((0, 1, 1, 0, 0, 0), CORNERS.transpose(1, 0, 2)),
    "x and y change, from the other end": ((0, -1, -1, 0, HEIGHT, WIDTH), CORNERS[::-1, ::-1].transpose(1, 0, 2)),
}


def x264(options) -> dict[str, Any]:
    return {"x264-params": options}


@pytest.fixture(scope="module")
def upright(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "a.mp4", [CORNERS] * 2, crf=5).read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_all_eight_ways_to_show_a_picture_are_read(tmp_path, upright, way):
    (a, b, c, d, across, down), expected = WAYS[way]
    content, at = bytearray(upright), upright.index(b"tkhd") + 44
    numbers = (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, across * ONE, down * ONE, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", *numbers)
    (tmp_path / "a.mp4").write_bytes(content)
    ((_, pixels),) = read_frames(tmp_path / "a.mp4", [1])
    assert pixels.flags.c_contiguous
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 6


def boxes(data, at, end):
    while at < end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at : at + size]
        at += size


def test_a_cover_is_no_film_wherever_it_stands(tmp_path):
    import av
    from av.stream import Disposition

    cover, path = io.BytesIO(), tmp_path / "last.mp4"
    Image.new("RGB", (32, 32), (255, 0, 255)).save(cover, "JPEG")
    with av.open(str(path), "w") as out:
        film, art = out.add_stream("libx264", rate=10), out.add_stream("mjpeg", rate=1)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        art.width, art.height, art.pix_fmt = 32, 32, "yuvj420p"
        art.disposition = Disposition.attached_pic
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = art, 0, 0, Fraction(1)
        out.mux(packet)
        for _ in range(3):
            out.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(film.encode())
    data = path.read_bytes()
    parts = dict(boxes(data, 0, len(data)))
    moov = parts[b"moov"]
    # The cover's box before that of the film's track: streams are numbered as they are found.
    inner = sorted(boxes(moov, 8, len(moov)), key=lambda box: [b"mvhd", b"udta", b"trak"].index(box[0]))
    first = data.replace(moov, moov[:8] + b"".join(box for _, box in inner))
    (tmp_path / "first.mp4").write_bytes(first)
    # Without its film the file has a cover alone.
    alone = b"".join(box for kind, box in inner if kind != b"trak")
    (tmp_path / "alone.mp4").write_bytes(data.replace(moov, struct.pack(">I4s", 8 + len(alone), b"moov") + alone))
    for name in ("last", "first"):
        assert count_frames(tmp_path / f"{name}.mp4") == 3
        ((_, pixels),) = read_frames(tmp_path / f"{name}.mp4", [0])
        assert pixels.shape == (48, 64, 3)
    with pytest.raises(InputError, match="its only picture is a cover"):
        count_frames(tmp_path / "alone.mp4")


def two_films(path, marked):
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as out:
        streams = [out.add_stream("libx264", rate=10) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            if number in marked:
                stream.disposition = Disposition.default
        for number, stream in enumerate(streams):
            grey = np.full((48, 64, 3), 200 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")) + stream.encode():
                out.mux(packet)
    return path


def test_of_two_films_the_marked_one_is_read_and_none_is_guessed(tmp_path):
    ((_, pixels),) = read_frames(two_films(tmp_path / "marked.mkv", [1]), [0])
    assert pixels.mean() > 150
    for name, marked in (("none", []), ("both", [0, 1])):
        with pytest.raises(InputError, match=r"holds 2 films \(streams 0, 1\)"):
            count_frames(two_films(tmp_path / f"{name}.mkv", marked))


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    for text, shape in (("2/1", (48, 128, 3)), ("1/2", (96, 64, 3)), ("1000/1001", (48, 64, 3))):
        path = tmp_path / f"{text.replace('/', 'to')}.mp4"
        write_video(path, [np.full((48, 64, 3), 90, np.uint8)], **x264(f"sar={text}"))
        ((_, pixels),) = read_frames(path, [0])
        assert pixels.shape == shape
        np.testing.assert_allclose(pixels.astype(int), 90, atol=3)
    with pytest.raises(InputError, match="frames of 128 x 48 pixels, and 4000"):
        count_frames(tmp_path / "2to1.mp4", max_pixels=4000)  # as they are shown


@pytest.mark.parametrize(("curve", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_hdr_is_refused_by_its_name(tmp_path, curve, name):
    path = write_video(tmp_path / "a.mp4", [CORNERS], **x264(f"transfer={curve}"))
    with pytest.raises(InputError, match=rf"it is HDR \({name}\)"):
        next(read_frames(path, [0]))


@pytest.mark.parametrize(("matrix", "red", "blue"), [("bt709", 0.2126, 0.0722), ("smpte170m", 0.299, 0.114)])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_by_the_matrix_and_the_range_that_the_file_names(tmp_path, matrix, red, blue, full):
    import av

    colour = np.array([200, 60, 40]) / 255
    luma = red * colour[0] + (1 - red - blue) * colour[1] + blue * colour[2]
    chroma = np.array([(colour[2] - luma) / (2 - 2 * blue), (colour[0] - luma) / (2 - 2 * red)])
    planes = np.rint([255 * luma, *(255 * chroma + 128)] if full else [16 + 219 * luma, *(224 * chroma + 128)])
    path, options = tmp_path / "a.mp4", f"colormatrix={matrix}:fullrange={'on' if full else 'off'}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "1", "threads": "1", "x264-params": options})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        frame = av.VideoFrame(64, 48, "yuv444p")
        for plane, value in zip(frame.planes, planes.astype(int).tolist(), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    ((_, pixels),) = read_frames(path, [0])
    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(0), [200, 60, 40], atol=2.5)


def test_a_moving_gif_hides_what_is_transparent_as_a_still_one_does(tmp_path):
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, :8], pixels[:, 8:] = (200, 100, 50, 255), (255, 255, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "a.gif")
    ((_, frame),) = read_frames(tmp_path / "a.gif", [0])
    np.testing.assert_array_equal(frame, read_image(tmp_path / "a.gif"))
    assert frame[0, -1].tolist() == [0, 0, 0]
