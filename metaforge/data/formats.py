"""Which files are pictures: the endings that they have, and what a file is that cannot be read as one."""

READ = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif"}
)
"""The endings, in small letters, of images that are read."""

SUFFIXES = READ | {
    *(".heic", ".heif", ".hif", ".jxl", ".jp2", ".j2k", ".tga"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"),
}
"""The endings, in small letters, by which an image file is known. Its content decides how it is read.
Photographs of other formats are among them: each is refused with its reason, and none is passed over in silence."""

VIDEOS = frozenset(
    {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp"}
    | {".ogv", ".y4m"}
)
"""The endings, in small letters, of videos that are read (the extra `video`)."""

HDR = {16: "PQ", 18: "HLG"}
"""Of transfer functions those of HDR: SMPTE 2084 and ARIB STD-B67, by their numbers in ISO/IEC 23091-2."""

_SAVE = "Save it as JPEG or PNG."
_EIGHT = "Save it with 8 bits a sample."
_RAW = ("a camera's raw file", "Develop it, and save it as JPEG or PNG.")
_VIDEO = ("a video", "Give it the ending of a video, such as .mp4.")
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), ("HEIC", _SAVE)),
    **dict.fromkeys((b"avif", b"avis"), ("AVIF, which this Pillow does not decode", "Install Pillow 11.3 or later.")),
    b"crx ": _RAW,
}
_BEGINNINGS = {
    b"\xff\x0a": ("JPEG XL", _SAVE),
    b"\0\0\0\x0cJXL ": ("JPEG XL", _SAVE),
    b"\0\0\0\x0cjP  ": ("JPEG 2000", _SAVE),
    b"\xff\x4f\xff\x51": ("JPEG 2000", _SAVE),
    b"8BPS": ("a Photoshop document", _SAVE),
    b"v/1\x01": ("OpenEXR", "Map its tones to 8 bits, and save it as PNG."),
    b"#?RADIANCE": ("Radiance HDR", "Map its tones to 8 bits, and save it as PNG."),
    b"\0\0\1\0": ("an icon", _SAVE),
    b"DDS ": ("a DDS texture", _SAVE),
    b"P7\n": ("PAM", _SAVE),
    b"<svg": ("a drawing (SVG)", _SAVE),
    b"<?xml": ("XML, perhaps a drawing (SVG)", _SAVE),
    b"%PDF": ("a PDF document", "Save its pictures as JPEG or PNG."),
    b"%!PS": ("a PostScript document", _SAVE),
    b"<!doctype html": ("a web page", "Download the image itself."),
    b"<html": ("a web page", "Download the image itself."),
    b"version https://git-lfs": ("a pointer to a file in Git LFS", "Fetch the file itself (git lfs pull)."),
    b"pk\3\4": ("a ZIP archive", "Unpack it."),
    b"\x1f\x8b": ("a gzip archive", "Unpack it."),
    b"\x93numpy": ("a NumPy array", "Save it as PNG."),
    b"fujifilmccd-raw": _RAW,
    b"iiu\0": _RAW,
    b"iiro": _RAW,
    b"\x1aE\xdf\xa3": _VIDEO,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), ("a TIFF of an unusual depth or coding", _EIGHT)),
}  # fmt: skip


def what_it_is(head: bytes) -> tuple[str, str]:
    """What a file is by its first bytes, and what to do with it; ("", "") for what is not known.

    Example:
        >>> what_it_is(b"<!DOCTYPE html><title>404</title>")
        ('a web page', 'Download the image itself.')
        >>> what_it_is(b"words")
        ('', '')
    """
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _VIDEO)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _VIDEO
    begins = head.lstrip().lower() if head[:1] in b"\xef <\n\r\t" else head.lower()
    begins = begins.removeprefix(b"\xef\xbb\xbf")
    return next((about for mark, about in _BEGINNINGS.items() if begins.startswith(mark.lower())), ("", ""))


def is_image(head: bytes) -> bool:
    """Whether a file begins as an image of the formats that are read, whole or not.

    Example:
        >>> is_image(b"GIF89a"), is_image(b"words")
        (True, False)
    """
    return head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or head[8:12] == b"WEBP"


def hdr_of(head: bytes) -> str:
    r"""The name of the HDR curve that the beginning of a PNG or AVIF file names, or "".

    Example:
        >>> hdr_of(b"\x89PNG..., cICP" + bytes([9, 16, 0, 1]))
        'PQ'
    """
    if head.startswith(b"\x89PNG"):
        said, mark, place = head.partition(b"IDAT")[0], b"cICP", 5  # before the pixels, in which any bytes may stand
    elif head[4:8] == b"ftyp":
        said, mark, place = head, b"colrnclx", 11
    else:
        return ""
    curve = said.partition(mark)[2][place - len(mark) :]
    return HDR.get(curve[0], "") if curve else ""
