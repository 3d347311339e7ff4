"""All faces of a picture: BlazeFace says where they are, the mesh whether they are and where exactly."""

from collections.abc import Sequence
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
_FOREHEAD = 0.16  # from the mesh's upper edge to the hairline, in heights of the mesh: where people mark it
_PLAIN = 0.75  # of the best face's score, below which a face comes after the others
_LARGE = 1.5  # times the smallest face that the fast network finds: such ones it does not miss, but when they turn
_SAME = 0.3  # boxes that share more are one face
_LONG = 2.0  # a picture that is so many times longer than wide is looked at in squares
_MOST = 64  # faces or windows of one picture


def every_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> list[Detection]:
    """The faces of a picture, however they are turned, the largest first."""
    return _accepted(image, _looked(Image.fromarray(image), min_face, _least(threshold)), min_face, threshold)


def largest_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> Detection | None:
    """The largest face of a picture. Where it is large and plain to see, finding it takes half of the time."""
    found = _quick(image, Image.fromarray(image), min_face, threshold)
    return next(iter(found or every_face(image, min_face=min_face, threshold=threshold)), None)


def again(
    image: UInt8[np.ndarray, "height width 3"], before: Sequence[Detection], *, min_face: float, threshold: float
) -> list[Detection] | None:
    """The faces of a picture that comes after another one, in half of the time; `None` if one of `before` is missing.

    Large faces are found anew, wherever they are. Small ones are looked for where they were; new ones are not seen.
    """
    # Every few rows are enough for a network that sees 128, and the mesh looks at all of them.
    step = max(1, max(image.shape[:2]) // (4 * SHORT.side))
    small = Image.fromarray(image[::step]).reduce((step, 1))
    found = _quick(image, small, min_face, threshold)
    lost = [one for one in before if not _one_of(one.box, found)]
    moved = sum(not _one_of(one.box, before) for one in found)
    large = _LARGE * SHORT.smallest / SHORT.side * max(image.shape[:2])
    for one in sorted(lost, key=lambda one: -_side(one.box)):
        if moved and _side(one.box) >= large:
            moved -= 1
            continue
        if one.mesh is None:
            return None
        around = np.concatenate([one.mesh.min(axis=0), one.mesh.max(axis=0)]).astype(np.float64)
        mesh, sure = settled_mesh(image, around, one.points[:2].astype(np.float64))
        same = _face(mesh, float(np.sqrt(one.score * sure)), sure)
        if sure < _SURE or same.score < threshold or _one_of(same.box, found):
            return None
        found.append(same)
    return _ordered(found)


def _least(threshold: float) -> float:
    """What BlazeFace must say at least, if the mesh is certain: the score is the geometric mean of both."""
    return threshold**2


def _smallest(size: tuple[int, int], min_face: float) -> float:
    """The smallest face in pixels. A panorama's faces are no larger than it is high, so its length does not count."""
    return min_face * min(max(size), _LONG * min(size))


def _looked(picture: Any, min_face: float, threshold: float) -> Proposals:
    """What is seen in the whole picture, and closer to where faces may be too small for that, or it is long."""
    width, height = picture.size
    seen = [propose(picture, SMALL, threshold=threshold)]
    long, short = max(width, height), max(min(width, height), 1)
    smallest = _smallest(picture.size, min_face)
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


def _quick(image: np.ndarray, small: Any, min_face: float, threshold: float) -> list[Detection]:
    """Those that are large and plain to see, in the picture or in a smaller copy of it."""
    seen = propose(small, SHORT, threshold=max(_SURE, _least(threshold)))
    scale = np.array(image.shape[1::-1]) / small.size
    seen = seen._replace(boxes=seen.boxes * np.tile(scale, 2), points=seen.points * scale)
    smallest = SHORT.smallest / SHORT.side * max(image.shape[:2])
    return [one for one in _accepted(image, seen, min_face, threshold) if _side(one.box) >= smallest]


def _accepted(image: np.ndarray, seen: Proposals, min_face: float, threshold: float) -> list[Detection]:
    """Of what was seen, that which the mesh takes for a face too, with its points; the largest first."""
    smallest, found = _smallest((image.shape[0], image.shape[1]), min_face), list[Detection]()
    for box, points, score in zip(*seen, strict=True):
        mesh, sure = settled_mesh(image, box, points[:2])
        if (score < _SURE or sure < 0.5) and (score >= _LIKELY or sure >= _NOTHING):
            # BlazeFace sees faces that are upside down, and takes them for upright ones; so may the mesh, but less so.
            mesh, sure = max((mesh, sure), settled_mesh(image, box, points[1::-1]), key=lambda pair: pair[1])
        both = float(np.sqrt(score * sure))
        if both < threshold:
            continue
        face = _face(mesh, both, sure)
        if _side(face.box) >= smallest and not _one_of(face.box, found):
            found.append(face)
    return _ordered(found)


def _face(mesh: np.ndarray, score: float, sure: float) -> Detection:
    """A face from its mesh: the box reaches to the hairline."""
    top = mesh[10] + _FOREHEAD * (mesh[10] - mesh[152])
    reach = np.concatenate([mesh, top[None]])
    box = np.concatenate([reach.min(axis=0), reach.max(axis=0)])
    return Detection(
        box.astype(np.float32), five_of(mesh).astype(np.float32), score, mesh=mesh.astype(np.float32),
        mesh_score=float(sure),
    )  # fmt: skip


def _one_of(box: np.ndarray, others: Sequence[Detection]) -> bool:
    return any(overlap(box, one.box[None])[0] > _SAME for one in others)


def _side(box: np.ndarray) -> float:
    return float((box[2:] - box[:2]).max())


def _ordered(found: Sequence[Detection]) -> list[Detection]:
    """What is hardly a face is no picture's largest one: a false box on clothes may be twice as large."""
    best = max((one.score for one in found), default=0.0)
    return sorted(found, key=lambda one: (one.score < _PLAIN * best, -float(areas(one.box[None])[0])))
