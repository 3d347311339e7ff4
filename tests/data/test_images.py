import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from metaforge.data.folders import list_images, read_folder
from metaforge.data.images import decode_image, read_image, square
from metaforge.errors import InputError

# Four corners, each of another colour: tells every rotation and reflection from the others.
CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :12], CORNERS[:8, 12:], CORNERS[8:, :12] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def noise(height=40, width=50, seed=0):
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def save(path, pixels, *, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_claims(width, height):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "ppm"])
def test_lossless_formats_come_back_bit_for_bit(tmp_path, suffix):
    pixels = read_image(save(tmp_path / f"a.{suffix}", noise()))
    np.testing.assert_array_equal(pixels, noise())
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(("suffix", "options"), [("jpg", {"quality": 95}), ("webp", {"quality": 95}), ("gif", {})])
def test_lossy_formats_come_back_nearly(tmp_path, suffix, options):
    pixels = read_image(save(tmp_path / f"a.{suffix}", np.full((16, 16, 3), (200, 100, 40), np.uint8), **options))
    np.testing.assert_allclose(pixels.astype(int), np.broadcast_to((200, 100, 40), (16, 16, 3)), atol=6)


def test_the_content_decides_and_not_the_ending(tmp_path):
    save(tmp_path / "a.png", noise())
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), noise())
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.jpg")), noise())
    np.testing.assert_array_equal(decode_image((tmp_path / "a.jpg").read_bytes()), noise())


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, suffix):
    values = np.array([[0, 65535, 32768, 128, 129, 257]], np.uint16)
    pixels = read_image(save(tmp_path / f"a.{suffix}", values))
    np.testing.assert_array_equal(pixels, np.repeat(np.array([[0, 255, 128, 0, 1, 1]])[..., None], 3, axis=-1))


def test_every_sixteen_bit_value_is_rounded_to_the_nearest(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = read_image(save(tmp_path / "a.png", values))
    np.testing.assert_array_equal(pixels[..., 0], np.rint(values / 65535 * 255))


def test_thirty_two_bit_numbers_are_sixteen_bit_ones_or_refused(tmp_path):
    good = save(tmp_path / "good.tif", np.array([[0, 32768, 65535]], np.int32))
    np.testing.assert_array_equal(read_image(good)[..., 1], [[0, 128, 255]])
    for value in (-1, 65536):
        bad = save(tmp_path / "bad.tif", np.array([[0, value]], np.int32))
        assert "outside [0, 65535]" in refusal(lambda bad=bad: read_image(bad))


def test_floating_point_in_the_unit_range_is_read_and_other_is_refused(tmp_path):
    good = save(tmp_path / "good.tif", np.array([[0.0, 0.5, 1.0, 0.1]], np.float32))
    np.testing.assert_array_equal(read_image(good)[..., 2], [[0, 128, 255, 26]])
    for value in (-0.1, 1.5, 255.0, np.nan, np.inf):
        bad = save(tmp_path / "bad.tif", np.array([[0.5, value]], np.float32))
        assert "outside [0, 1]" in refusal(lambda bad=bad: read_image(bad))


def test_one_bit_grey_and_palette_images_become_rgb(tmp_path):
    grey = np.array([[0, 60, 200, 255]], np.uint8)
    stacked = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read_image(save(tmp_path / "grey.png", grey)), stacked)
    np.testing.assert_array_equal(read_image(save(tmp_path / "grey.pgm", grey)), stacked)
    one_bit = read_image(save(tmp_path / "bit.png", np.array([[False, True]])))
    np.testing.assert_array_equal(one_bit, [[[0, 0, 0], [255, 255, 255]]])
    palette = Image.fromarray(CORNERS).quantize(4)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), CORNERS)


