"""Files that were made to do harm, each a few kilobytes; nothing here is a picture of anybody."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image


def picture(form="PNG", *, size=(24, 20), seed=0, **more):
    """A picture of coloured noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, form, **more)
    return held.getvalue()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, rows=b""):
    """A PNG of greys, with the chunks before its pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def zeros(count):
    """So many bytes of 0, compressed a thousandfold."""
    squeeze = zlib.compressobj(9)
    return b"".join([*(squeeze.compress(bytes(1 << 20)) for _ in range(count >> 20)), squeeze.flush()])


def webp_bomb(side=16_384, frames=1000):
    """An animation on the largest canvas that the format has, of frames of one pixel."""
    frame = picture("WEBP", size=(1, 1), lossless=True)[12:]
    place = struct.pack("<3sB", b"\0\0\0", 0)[:3] * 2 + b"\0\0\0" * 2 + b"\0\0\0" + b"\0"
    part = lambda kind, data: kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    side_24 = struct.pack("<I", side - 1)[:3]
    body = part(b"VP8X", b"\x02\0\0\0" + side_24 * 2) + part(b"ANIM", bytes(6)) + part(b"ANMF", place + frame) * frames
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif_bomb(frames=2000):
    """A screen of 65,535 by 65,535 pixels, and many frames."""
    held = io.BytesIO()
    Image.new("P", (1, 1)).save(held, "GIF")
    small = held.getvalue()
    first = small.index(b"\x2c")
    return small[:6] + struct.pack("<HH", 65_535, 65_535) + small[10:first] + small[first:-1] * frames + b";"


def tiff_bomb():
    """A TIFF of 60,000 by 60,000 pixels in one compressed strip."""
    held = io.BytesIO()
    Image.new("L", (8, 8)).save(held, "TIFF", compression="tiff_adobe_deflate")
    data = bytearray(held.getvalue())
    (place,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[place : place + 2])
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        if struct.unpack("<H", data[entry : entry + 2])[0] in (256, 257, 278):
            data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60_000)
    return bytes(data)


def archive(*names, data=b"", times=1):
    """A zip."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(name, data * times)
    return held.getvalue()


SCRIPT = b"<script>alert(document.domain)</script>"
PDF = b"%PDF-1.7\n1 0 obj\n<</Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>\nendobj\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="http://127.0.0.1/"/></svg>'
HTML = b"<!DOCTYPE html><html><body>" + SCRIPT + b"</body></html>"

ROWS = zlib.compress(b"\0" * 420)
BMP = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 10**5, 10**5, 1, 24, 0, 0, 0, 0, 0, 0)

REFUSED = {
    "SVG": SVG,
    "SVG after a declaration": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SVG,
    "SVG after spaces": b"\n \t" + SVG,
    "HTML": HTML,
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "JavaScript": b"alert(1)//",
    "PDF": PDF,
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n",
    "an executable": b"MZ\x90\0" + bytes(500),
    "an executable of Linux": b"\x7fELF\x02\x01\x01" + bytes(500),
    "a zip of pictures": archive("a.png", "b.png", data=picture()),
    "a zip bomb": archive("a", data=bytes(1 << 20), times=50),
    "gzip": zlib.compress(bytes(1 << 20), wbits=31),
    "a gzip bomb": zlib.compress(bytes(50 << 20), wbits=31),
    "a pickle": b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R.",
    "an array": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60 + b"\n",
    "text": b"hello, world",
    "zeros": bytes(1000),
    "JSON": b'{"content": "aGVsbG8="}',
    "a playlist": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/secret\n",
    "a playlist of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "a PDF that holds a picture": PDF + picture("JPEG"),
    "HTML that holds a picture": HTML + picture("JPEG"),
}
"""What is neither a picture nor a video: 415."""

BROKEN = {
    "a PNG of 50,000 x 50,000": png(50_000, 50_000, rows=zeros(1 << 20)),
    "a PNG of 2^31 x 2^31": png(2**31 - 1, 2**31 - 1, rows=zeros(1 << 20)),
    "a PNG without pixels": png(0, 0),
    "a PNG with a text bomb": png(20, 20, png_chunk(b"zTXt", b"a\0\0" + zeros(80 << 20)), rows=ROWS),
    "a WebP on the largest canvas": webp_bomb(),
    "a GIF on the largest screen": gif_bomb(),
    "a TIFF of 60,000 x 60,000": tiff_bomb(),
    "a BMP of 100,000 x 100,000": BMP,
    "a PPM of 10^9 x 10^9": b"P6 1000000000 1000000000 255 " + bytes(1000),
    "a PPM of endless digits": b"P6 " + b"9" * 100_000 + b" 1 255 ",
    "a cut JPEG": picture("JPEG", size=(200, 200))[:800],
    "a JPEG of its first bytes": b"\xff\xd8\xff\xe0",
    "a cut WebP": picture("WEBP")[:40],
    "a cut GIF": picture("GIF")[:20],
    "GIF and JavaScript": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//",
    "an MP4 that is none": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + bytes(2000),
    "a Matroska that is none": b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 8,
    "an AVI that is none": b"RIFF\xff\xff\xff\x7fAVI LIST" + bytes(2000),
    "an Ogg that is none": b"OggS" + bytes(2000),
    "a transport stream that is none": (b"G" + bytes(187)) * 20,
}  # fmt: skip
"""What begins as a picture or a video, and is none that can be read: 422 (or 415)."""


def polyglots():
    """Pictures that are something else, too: judged as pictures."""
    jpeg, gif, flat = picture("JPEG"), picture("GIF"), picture("PNG")
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(SCRIPT)) + SCRIPT
    return {
        "JPEG and zip": jpeg + archive("evil.sh", data=b"id"),
        "JPEG and HTML in a comment": jpeg[:2] + comment + jpeg[2:],
        "JPEG and HTML after its end": jpeg + HTML,
        "PNG and PDF": flat[:33] + png_chunk(b"tEXt", b"a\0" + PDF) + flat[33:] + PDF,
        "PNG and a script in its words": flat[:33] + png_chunk(b"iTXt", b"a\0\0\0\0\0" + SCRIPT) + flat[33:],
        "GIF and JavaScript after its end": gif + b"=1;alert(1)//",
        "PPM and a script": b"P6\n# <script>alert(1)</script>\n2 1\n255\n" + bytes(6),
    }
