"""What the recipe for real deepfakes says of itself."""

import dataclasses

import jax

from experiments import _moving, _setup
from experiments.config import STRONG


def test_it_moves_the_parts_that_it_names_and_no_other():
    shapes = jax.eval_shape(lambda: _setup.all_params(dataclasses.replace(STRONG, weights="")))
    moving = _moving.part(STRONG, shapes)[0]
    assert {name for name in moving if jax.tree.leaves(moving[name])} == {"block15", "top", "top_norm", "head"}


def test_its_lead_is_one_of_its_methods():
    assert STRONG.lead in _setup.methods(STRONG)[0]