def test_transparency_is_laid_over_black(tmp_path):
    rgba = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    expected = [[[200, 100, 50], [0, 0, 0], [100, 50, 25]]]
    np.testing.assert_array_equal(read_image(save(tmp_path / "rgba.png", rgba)), expected)
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "la.png", rgba[..., [0, 3]])), [[[200] * 3, [0] * 3, [100] * 3]]
    )
    keyed = save(tmp_path / "keyed.png", rgba[..., :3][:, :1], transparency=(200, 100, 50))
    np.testing.assert_array_equal(read_image(keyed), [[[0, 0, 0]]])
    palette = Image.fromarray(CORNERS).quantize(4)
    red = palette.getpixel((0, 0))
    palette.save(tmp_path / "palette.gif", transparency=red)
    without_red = np.where((CORNERS == (255, 0, 0)).all(-1, keepdims=True), 0, CORNERS)
    np.testing.assert_array_equal(read_image(tmp_path / "palette.gif"), without_red)


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_pure_cyan_ink_takes_away_red(tmp_path, suffix):
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}").astype(int)[8, 8], (0, 255, 255), atol=3)


def test_other_colour_spaces_are_read_as_a_person_sees_them(tmp_path):
    colour = np.full((8, 8, 3), (200, 60, 30), np.uint8)
    save(tmp_path / "ycbcr.tif", colour, mode="YCbCr")
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(colour), *profiles, outputMode="LAB")
    assert lab is not None
    lab.save(tmp_path / "lab.tif")
    for name in ("ycbcr", "lab"):
        np.testing.assert_allclose(read_image(tmp_path / f"{name}.tif").astype(int), colour, atol=4)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, CORNERS),
        (2, CORNERS[:, ::-1]),
        (3, CORNERS[::-1, ::-1]),
        (4, CORNERS[::-1]),
        (5, CORNERS.transpose(1, 0, 2)),
        (6, np.rot90(CORNERS, 1)),  # the viewer turns it clockwise, so it is stored turned counter-clockwise
        (7, np.rot90(CORNERS, 2).transpose(1, 0, 2)),
        (8, np.rot90(CORNERS, -1)),
        (9, CORNERS),
    ],
)
def test_exif_orientation_is_undone(tmp_path, orientation, stored, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, quality=95)
    pixels = read_image(path).astype(int)
    assert pixels.shape == CORNERS.shape
    for row, column in ((4, 4), (4, 18), (12, 4), (12, 18)):  # away from the edges, where JPEG mixes colours
        np.testing.assert_allclose(pixels[row, column], CORNERS[row, column], atol=12)


def test_broken_exif_is_passed_over(tmp_path):
    path = save(tmp_path / "a.png", noise(), exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xffgarbage")
    np.testing.assert_array_equal(read_image(path), noise())


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_frame_of_a_moving_picture_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}").astype(int)[8, 8], (250, 0, 0), atol=6)


