"""Features that cannot be kept are said in one line."""

from types import SimpleNamespace

import numpy as np
import pytest

from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training import kept_features
from metaforge.training.config import Config


def test_numbers_that_half_precision_cannot_hold_are_one_line(tmp_path, monkeypatch):
    trunk = lambda frozen, images: np.full((len(images), 2), 1e6, np.float32)
    monkeypatch.setattr(kept_features, "cut_of", lambda config: SimpleNamespace(name="stem", keys=(), trunk=trunk))
    monkeypatch.setattr(kept_features.jax, "jit", lambda function: function)
    config = change(Config(), {"run.feature_cache": str(tmp_path)})
    with pytest.raises(InputError, match=r"beyond what float16 holds\. Leave it out, or see whether --model\.weights"):
        kept_features._made(config, np.zeros((3, 16, 16, 3), np.uint8), {}, quiet=True)
