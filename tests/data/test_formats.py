"""Pictures as cameras, phones and browsers write them: read right, or refused with the true reason."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from metaforge.data import images
from metaforge.data.faces import load_faces
from metaforge.data.folders import read_folder
from metaforge.data.images import decode_image
from metaforge.errors import InputError

GREY = np.linspace(0, 255, 48).astype(np.uint8).reshape(6, 8)


def refusal(data):
    with pytest.raises(InputError) as caught:
        decode_image(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def saved(pixels, kind="PNG", *, mode=None, **options):
    image, stream = Image.fromarray(pixels), io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def tiff(pixels, bits, *, white_is_zero=False, kind=1, order="<", extra=()):
    """A TIFF of one grey strip, whose bytes are `pixels`."""
    tags = {256: (3, 8), 257: (3, 6), 258: (3, bits), 259: (3, 1), 262: (3, int(not white_is_zero)), 277: (3, 1)}
    tags |= {278: (3, 6), 279: (4, len(pixels)), 339: (3, kind), **dict(extra)}
    tags[273] = (4, 8 + 2 + 12 * (len(tags) + 1) + 4)
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(tags))
    for tag, (size, value) in sorted(tags.items()):
        cell = struct.pack(order + "HH", value, 0) if size == 3 else struct.pack(order + "I", value)
        out += struct.pack(order + "HHI", tag, size, 1) + cell
    return out + struct.pack(order + "I", 0) + pixels


def twelve_bits():
    pairs = (GREY.astype(int) * 4095 // 255).reshape(-1, 2)
    packed = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
    return np.stack(packed, axis=-1).astype(np.uint8).tobytes()


SIXTEEN = GREY.astype(np.uint16) * 257
DEPTHS = {
    "8": tiff(GREY.tobytes(), 8),
    "8, white is 0": tiff((255 - GREY).tobytes(), 8, white_is_zero=True),
    "12": tiff(twelve_bits(), 12),
    "16": tiff(SIXTEEN.astype("<u2").tobytes(), 16),
    "16, big end first": tiff(SIXTEEN.astype(">u2").tobytes(), 16, order=">"),
    "16, white is 0": tiff((65535 - SIXTEEN).astype("<u2").tobytes(), 16, white_is_zero=True),
    "floats": tiff((GREY / 255).astype("<f4").tobytes(), 32, kind=3),
    "floats, white is 0": tiff((1 - GREY / 255).astype("<f4").tobytes(), 32, kind=3, white_is_zero=True),
}


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_grey_tiff_of_every_depth_is_read(depth):
    pixels = decode_image(DEPTHS[depth]).astype(int)
    assert np.abs(pixels - GREY[..., None]).max() <= 1


def test_a_tiff_that_cannot_be_shown_says_why():
    for bits, kind in ((16, "<i2"), (8, "i1")):
        signed = tiff(np.zeros((6, 8), kind).tobytes(), bits, kind=2)
        assert "its numbers have a sign" in refusal(signed)
    assert "a TIFF of an unusual depth" in refusal(tiff(bytes(60), 10))
    assert "begins with a preview" in refusal(tiff(GREY.tobytes(), 8, extra={254: (4, 1)}))


def test_what_is_no_image_here_is_called_by_its_name():
    mp4 = b"\0\0\0\x18ftypisom" + bytes(40)
    names = {
        b"\0\0\0\x18ftypheic" + bytes(40): "HEIC",
        b"\0\0\0\x18ftypcrx " + bytes(40): "raw file",
        mp4: "a video",
        b"\x1aE\xdf\xa3" + bytes(40): "a video",
        b"\xff\x0a" + bytes(40): "JPEG XL",
        saved(GREY, "JPEG2000"): "JPEG 2000",
        b"8BPS\0\1": "Photoshop",
        b" <!DOCTYPE html><title>404</title>": "a web page",
        b"\xef\xbb\xbf<?xml version='1.0'?><svg/>": "SVG",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "Git LFS",
    }
    for data, name in names.items():
        assert name in refusal(data)


def test_hdr_is_refused_and_sdr_of_the_same_kind_is_not():
    plain = saved(GREY)
    for curve, name in ((16, "PQ"), (18, "HLG"), (13, "")):
        body = b"cICP" + bytes([9, curve, 0, 1])
        chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
        data = plain[:33] + chunk + plain[33:]  # behind the header
        if name:
            assert f"HDR ({name})" in refusal(data)
        else:
            np.testing.assert_array_equal(decode_image(data)[..., 0], GREY)


def test_avif_is_read_where_pillow_can_and_named_where_it_cannot(monkeypatch):
    avif = b"\0\0\0\x1cftypavif" + bytes(40)
    if "AVIF" in images._FORMATS:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise
        colours = np.full((16, 24, 3), (200, 100, 40), np.uint8)
        pixels = decode_image(saved(colours, "AVIF", exif=exif, quality=95))
        assert pixels.shape == (24, 16, 3)
        np.testing.assert_allclose(pixels[8, 8].astype(int), (200, 100, 40), atol=4)
        hdr = bytearray(saved(colours, "AVIF"))
        hdr[hdr.index(b"colrnclx") + 11] = 16
        assert "HDR (PQ)" in refusal(bytes(hdr))
    monkeypatch.setattr(images, "_FORMATS", ("PNG", "JPEG"))
    assert "AVIF" in refusal(avif)


D50 = (0.9642, 1.0, 0.8249)
SRGB = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
DISPLAY_P3 = np.array([[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]])
ADOBE_RGB = np.array([[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]])


def profile(primaries=None, *, gamma):
    """An ICC profile, version 2: of three primaries (rows, X Y Z under D50), or of grey."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz(D50),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"desc": b"desc" + bytes(8) + b"\0\0\0\1" + bytes(88),
    }
    if primaries is None:
        tags |= {b"kTRC": curve}
    else:
        tags |= {name: xyz(row) for name, row in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", place + len(body), len(data))
        body += data
    space = b"GRAY" if primaries is None else b"RGB "
    head = struct.pack(">I", place + len(body)) + b"\0\0\0\0\2\x10\0\0mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in D50))
    return head.ljust(128, b"\0") + table + body


def encoded(linear):
    """The curve of sRGB."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


COLOURS = np.array([[[200, 120, 60], [90, 140, 100], [40, 60, 90], [128, 128, 128]]], np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize(("primaries", "gamma"), [(DISPLAY_P3, 2.2), (ADOBE_RGB, 2.19921875)])
def test_the_colours_of_a_profile_become_those_of_srgb(kind, primaries, gamma):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    stored = np.repeat(np.repeat(COLOURS, 8, axis=0), 8, axis=1)
    found = decode_image(saved(stored, kind, icc_profile=profile(primaries, gamma=gamma), **options))
    expected = encoded((COLOURS / 255) ** gamma @ primaries @ np.linalg.inv(SRGB))
    np.testing.assert_allclose(found[::8, ::8].astype(int), expected, atol=3)
    assert np.abs(expected - COLOURS).max() > 9  # that nothing was done would show


def test_a_grey_profile_a_transparent_picture_and_a_gamma_count_too():
    expected = np.repeat(encoded((GREY / 255) ** 1.8)[..., None], 3, axis=-1)
    bright = profile(gamma=1.8)
    np.testing.assert_allclose(decode_image(saved(GREY, icc_profile=bright)).astype(int), expected, atol=3)
    sixteen = decode_image(saved(SIXTEEN, icc_profile=bright))
    np.testing.assert_allclose(sixteen.astype(int), expected, atol=3)
    rgba = np.concatenate([COLOURS, np.array([[[255], [128], [0], [255]]], np.uint8)], axis=-1)
    shown = encoded((COLOURS / 255) ** 2.2 @ DISPLAY_P3 @ np.linalg.inv(SRGB)) * rgba[..., 3:] / 255
    found = decode_image(saved(rgba, icc_profile=profile(DISPLAY_P3, gamma=2.2)))
    np.testing.assert_allclose(found.astype(int), shown, atol=3)
    body = b"gAMA" + struct.pack(">I", 100_000)  # of light itself
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    data = saved(GREY)
    found = decode_image(data[:33] + chunk + data[33:])[..., 0]
    np.testing.assert_allclose(found.astype(int), 255 * (GREY / 255) ** (1 / 2.2), atol=1)


def test_a_profile_that_says_nothing_new_or_nothing_at_all_changes_no_bit():
    from PIL import ImageCms

    same = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for found in (same, b"no profile", profile(gamma=1.0), b""):  # the third is of grey, for colours
        np.testing.assert_array_equal(decode_image(saved(COLOURS, icc_profile=found)), COLOURS)


def test_what_is_transparent_by_a_key_of_sixteen_bits_is_black():
    data = saved(np.full((2, 2), 1000, np.uint16))
    body = b"tRNS" + struct.pack(">H", 1000)
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    assert decode_image(data)[0, 0, 0] == 4
    assert decode_image(data[:33] + chunk + data[33:])[0, 0, 0] == 0


@pytest.mark.parametrize("ending", ["jfif", "jpe", "JPG", "TIF", "dib", "pbm", "pnm", "apng", "mpo", "avif"])
def test_unusual_endings_are_read(tmp_path, ending):
    (tmp_path / f"a.{ending}").write_bytes(saved(GREY))  # the content decides
    assert read_folder(tmp_path, size=4).names == [f"a.{ending}"]


def test_every_file_that_is_not_read_is_named_with_its_reason(tmp_path):
    (tmp_path / "good.png").write_bytes(saved(GREY))
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for name in ("a.psd", "b.psd", "notes", ".hidden"):
        (tmp_path / name).write_bytes(b"8BPS")
    np.savez(tmp_path / "landmarks.npz", good=np.array([[0, 0], [7, 0], [7, 5], [0, 5]]))
    skipped = {skip.path: skip.reason for skip in read_folder(tmp_path, size=4).skipped}
    assert skipped.keys() == {"photo.heic", "a.psd", "notes", "landmarks.npz"}
    assert "HEIC" in skipped["photo.heic"]
    assert "'.psd' is not the ending of an image: left out, with 1 more" in skipped["a.psd"]
    assert "no ending" in skipped["notes"]
    faces = {skip.path for skip in load_faces(str(tmp_path), size=4).skipped}
    assert faces == skipped.keys() - {"landmarks.npz"}  # those are read, as landmarks
