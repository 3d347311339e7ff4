"""Real faces by collection, nobody in two of them."""

from experiments.strangers.config import Config
from metaforge.data.collected import LEAST, collected
from metaforge.errors import InputError
from metaforge.forgeries.acquisition import WILD, check_acquisitions
from metaforge.forgeries.base import Face
from metaforge.forgeries.synthesis import FORGERIES


def methods(config: Config) -> tuple[str, ...]:
    """The forgery methods, in the order of `FORGERIES`.

    Raises:
        InputError: for an unknown name, or fewer than three.
    """
    asked = [*FORGERIES] if config.faces.methods == "all" else config.faces.methods.split(",")
    if unknown := [name for name in asked if name not in FORGERIES]:
        raise InputError(f"--faces.methods: unknown '{unknown[0]}'; known: {', '.join(FORGERIES)}.")
    if len({*asked}) < LEAST:
        raise InputError(f"--faces.methods={config.faces.methods}: give {LEAST} or more.")
    return tuple(name for name in FORGERIES if name in asked)


def acquisitions(config: Config) -> tuple[str, ...]:
    """What happens to real and fake alike.

    Raises:
        InputError: for an unknown name, or one that cannot be had here.
    """
    found = tuple(dict.fromkeys(config.faces.acquisitions.split(",")))
    check_acquisitions(found, what="--faces.acquisitions")
    return found


def collections(config: Config, *, quiet: bool = True) -> tuple[dict[str, list[Face]], dict[str, int]]:
    """The faces of each collection, by name, and how many photographs each lost to another.

    Who is in two collections stays in the one with fewer people, so that nobody is on both sides of a fold.

    Raises:
        InputError: when there is no folder, a path or the table lacks what is asked of it, or there are fewer than
            three collections, or too few people in one.
    """
    kept, lost = collected(config.faces, size=config.model.image_size, around=WILD in acquisitions(config), quiet=quiet)
    needed = 2 * config.numbers()[0] + config.judged
    for name, mine in kept.items():
        if (count := len({face.identity for face in mine})) < needed:
            raise InputError(
                f"--faces.folder: '{name}' has {count} people; {config.numbers()[0]} shots a class and "
                f"{config.judged} who are judged need {needed}. Leave it out, or lower --shots or --judged."
            )
    return kept, lost
