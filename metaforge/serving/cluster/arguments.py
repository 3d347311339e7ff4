"""What the `args` of an application in a config of Ray Serve may be: the settings of `metaforge serve`."""

import dataclasses
from typing import Any

import pydantic

from metaforge.errors import InputError
from metaforge.serving.options import Options
from metaforge.settings import check_settings

OF_RAY = ("host", "port", "workers")
"""Settings that the config says elsewhere: under `http_options`, and as the replicas of each deployment."""

_FIELDS: dict[str, Any] = {
    field.name: (field.type, field.default) for field in dataclasses.fields(Options) if field.name not in OF_RAY
}
_Settings: Any = pydantic.create_model("_Settings", __config__=pydantic.ConfigDict(extra="forbid"), **_FIELDS)


class Arguments(_Settings):
    """The settings of `metaforge serve` under their names, without `OF_RAY`.

    Example:
        >>> Arguments(model="m", rate=60).rate
        60
        >>> Arguments(model="m", port=80)
        Traceback (most recent call last):
        pydantic_core._pydantic_core.ValidationError: ... Extra inputs are not permitted ...
    """


def options_of(arguments: Any) -> Options:
    """The same as the service reads them.

    Raises:
        InputError: for what cannot be: a value out of bounds, or a name for others to ask under while there are no
            tokens.

    Example:
        >>> options_of(Arguments(model="m", names="detector.example"))
        Traceback (most recent call last):
        metaforge.errors.InputError: names: 'detector.example' is for others than this machine, and there are no ...
    """
    options = Options(**arguments.model_dump())
    check_settings(options)
    if options.names and not options.tokens:
        raise InputError(
            f"names: '{options.names}' is for others than this machine, and there are no tokens. Name a file of them "
            "under `tokens`, or leave `names` out."
        )
    return options
