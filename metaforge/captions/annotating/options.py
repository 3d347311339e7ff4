"""What `metaforge annotate` can be told; nothing heavy is imported to say so."""

import dataclasses
import os
import re
import sys
from typing import Any

from metaforge.captions.thresholds import Thresholds
from metaforge.errors import InputError
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What to annotate, and where to."""

    pairs: str = setting(
        ..., "A folder with real/ and fake/, a prepared data set, or a .csv file of real,fake.", place="read"
    )
    out: str = setting(..., "The .jsonl file to write.", place="file")
    masks: str = setting("", "Folder for a PNG of each mask.", place="folder")
    soft: str = setting("", "Folder for a PNG of each difference, in grey levels.", place="folder")
    sheet: str = setting("", "A .png to draw some of the pairs on.", place="file")
    rows: int = setting(12, "Pairs on the sheet.", least=1, most=200)
    thresholds: str = setting("", "JSON file of thresholds, name to number; --limits change single ones.", place="read")
    workers: int = setting(os.cpu_count() or 1, "Processes; each holds a pair at a time.", least=1, most=256)


# Of each threshold what its class says of it: "    name: of the mask: ...".
_ABOUT = re.findall(r"^ +(\w+): (.+)$", Thresholds.__doc__ or "", re.MULTILINE)
_SAYS = {name: says[0].upper() + says[1:] for name, says in _ABOUT}

Limits: Any = dataclasses.make_dataclass(
    "Limits",
    [
        (field.name, float, setting(field.default, _SAYS.get(field.name, "A threshold."), above=0))
        for field in dataclasses.fields(Thresholds)
    ],
    frozen=True,
)
"""The thresholds as flags."""

_AS_SHIPPED = Limits()


@dataclasses.dataclass(frozen=True)
class Config:
    """What changes the annotations."""

    crops: bool = setting(False, "Whether the images are face crops already; otherwise the largest face is cut out.")
    landmarks: str = setting(
        "", "An .npz of the real faces' landmarks; mesh: found; none. '' takes one in the folder, or finds.",
        place="read",
    )  # fmt: skip
    size: int = setting(256, "A face that is cut out is made no larger than this.", least=48, most=4096)
    limits: Any = _AS_SHIPPED


def thresholds_of(path: str, limits: Any) -> Thresholds:
    """The thresholds of a file, with those laid over them that are not as shipped.

    Args:
        path: a JSON object; "" for the shipped thresholds.
        limits: `Limits`.

    Raises:
        InputError: when the file cannot be read, names what is no threshold, or has a value that is no positive number.

    Example:
        >>> thresholds_of("", Limits(noise=8.0)).noise
        8.0
    """
    found: dict[str, Any] = {}
    if path:
        from metaforge.runs import read_json

        found = read_json(path, what="thresholds", advice="Give a JSON object, name to number.")
        usual = dataclasses.asdict(Thresholds())
        if odd := sorted(found.keys() - usual.keys()):
            raise InputError(f"thresholds: '{path}' names '{odd[0]}'; known: {', '.join(usual)}.")
        for name, value in found.items():
            # What is not positive is refused with the flags; of a whole number of any length there may be no float.
            if isinstance(value, bool) or not isinstance(value, int | float) or value > sys.float_info.max:
                shown = repr(value)
                shown = shown if len(shown) <= 40 else f"{shown[:40]}..."
                raise InputError(f"thresholds: '{path}' has {name}={shown}. Give a positive number.")
    usual = dataclasses.asdict(_AS_SHIPPED)
    given = {name: value for name, value in dataclasses.asdict(limits).items() if value != usual[name]}
    return Thresholds(**{name: float(value) for name, value in (found | given).items()})
