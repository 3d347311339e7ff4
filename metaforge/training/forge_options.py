"""What `metaforge forge` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to forge, of whom, where to."""

    out: str = setting(..., "Folder for real/ and fake/; must not exist yet.", place="folder")
    methods: str = setting(..., "Forgery methods, comma-separated.")
    people: str = setting("test", "Whose photographs.", choices=("test", "validation", "train"))


@dataclasses.dataclass(frozen=True)
class ForgedFaces:
    """Real faces, and how forgeries of them are made."""

    folder: str = setting("lfw", "Real faces: 'lfw' (embedded) or a folder of photographs.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting("", "An .npz of landmarks; default: landmarks*.npz in the folder, if any.", place="read")
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied: each treats all images once.")
    variants: int = setting(6, "Forged pairs of each face.", least=1, most=10_000)
    split_seed: int = setting(0, "How people are split into train, validation and test.", most=2**32 - 1)
    image_size: int = setting(32, "Side of the face crops, in pixels.", least=16, most=4096)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What `forge` is told of faces."""

    faces: ForgedFaces = ForgedFaces()
