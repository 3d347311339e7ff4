"""That annotations of shapes are checked while tests run."""

import importlib

import jax.numpy as jnp
import jaxtyping
import pytest

from metaforge.losses import energy
from tests.conftest import SHAPED


def test_every_module_that_says_shapes_is_checked():
    assert {"metaforge.types", "metaforge.core.inner", "metaforge.data.pools"} <= set(SHAPED)
    loaders = {name: type(importlib.import_module(name).__loader__).__module__ for name in SHAPED}
    assert {name for name, loader in loaders.items() if not loader.startswith("jaxtyping")} == set()


def test_an_array_of_another_shape_than_is_said_is_an_error():
    with pytest.raises(jaxtyping.TypeCheckError):
        energy(jnp.ones(3))
