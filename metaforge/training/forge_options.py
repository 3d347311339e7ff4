"""What `metaforge forge` can be told; nothing heavy is imported to say so."""

import dataclasses

from metaforge.commands import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to forge, of whom, where to."""

    out: str = setting(..., "Folder for real/ and fake/; must not exist yet.", place="folder")
    methods: str = setting(..., "Forgery methods, comma-separated.")
    people: str = setting("test", "Whose photographs.", choices=("test", "validation", "train"))
