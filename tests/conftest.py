"""How all tests run: on the CPU, strict about broadcasting, and cheap to compile."""

import os

import jax
import pytest

jax.config.update("jax_platforms", os.environ.get("JAX_PLATFORMS") or "cpu")
# Arrays of different rank never meet by accident: (n,) against (n, 1) would quietly give (n, n).
jax.config.update("jax_numpy_rank_promotion", "raise")
# The programs here are tiny, and compiling them is what costs.
jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture
def x64():
    """Double precision, for comparisons that finite differences or ten digits need."""
    with jax.enable_x64(True):
        yield
