"""Maps of judged images beside their exact masks: pointing and overlap."""

import functools
from typing import Any

import jax
import numpy as np
from PIL import Image

from experiments.explaining.cases import weights_in
from experiments.explaining.heads import Material
from experiments.explaining.judging import share
from metaforge.evaluation.regions import mask_iou
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.explanation import evidence
from metaforge.screening.explaining.grad_cam import grad_cam
from metaforge.screening.explaining.maps import filled
from metaforge.screening.explaining.region_head import NAMES, RegionHead
from metaforge.screening.explaining.seeing import maps_of, with_detail


def map_scores(
    made: Material, heads: dict[str, RegionHead], detector: Detector, chosen: dict[str, Any], *, resamples: int
) -> dict[str, Any]:
    """How often the highest point lies in the true mask, and how well a map above its threshold covers it.

    Of images of which a part was forged, each by the head, and the level of Grad-CAM, that had not seen its family.
    """
    table = made.table
    points: dict[str, list[float]] = {}
    overlaps: dict[str, list[float]] = {}
    people = []
    for place, row in enumerate(table.shown):
        if not table.about["part"][row] or not table.found[row]:
            continue
        image, mask, family = table.images[place], table.masks[place], str(made.family[row])
        weights = weights_in(image)
        if weights is None:
            continue
        head, cam = heads[family], chosen[family]
        regions, shown = evidence(detector, head, with_detail(maps_of(detector.spec)), image, weights)
        face = weights.max(0) > 0
        areas = filled(weights, regions)
        heat = grown(np.asarray(cams_of(detector, image)[cam["level"]])[0], len(image)) * face
        limit = float(head.threshold[NAMES.index("nose")])
        ways = {
            "windows": (shown, shown > limit),
            "regions, filled": (areas, areas > limit),
            "Grad-CAM, best map": (heat, heat > cam["cut"] * heat[face].mean()),
            "the whole face": (None, face),
        }
        for name, (values, above) in ways.items():
            # Of the face as a whole any point is as good as another.
            hit = float(mask[face].mean()) if values is None else float(mask[values == values.max()].mean())
            points.setdefault(name, []).append(hit)
            overlaps.setdefault(name, []).append(mask_iou(mask, above))
        people.append(table.about["person"][row])
    who = np.array(people)
    return {
        "images": len(people),
        "ways": {
            name: {"pointing": share(np.array(points[name]), who, resamples=resamples),
                   "iou": share(np.array(overlaps[name]), who, resamples=resamples)}
            for name in points
        },
    }  # fmt: skip


def cams_of(detector: Detector, image: np.ndarray):
    """Grad-CAM of every level of one image."""
    return _cams(detector.spec, detector.params, image[None])


@functools.partial(jax.jit, static_argnums=0)
def _cams(spec, params, images):
    return grad_cam(spec, params, maps_of(spec)(params, images))


def grown(cam: np.ndarray, size: int) -> np.ndarray:
    """A map as large as the image."""
    grid = Image.fromarray(cam.astype(np.float32))
    return np.asarray(grid.resize((size, size), Image.Resampling.BILINEAR), np.float64)
