"""All faces of a picture: BlazeFace says where they are, the mesh whether they are and where exactly."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from metaforge.data.detection._blazeface import SHORT, SMALL, WIDE, Proposals, propose
from metaforge.data.detection._mesh import five_of, settled_mesh
from metaforge.data.detection._suppression import areas, groups, overlap
from metaforge.data.detection.detection import Detection

_SURE = 0.75  # of BlazeFace: below it, the fast network is not believed, and a face may be upside down
_LIKELY, _NOTHING = 0.4, 0.05  # of BlazeFace and of the mesh: below both, a face upside down is not looked for either
_FOREHEAD = 0.16  # from the mesh's upper edge to the hairline, in heights of the mesh: boxes then meet MTCNN's best
_PLAIN = 0.75  # of the best face's score, below which a face comes after the others
_SAME = 0.3  # boxes that share more are one face
_LONG = 2.0  # a picture that is so many times longer than wide is looked at in squares
_MOST = 64  # faces or windows of one picture


def every_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> list[Detection]:
    """The faces of a picture, however they are turned, the largest first."""
    picture = Image.fromarray(image)
    return _accepted(picture, _looked(picture, min_face, _least(threshold)), min_face, threshold)


def largest_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> Detection | None:
    """The largest face of a picture. Where it is large and plain to see, finding it takes half of the time."""
    picture = Image.fromarray(image)
    quick = propose(picture, SHORT, threshold=max(_SURE, _least(threshold)))
    found = _accepted(picture, quick, max(min_face, SHORT.smallest / SHORT.side), threshold)
    return next(iter(found or every_face(image, min_face=min_face, threshold=threshold)), None)


def _least(threshold: float) -> float:
    """What BlazeFace must say at least, if the mesh is certain: the score is the geometric mean of both."""
    return threshold**2


def _looked(picture: Any, min_face: float, threshold: float) -> Proposals:
    """What is seen in the whole picture, and closer to where faces may be too small for that, or it is long."""
    width, height = picture.size
    seen = [propose(picture, SMALL, threshold=threshold)]
    long, short = max(width, height), max(min(width, height), 1)
    smallest = min_face * long
    side = float(short if long > _LONG * short else long)
    network = SMALL if smallest / side >= SMALL.smallest / SMALL.side else WIDE
    # A window may be so large that the smallest face still has the pixels that the network needs.
    side = min(side, max(smallest * network.side / network.smallest, 64.0))
    if side < long or network is WIDE:
        for box in _windows(width, height, int(np.ceil(side))):
            part = propose(picture.crop(box), network, threshold=threshold)
            corner = np.array(box[:2], np.float64)
            seen.append(Proposals(part.boxes + np.tile(corner, 2), part.points + corner, part.scores))
    whole = Proposals(*(np.concatenate(parts) for parts in zip(*seen, strict=True)))
    best = [same[0] for same in groups(whole.boxes, whole.scores, _SAME)][:_MOST]
    return Proposals(whole.boxes[best], whole.points[best], whole.scores[best])


def _windows(width: int, height: int, side: int) -> list[tuple[int, int, int, int]]:
    """Squares that cover a picture, each overlapping the next by a quarter at least; large enough to be few."""
    across, down = (
        np.linspace(0, max(length - side, 0), 1 + max(0, int(np.ceil((length - side) / (0.75 * side)))))
        for length in (width, height)
    )
    if len(across) * len(down) > _MOST:
        return _windows(width, height, int(np.ceil(1.25 * side)))
    corners = [(round(x), round(y)) for y in down for x in across]
    return [(x, y, min(x + side, width), min(y + side, height)) for x, y in corners]


def _accepted(picture: Any, seen: Proposals, min_face: float, threshold: float) -> list[Detection]:
    """Of what was seen, that which the mesh takes for a face too, with its points; the largest first."""
    smallest, found = min_face * max(picture.size), []
    for box, points, score in zip(*seen, strict=True):
        mesh, sure = settled_mesh(picture, box, points[:2])
        if (score < _SURE or sure < 0.5) and (score >= _LIKELY or sure >= _NOTHING):
            # BlazeFace sees faces that are upside down, and takes them for upright ones; so may the mesh, but less so.
            mesh, sure = max((mesh, sure), settled_mesh(picture, box, points[1::-1]), key=lambda pair: pair[1])
        both = float(np.sqrt(score * sure))
        if both < threshold:
            continue
        top = mesh[10] + _FOREHEAD * (mesh[10] - mesh[152])
        reach = np.concatenate([mesh, top[None]])
        exact = np.concatenate([reach.min(axis=0), reach.max(axis=0)])
        if (exact[2:] - exact[:2]).max() < smallest or any(overlap(exact, one.box[None])[0] > _SAME for one in found):
            continue
        found.append(
            Detection(
                exact.astype(np.float32), five_of(mesh).astype(np.float32), both,
                mesh=mesh.astype(np.float32), mesh_score=float(sure),
            )
        )  # fmt: skip
    best = max((one.score for one in found), default=0.0)
    # What is hardly a face is no picture's largest one: a false box on clothes may be twice as large.
    return sorted(found, key=lambda one: (one.score < _PLAIN * best, -float(areas(one.box[None])[0])))
