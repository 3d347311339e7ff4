"""What is asked: bodies of requests, written once, so that the client has nothing to encode."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BOUNDARY = "----------------metaforge"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def jpeg(picture: np.ndarray) -> bytes:
    """A picture as cameras and phones send it."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=92)
    return out.getvalue()


def crops(size: int, *, count: int = 64) -> list[bytes]:
    """Face crops of London, one a person as long as there are enough."""
    from metaforge.data.embedded_faces import embedded_faces

    faces = embedded_faces("london", size=size)
    return [jpeg(np.asarray(face.image)) for face in faces[:: max(1, len(faces) // count)][:count]]


def photographs(width: int) -> list[bytes]:
    """The whole photographs that ship with the package."""
    from metaforge.data.embedded_faces import whole_photographs

    found = [Image.fromarray(each) for each in whole_photographs().values()]
    return [jpeg(np.asarray(each.resize((width, round(each.height * width / each.width))))) for each in found]


def body(files: list[bytes], *, field: str, **fields: str) -> bytes:
    """A form with some files, as a browser would send it."""
    import httpx

    parts: Any = [(field, (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(files)]
    return httpx.Request("POST", "http://x/", files=parts, data=fields, headers={"Content-Type": TYPE}).read()


def write(folder: Path, bodies: list[bytes]) -> list[str]:
    """Writes bodies as files, and says where."""
    folder.mkdir(parents=True)
    for number, data in enumerate(bodies):
        (folder / f"{number:04}").write_bytes(data)
    return [str(path) for path in sorted(folder.iterdir())]
