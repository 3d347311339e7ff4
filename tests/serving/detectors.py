"""A tiny detector that can be adapted, and pictures to adapt it to."""

import io

import jax
import numpy as np
from PIL import Image

from metaforge.adaptation.gaussian import uninformed
from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.screening import Detector

SPEC = BackboneSpec(image_size=16, width=4, normalisation="group", convolution="lax")
RULE = {"optimizer": "discriminant", "rate": 0.0, "steps": 0, "adaptable": "^head/", "trainable": "^head/"}


def adaptable():
    """A network that nothing was trained, whose prior knows no source, so that a few images decide."""
    params = jax.jit(choice.choose(SPEC).init)(jax.random.key(0), np.zeros((2, 16, 16, 3), np.uint8))
    prior = uninformed(len(params["head"]["kernel"]))
    about = {"learner": "erm", "adaptation": "none", "crop": "ffpp", "rule": RULE}
    return Detector(params, np.zeros((1, 16, 16, 3), np.uint8), SPEC, about, prior)


def pictures(count, *, seed=0, forged=False):
    """Face crops in PNG; forged ones are bright in a corner."""
    rng = np.random.default_rng(seed)
    found = []
    for image in rng.integers(0, 256, (count, 16, 16, 3), np.uint8):
        if forged:
            image[:8, :8] = 255
        held = io.BytesIO()
        Image.fromarray(image).save(held, "PNG")
        found.append(held.getvalue())
    return found


def form(**fields):
    """The files of a form, as httpx takes them."""
    return [
        (field, (f"{field}{number}.png", data, "image/png"))
        for field, some in fields.items()
        for number, data in enumerate(some)
    ]
