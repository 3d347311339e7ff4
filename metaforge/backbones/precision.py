"""Which precision is faster here: found by multiplying, once, and remembered."""

import functools

import jax
import jax.numpy as jnp

from metaforge.backbones._conv4 import Precision
from metaforge.core.tuning import fastest, here
from metaforge.places import cache_folder

SIDE = 2048
"""Rows and columns of the matrices that are multiplied: large enough that a product's speed is the device's."""


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
    product = jax.jit(functools.partial(jnp.matmul, preferred_element_type=jnp.float32))

    def program(kind):
        square = jnp.ones((SIDE, SIDE), kind)
        return lambda: jax.block_until_ready(product(square, square))

    key = {"precision": SIDE, **here()}
    # Products, and not their tracing, even where this is asked while a program is traced.
    with jax.ensure_compile_time_eval():
        programs = {"float32": program(jnp.float32), "bfloat16": program(jnp.bfloat16)}
        found = fastest(programs, key=key, cache=cache_folder(), rounds=5, say=lambda line: None)
    return "bfloat16" if found == "bfloat16" else "float32"