def test_what_is_not_an_image_file_is_refused_by_name(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("These are words, and no picture at all.\n" * 50)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "page.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    np.save(tmp_path / "array.npy", np.array([{"a": 1}], dtype=object))
    reasons = {
        "missing.png": "no such file",
        "empty.png": "it is empty",
        "text.jpg": "not an image that can be read",
        "folder.png": "not a file",
        "pipe.png": "not a file",
        "page.png": "not an image that can be read",
        "array.npy": "not an image that can be read",
    }
    for name, reason in reasons.items():
        message = refusal(lambda name=name: read_image(tmp_path / name))
        assert name in message
        assert reason in message


def test_a_name_with_a_line_break_gives_one_line(tmp_path):
    (tmp_path / "a\nb.png").write_bytes(b"no")
    assert "a\\nb.png" in refusal(lambda: read_image(tmp_path / "a\nb.png"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif", "ppm"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(tmp_path, suffix, part):
    content = save(tmp_path / f"whole.{suffix}", noise(64, 64)).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content[: int(part * len(content))])
    message = refusal(lambda: read_image(path))
    assert f"cut.{suffix}" in message
    assert "cut off or broken" in message or "not an image" in message


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif", "ppm"])
def test_damaged_bytes_give_a_picture_or_a_refusal_and_nothing_else(tmp_path, suffix):
    content = bytearray(save(tmp_path / f"whole.{suffix}", noise(24, 24)).read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(min(len(content), 200), size=3):
            damaged[place] = rng.integers(256)
        try:
            pixels = decode_image(bytes(damaged), max_pixels=1_000_000)
        except InputError:
            continue
        assert pixels.dtype == np.uint8


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (10_000, 10_000), (8_001, 8_000)])
def test_a_small_file_that_claims_many_pixels_is_refused_before_decoding(tmp_path, monkeypatch, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(width, height))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    message = refusal(lambda: read_image(path))
    assert "bomb.png" in message
    assert "64000000 are allowed" in message


def drawn_over(scans):
    """A progressive JPEG whose last scan stands there so many times more."""
    held = io.BytesIO()
    Image.fromarray(noise(40, 40)).save(held, "JPEG", progressive=True)
    whole = held.getvalue()
    start = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[start:-2] * scans + b"\xff\xd9"


def test_a_jpeg_that_is_drawn_over_without_end_is_refused_before_decoding(monkeypatch):
    once = decode_image(drawn_over(0))
    few = drawn_over(0).count(b"\xff\xda")
    assert decode_image(drawn_over(100 - few)).shape == once.shape  # the last that is allowed
    # What lies behind its end, such as a short film, is nobody's scan.
    assert (decode_image(drawn_over(0) + b"\xff\xda\0\x02" * 500) == once).all()
    many = drawn_over(101 - few)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    assert "101 times over" in refusal(lambda: decode_image(many))


def test_an_image_of_no_pixels_is_refused(tmp_path):
    for width, height in ((0, 5), (5, 0)):
        (tmp_path / "a.png").write_bytes(png_that_claims(width, height))
        assert "a.png" in refusal(lambda: read_image(tmp_path / "a.png"))


def test_the_limit_of_pixels_is_the_last_that_is_allowed(tmp_path):
    path = save(tmp_path / "a.png", noise(10, 10))
    assert read_image(path, max_pixels=100).shape == (10, 10, 3)
    assert "10 x 10 pixels" in refusal(lambda: read_image(path, max_pixels=99))


def test_bytes_are_refused_by_the_name_they_were_given():
    assert refusal(lambda: decode_image(b"", name="face 3")).startswith("image 'face 3': it is empty")


def test_square_takes_the_middle():
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8] = noise(4, 4)
    np.testing.assert_array_equal(square(wide, size=4), noise(4, 4))
    np.testing.assert_array_equal(square(wide.transpose(1, 0, 2), size=4), noise(4, 4).transpose(1, 0, 2))
    assert square(wide[:, 5:6], size=7).shape == (7, 7, 3)


@pytest.mark.parametrize("size", [1, 5, 32, 100])
def test_square_keeps_a_flat_image_flat_at_every_size(size):
    flat = np.full((30, 41, 3), (9, 90, 201), np.uint8)
    np.testing.assert_array_equal(square(flat, size=size), np.broadcast_to((9, 90, 201), (size, size, 3)))


def test_square_averages_fine_patterns_when_shrinking():
    checks = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    small = square(np.repeat(checks[..., None], 3, axis=-1), size=16)
    np.testing.assert_allclose(small.astype(int)[2:-2, 2:-2], 127.5, atol=1.5)


def test_square_leaves_its_input_alone_and_returns_a_new_array():
    image = noise(8, 8)
    same = square(image, size=8)
    same[:] = 0
    np.testing.assert_array_equal(image, noise(8, 8))
    with pytest.raises(InputError, match="at least 1"):
        square(image, size=0)
    with pytest.raises(InputError, match="at least 1"):
        square(image[:0], size=4)


def test_a_folder_with_one_bad_file_gives_the_good_ones_and_names_the_bad(tmp_path):
    save(tmp_path / "a.png", CORNERS)
    save(tmp_path / "c.png", np.full((9, 9), 77, np.uint8))
    (tmp_path / "b.jpg").write_text("no image")
    folder = read_folder(tmp_path, size=8)
    assert folder.names == ["a.png", "c.png"]
    assert folder.images.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(folder.images[0], square(CORNERS, size=8))
    assert (folder.images[1] == 77).all()
    assert [skipped.path for skipped in folder.skipped] == ["b.jpg"]
    assert folder.skipped[0].reason.startswith("its content is not an image that can be read.")


