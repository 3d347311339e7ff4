"""From a command line to typed settings, and from settings back to flags."""

import dataclasses
import difflib
import shlex
from collections.abc import Collection, Sequence
from typing import Any

from absl import flags

from metaforge.bounds import check_bounds
from metaforge.errors import InputError
from metaforge.output import flush
from metaforge.places import settled
from metaforge.settings import change, fields_of

_DEFINE = {bool: flags.DEFINE_boolean, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}


def flags_of(given: Any, usual: Any, *, but: Collection[str] = ()) -> list[str]:
    """The flags by which some settings differ from others, as a shell takes them.

    Args:
        given: the settings.
        usual: what a command has without flags.

    Other Arguments:
        but: dotted names that are left out.

    Example:
        >>> from metaforge.settings import change
        >>> from metaforge.training.config import Config
        >>> flags_of(change(Config(), {"learner.trainable": "^(top|head)"}), Config())
        ["'--learner.trainable=^(top|head)'"]
    """
    default = {name: value for name, _, value in fields_of(usual)}
    return [
        shlex.quote(f"--{name}={value}")
        for name, _, value in fields_of(given)
        if name not in but and value != default[name]
    ]


class HelpShownError(Exception):
    """The help was printed, and nothing is left to do."""


def parse(argv: Sequence[str], doc: str, options: Any, config: Any, presets: dict[str, Any]) -> tuple[Any, Any]:
    """The options and settings of a command line, checked; an unknown flag or a wrong value is an `InputError`."""
    values = flags.FlagValues()
    if presets:
        names = sorted(presets)
        flags.DEFINE_enum("preset", names[0], names, "The settings to start from.", flag_values=values)
        config = presets[_preset(argv, names, default=_default_preset(config, presets))]
    groups = [group for group in (options, config) if group is not None]
    for name, field, default in (found for group in groups for found in fields_of(group)):
        _define(values, name, field, default)
    flags.DEFINE_boolean("help", False, "Show this help.", short_name="h", flag_values=values)
    try:
        rest = values(list(argv))
    except flags.UnrecognizedFlagError as error:
        names = sorted(name for name in values if len(name) > 1)
        close = difflib.get_close_matches(error.flagname, names, n=1, cutoff=0.8)
        meant = f" (did you mean --{close[0]}?)" if close else ""
        known = ", ".join(f"--{name}" for name in names)
        raise InputError(f"unknown flag --{error.flagname}{meant}; known: {known}.") from None
    except flags.IllegalFlagValueError as error:
        text = str(error).replace("one of <|", "one of <")  # what is empty has no name
        text = text.replace("invalid literal for int() with base 10:", "give a whole number, not")
        raise InputError(text.replace("could not convert string to float:", "give a number, not")) from None
    if values["help"].value:
        _print_help(doc, values, options, config)
        flush()
        raise HelpShownError
    if len(rest) > 1:
        raise InputError(f"unexpected argument '{rest[1]}'. Flags look like --name=value; --help lists them.")
    chosen: dict[str, Any] = {name: values[name].value for name in values}
    for name, field, _ in fields_of(options):
        if chosen[name] is None:
            raise InputError(f"--{name} is missing: {field.metadata['help']}")
    made = []
    for group in groups:
        found = {name: chosen[name] for name, _, _ in fields_of(group)}
        for name, field, default in fields_of(group):
            if kind := field.metadata["place"]:
                found[name] = settled(name, found[name], kind, needed=default != "")
        made.append(change(group, found))
        check_bounds(made[-1])
    options, config = (*made, None)[:2]
    return options, config


def _define(values: flags.FlagValues, name: str, field: dataclasses.Field, default: Any) -> None:
    default, help = None if default is ... else default, field.metadata["help"]
    if field.metadata["choices"]:
        flags.DEFINE_enum(name, default, list(field.metadata["choices"]), help, flag_values=values)
    else:
        _DEFINE[field.type](name, default, help, flag_values=values)  # type: ignore[index]


def _default_preset(config: Any, presets: dict[str, Any]) -> str:
    return next(name for name, preset in presets.items() if preset == config)


def _preset(argv: Sequence[str], names: list[str], *, default: str) -> str:
    """The preset has to be known before the flags are defined, since it sets their defaults."""
    for place, word in enumerate(argv[1:], 1):
        flag, _, value = word.lstrip("-").partition("=")
        if word.startswith("-") and flag == "preset":
            name = value or (argv[place + 1] if place + 1 < len(argv) else "")
            if name not in names:
                raise InputError(f"unknown preset '{name}'; known: {', '.join(names)}.")
            return name
    return default


def _print_help(doc: str, values: flags.FlagValues, options: Any, config: Any) -> None:
    print(doc.strip(), "\n\nflags:")
    names = [name for name, _, _ in fields_of(options)]
    names += ["preset"] if "preset" in values else []
    names += [name for name, _, _ in fields_of(config)] if config is not None else []
    for name in names:
        flag = values[name]
        choices = getattr(flag.parser, "enum_values", None)
        # What is empty is the default, and its help says what it means.
        known = f" One of: {', '.join(filter(None, choices))}." if choices else ""
        default = "required" if flag.value is None else flag.value
        # absl puts the choices of an enumeration in front of its help.
        help = flag.help.split(">: ", 1)[-1] if choices else flag.help
        print(f"  --{name} ({default})\n      {help}{known}")
