"""Features of many images by ONNX Runtime, which is faster here than JAX."""

from typing import Any

import numpy as np

from metaforge.backbones.spec import BackboneSpec
from metaforge.progress import progress
from metaforge.screening.portable import networks
from metaforge.screening.portable.graph import Graph
from metaforge.screening.portable.opened import session_of

BATCH = 16


def features(
    spec: BackboneSpec, params: Any, images: np.ndarray, *, title: str = "features", quiet: bool = True
) -> np.ndarray:
    """What the head of a network sees of images, float32 `(images, features)`."""
    graph = Graph(spec.image_size)
    seen = networks.embedded(graph, spec, params, images[:1])
    model = graph.model({"features": seen})
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = "features"
    session, parts = session_of(model.SerializeToString()), []
    with progress(title, len(images), unit="image", quiet=quiet) as bar:
        for start in range(0, len(images), BATCH):
            some = np.ascontiguousarray(images[start : start + BATCH])
            parts.append(session.run(None, {"images": some})[0])
            bar.update(len(some))
    return np.concatenate(parts)