def test_folders_are_read_in_the_order_a_person_counts(tmp_path):
    names = ["10/a.png", "2/b.png", "2/frame10.PNG", "2/frame9.png", "B.png", "a2.jpeg", "a10.png", "a02.jpeg"]
    expected = ["2/b.png", "2/frame9.png", "2/frame10.PNG", "10/a.png", "a02.jpeg", "a2.jpeg", "a10.png", "B.png"]
    for root, order in (("one", names), ("two", names[::-1])):
        for name in order:
            (tmp_path / root / name).parent.mkdir(parents=True, exist_ok=True)
            save(tmp_path / root / name, noise(8, 8))
        assert read_folder(tmp_path / root, size=4).names == expected
        assert [file.relative_to(tmp_path / root).as_posix() for file in list_images(tmp_path / root)] == expected


def test_hidden_files_and_other_endings_are_left_out(tmp_path):
    for name in (".cache/a.png", ".b.png", "notes.txt", "c.npy", "d.eps", "good.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, noise(8, 8), format="PNG")
    folder = read_folder(tmp_path, size=4)
    assert folder.names == ["good.png"]
    assert [skipped.path for skipped in folder.skipped] == ["c.npy", "d.eps", "notes.txt"]  # and the hidden are not


def test_links_in_a_circle_end_and_broken_links_are_named(tmp_path):
    save(tmp_path / "a.png", noise(8, 8))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "self").symlink_to("self")
    (tmp_path / "sub" / "self.png").symlink_to("self.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    folder = read_folder(tmp_path, size=4)
    assert folder.names == ["a.png"]
    assert [skipped.path for skipped in folder.skipped] == ["gone.png", "sub/self.png", "sub/self"]


def test_linked_folders_are_entered_once_by_the_first_name(tmp_path):
    (tmp_path / "store").mkdir()
    save(tmp_path / "store" / "a.png", noise(8, 8))
    for root, links in (("one", "uvwxyz"), ("two", "zyxwvu")):  # file systems list the newest, the oldest or any first
        (tmp_path / root).mkdir()
        for link in links:
            (tmp_path / root / link).symlink_to(tmp_path / "store", target_is_directory=True)
        assert read_folder(tmp_path / root, size=4).names == ["u/a.png"]


def test_folders_without_a_usable_image_are_refused(tmp_path):
    (tmp_path / "file.png").touch()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").touch()
    (tmp_path / "bad").mkdir()
    for name in ("b.png", "a.png", "c.png"):
        (tmp_path / "bad" / name).write_text("no image")
    for path, parts in {
        "missing": ["does not exist"],
        "file.png": ["is not a folder"],
        "none": ["no image in", ".png"],
        "bad": ["none of the 3", "'a.png': its content"],
    }.items():
        message = refusal(lambda path=path: read_folder(tmp_path / path, size=8, what="faces"))
        assert message.startswith("faces: ")
        assert all(part in message for part in [path, *parts])
    with pytest.raises(InputError, match="at least 1"):
        read_folder(tmp_path, size=0)


def test_a_large_picture_stands_in_memory_once_beside_its_decoder(tmp_path):
    drawn = np.add.outer(np.arange(1501), np.arange(4003) // 16)[..., None] + [0, 40, 80]
    drawn = drawn.astype(np.uint8)
    Image.fromarray(drawn).save(tmp_path / "wide.png", compress_level=1)
    read_image(tmp_path / "wide.png")  # what is imported on the way is not counted
    tracemalloc.start()
    found = read_image(tmp_path / "wide.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found, drawn)
    assert found.flags.c_contiguous
    assert found.flags.writeable
    # The picture, and strips of it; as bytes at once it would be three times the picture.
    assert most < 2 * found.nbytes
