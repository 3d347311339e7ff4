"""What a network with fusion costs beside the same without: parameters, and time in ONNX Runtime in paired rounds."""

import dataclasses
import time
from typing import Any

import jax
import numpy as np

from metaforge.backbones import choice
from metaforge.backbones.spec import BackboneSpec
from metaforge.screening.detector import Detector
from metaforge.screening.portable import onnx_of
from metaforge.screening.portable.opened import session_of

ROUNDS = 20
"""Of each batch; in each, every network runs once, in an order that is drawn."""

BATCHES = (1, 16)


def specs(model: BackboneSpec, fusion: str, width: int) -> dict[str, BackboneSpec]:
    """The networks: up to the top, with fusion, and with the levels of the shipped detector."""
    whole = dataclasses.replace(model, levels="")
    return {"top": whole, "fused": dataclasses.replace(whole, fusion=fusion, fusion_width=width), "levels": model}


def measure(model: BackboneSpec, fusion: str, width: int, *, seed: int) -> dict[str, Any]:
    """Parameters, and milliseconds an image with how many times those of "top" they are."""
    images, found, sessions = np.zeros((1, model.image_size, model.image_size, 3), np.uint8), {}, {}
    for name, spec in specs(model, fusion, width).items():
        params = jax.device_get(choice.choose(spec).init(jax.random.key(seed), images))
        sessions[name] = session_of(onnx_of(Detector(params, images[:0], spec, {})))
        found[name] = {"parameters": _trained(params)}
    rng = np.random.default_rng(seed)
    for batch in BATCHES:
        asked = rng.integers(0, 256, (batch, *images.shape[1:]), np.uint8)
        taken = {name: np.empty(ROUNDS) for name in sessions}
        for number in range(-2, ROUNDS):  # the first two warm up
            for name in rng.permutation(list(sessions)):
                began = time.perf_counter()
                sessions[name].run(["logit"], {"images": asked})
                if number >= 0:
                    taken[name][number] = 1000 * (time.perf_counter() - began) / batch
        drawn = rng.integers(0, ROUNDS, (1000, ROUNDS))
        for name, each in taken.items():
            ratio = each / taken["top"]
            low, high = np.quantile(np.median(ratio[drawn], axis=1), [0.025, 0.975])
            middle = float(np.median(ratio))
            found[name][f"batch {batch}"] = {
                "ms": float(np.median(each)),
                "times_top": {"value": middle, "low": min(float(low), middle), "high": max(float(high), middle)},
            }
    return found


def _trained(params: Any) -> int:
    """All parameters but statistics."""
    flat = jax.tree_util.tree_leaves_with_path(params)
    return sum(
        leaf.size for path, leaf in flat if path[-1].key not in ("mean", "variance") and path[0].key != "standardise"
    )
