"""What `metaforge forge` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.data.specs import RealFaces
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to forge, of whom, where to."""

    out: str = setting(..., "Folder for real/ and fake/; must not exist yet.", place="folder")
    methods: str = setting(..., "Forgery methods, comma-separated.")
    people: str = setting("test", "Whose photographs.", choices=("test", "validation", "train"))


@dataclasses.dataclass(frozen=True)
class ForgedFaces(RealFaces):
    """Real faces, and the size of what is made of them."""

    image_size: int = setting(32, "Side of the face crops, in pixels.", least=16, most=4096)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `forge` is told of faces."""

    faces: ForgedFaces = ForgedFaces()
