"""Which precision is faster here: found by multiplying, once, and remembered."""

import functools
from typing import get_args

import jax

from metaforge.backbones._conv4 import Precision
from metaforge.core.tuning import SIDE, fastest, here, matrix_product
from metaforge.places import cache_folder


@functools.cache
def measured() -> Precision:
    """The precision in which a large matrix product is faster on this device, as "auto" takes it.

    Sums are in float32 either way. The answer is kept in the user's cache folder for this kind of device and version of
    JAX; "float32" without measuring where several hosts compute together, since each might come to another answer.

    Example:
        >>> measured() in ("float32", "bfloat16")
        True
    """
    if jax.process_count() > 1:
        return "float32"
    key = {"precision": SIDE, **here()}
    # Products, and not their tracing, even where this is asked while a program is traced.
    with jax.ensure_compile_time_eval():
        programs = {kind: matrix_product(kind) for kind in get_args(Precision)}
        found = fastest(programs, key=key, cache=cache_folder(), rounds=5, say=lambda line: None)
    return "bfloat16" if found == "bfloat16" else "float32"
