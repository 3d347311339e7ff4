"""What an upload is, by its content alone: its name and the type that came with it are words of a stranger."""

from metaforge.data.formats import is_image, what_it_is
from metaforge.errors import printable
from metaforge.screening.verdicts.record import Kind
from metaforge.serving.errors import problem

_LONGEST = 120

_IMAGES = (b"BM", b"II*\0", b"MM\0*", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF")
_VIDEOS = (b"\x1aE\xdf\xa3", b"FLV", b"OggS", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"\x30\x26\xb2\x75", b"YUV4MPEG2 ")


def kind_of(head: bytes) -> Kind:
    """Whether an upload is a picture or a video.

    Args:
        head: its first 512 bytes, or all of it.

    Raises:
        Problem: 400 if there is nothing, 415 if it is neither, which says what it is if that is known.

    Example:
        >>> kind_of(b"GIF89a")
        'image'
        >>> kind_of(b"<svg>")
        Traceback (most recent call last):
        metaforge.serving.errors.Problem: This is a drawing (SVG). Save it as JPEG or PNG.
    """
    if not head:
        raise problem("empty", "There is nothing in the file. Choose it again.")
    if is_image(head) or head.startswith(_IMAGES) or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis")):
        return "image"
    found, remedy = what_it_is(head)
    transport = head[:1] == b"G" and len(head) > 376 and head[188:189] == head[376:377] == b"G"
    if found == "a video" or transport or head.startswith(_VIDEOS):
        return "video"
    if found:
        raise problem("unsupported_type", f"This is {found}. {remedy}")
    raise problem("unsupported_type", "This is no picture and no video that is known here. Send a JPEG, PNG or MP4.")


def name_of(given: str | None) -> str:
    r"""What an upload is called in its record: the last part of its name, as it can be printed; "upload" without one.

    Example:
        >>> name_of("../../etc/a\nb.jpg"), name_of(None)
        ('a\\nb.jpg', 'upload')
    """
    last = (given or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    return printable(last)[-_LONGEST:] or "upload"
