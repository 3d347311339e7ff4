"""How all tests run: on the CPU and strict about broadcasting.

`jax_disable_most_optimizations` would compile faster, but with it XLA's CPU backend gets the gradients of Conv4 wrong.
"""

import os

import jax
import pytest

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS") or "cpu")
# Arrays of different rank never meet by accident: (n,) against (n, 1) would quietly give (n, n).
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    """Double precision, for comparisons that finite differences or ten digits need."""
    with jax.enable_x64(True):
        yield
