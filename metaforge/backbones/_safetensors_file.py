"""Tensors out of a safetensors file, which holds nothing that could be run."""

from pathlib import Path

import numpy as np

from metaforge.errors import InputError


def read_safetensors_file(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, in the file's precision.

    Raises:
        InputError: if there is no such file, or it is damaged or of another kind.

    Example:
        >>> read_safetensors_file("weights.safetensors")
        Traceback (most recent call last):
        metaforge.errors.InputError: weights: no file 'weights.safetensors'. Give one with an EfficientNet's weights.
    """
    import ml_dtypes  # noqa: F401 - tells NumPy of bfloat16
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise InputError(f"weights: no file '{path}'. Give one with an EfficientNet's weights.")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"weights: '{path}' is damaged or no safetensors file ({error}).") from error
