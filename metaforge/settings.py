"""Settings as small frozen dataclasses, nested where a command needs several: what a field is, how it changes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from metaforge.bounds import MOST, Bounds, Number, check_bounds
from metaforge.errors import InputError
from metaforge.places import Kind

Settings = TypeVar("Settings")


def setting(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] = (),
    open_in_paper: bool = False,
    least: Number = 0,
    most: Number = MOST,
    above: Number | None = None,
    below: Number | None = None,
    place: Kind = "",
) -> Any:
    """A field of settings: its default, what it does, what it may be, and whether the paper leaves it open.

    Args:
        default: its value where no flag says another; `...` where one must.
        help: what it does.

    Other Arguments:
        choices: of a text, all that it may be.
        open_in_paper: whether the paper does not say it.
        least: of a number, as are the others: the smallest that will do.
        most: the largest that will do.
        above: what it must exceed.
        below: what it must stay under.
        place: what it names on the disk, which is checked when flags are parsed (`metaforge.places`).
    """
    if open_in_paper:
        help += " Open in the paper."
    bounds = Bounds(least, most, above, below)
    about = {"help": help, "choices": tuple(choices), "bounds": bounds, "place": place}
    return dataclasses.field(default=default, metadata=about)


def fields_of(settings: Any, *, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Every setting with its dotted name and value, those of nested settings in their place.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     width: int = setting(32, "Filters.")
        >>> @dataclasses.dataclass(frozen=True)
        ... class Config:
        ...     model: Model = Model()
        >>> [(name, value) for name, _, value in fields_of(Config())]
        [('model.width', 32)]
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from fields_of(value, prefix=f"{prefix}{field.name}.")
        elif field.metadata:
            yield prefix + field.name, field, value


def change(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some of them replaced, by dotted names.

    Raises:
        KeyError: for a name that there is not.

    Example:
        >>> from metaforge.training.config import Config
        >>> change(Config(), {"learner.inner_lr": 0.5, "run.seed": 3}).learner.inner_lr
        0.5
    """
    here: dict[str, Any] = {}
    for name, value in changes.items():
        first, _, rest = name.partition(".")
        if first not in {field.name for field in dataclasses.fields(settings)}:  # type: ignore[arg-type]
            raise KeyError(name)
        if rest:
            here.setdefault(first, {})[rest] = value
        else:
            here[first] = value
    for name, value in here.items():
        if dataclasses.is_dataclass(group := getattr(settings, name)) and isinstance(value, dict):
            here[name] = change(group, value)
    return dataclasses.replace(settings, **here)  # type: ignore[type-var]


def from_nested(usual: Settings, found: Mapping[str, Any], *, name: str) -> Settings:
    """Settings as JSON has them, in the form of `usual`.

    Args:
        usual: settings of the wanted form; what they are does not count.
        found: a mapping of mappings.

    Other Arguments:
        name: what they are of, for errors.

    Raises:
        InputError: when the names are others, or a value is of another type.
    """
    fields = {field.name: getattr(usual, field.name) for field in dataclasses.fields(usual)}  # type: ignore[arg-type]
    if not isinstance(found, Mapping) or set(found) != set(fields):
        odd = sorted(set(found) ^ set(fields)) if isinstance(found, Mapping) else [type(found).__name__]
        raise InputError(f"{name}: settings of another version ({', '.join(odd[:5])} differ).")
    made = {}
    for field, value in fields.items():
        if dataclasses.is_dataclass(value):
            made[field] = from_nested(value, found[field], name=name)
        elif type(found[field]) is type(value) or (type(value) is float and type(found[field]) is int):
            made[field] = type(value)(found[field])
        else:
            raise InputError(f"{name}: {field}={found[field]!r} is of the wrong type.")
    return dataclasses.replace(usual, **made)  # type: ignore[type-var]


def check_settings(settings: Any, *, prefix: str = "") -> None:
    """Holds every setting against its bounds and choices, nested ones too.

    Raises:
        InputError: for the first that is outside, naming its flag.
    """
    check_bounds(settings, prefix=prefix)
    for name, field, value in fields_of(settings, prefix=prefix):
        choices = field.metadata["choices"]
        if choices and value not in choices:
            raise InputError(f"--{name}={value}: known: {', '.join(filter(None, choices))}.")
