"""What PyTorch does of the same detector: eager, compiled, and of CLIP in bfloat16."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.engines import torch_network
from metaforge.backbones import choice
from metaforge.backbones.clip_model.config import vision_config
from metaforge.screening import Detector


def torch_programs(detector: Detector, images: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Programs that score uint8 images; none without PyTorch, or with anything but a linear head on a whole network."""
    spec = detector.spec
    whole = spec.normalisation == "frozen" or (
        spec.backbone == "clip" and spec.image_size == vision_config(spec.variant).image_size
    )
    if spec.levels or spec.neck or spec.head != "linear" or not whole:
        return {}
    try:
        import torch
    except ImportError:
        return {}
    if spec.backbone == "clip":
        of = functools.partial(torch_network.vision, vision_config(spec.variant), detector.params)
        made, extra = of(classes=spec.num_classes), {"PyTorch, bfloat16": of(classes=spec.num_classes, half=True)}
    else:
        made, extra = torch_network.network(choice.plan(spec), detector.params, classes=spec.num_classes), {}
    given = torch.from_numpy(np.ascontiguousarray(images))
    with torch.inference_mode():
        said = made(given).numpy()
    # Beyond 15 the detector's logits are those of what a float32 tells from 0 and 1.
    found, expected = (np.clip(each, -15, 15) for each in (said[:, 1] - said[:, 0], detector.examine(images)[0]))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)

    def called(network):
        def program():
            with torch.inference_mode():
                return network(given)

        return program

    programs = {"PyTorch, eager": called(made)} | {name: called(network) for name, network in extra.items()}
    for name, network in {"PyTorch": made, **extra}.items():
        compiled = called(torch.compile(network))
        # Without a C++ compiler there is no such program.
        with contextlib.suppress(Exception):
            compiled()
            programs[f"{name}, compiled"] = compiled
    return programs
