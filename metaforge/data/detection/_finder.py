"""All faces of a picture: BlazeFace says where they are, the mesh whether they are and where exactly."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from metaforge.data.detection._blazeface import SHORT, SMALL, Network, Proposals, propose
from metaforge.data.detection._mesh import five_of, settled_mesh
from metaforge.data.detection._suppression import areas, groups, overlap
from metaforge.data.detection.detection import Detection

_SURE = 0.75  # of the fast network: below it, the other one looks too
_MESH = 0.5  # below it, the mesh says that there is no face
_FOREHEAD = 0.16  # from the mesh's upper edge to the hairline, in heights of the mesh: boxes then meet MTCNN's best
_SAME = 0.3  # boxes that share more are one face
_LONG = 2.0  # a picture that is so many times longer than wide is looked at in squares
_TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}
_MOST = 64  # faces or windows of one picture


def every_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> list[Detection]:
    """The faces of a picture, the largest first; upright ones, or turned ones where there is no upright one."""
    picture = Image.fromarray(image)
    found = _accepted(picture, _looked(picture, SMALL, min_face, threshold), min_face, threshold)
    return found or _turned(picture, min_face, threshold)


def largest_face(image: UInt8[np.ndarray, "height width 3"], *, min_face: float, threshold: float) -> Detection | None:
    """The largest face of a picture. Where it is large and plain to see, finding it takes a third of the time."""
    picture = Image.fromarray(image)
    quick = propose(picture, SHORT, threshold=max(_SURE, threshold))
    found = _accepted(picture, quick, max(min_face, SHORT.smallest / SHORT.side), threshold)
    return next(iter(found or every_face(image, min_face=min_face, threshold=threshold)), None)


def _looked(picture: Any, network: Network, min_face: float, threshold: float) -> Proposals:
    """What a network sees in the whole picture, and in parts of it where faces may be too small, or it is long."""
    width, height = picture.size
    seen = [propose(picture, network, threshold=threshold)]
    long, short = max(width, height), min(width, height)
    side = min(float(long), max(short, 1.0)) if long > _LONG * short else float(long)
    # A window may be so large that the smallest face still has the pixels that the network needs.
    side = min(side, max(min_face * long * network.side / network.smallest, 64.0))
    if side < long:
        for box in _windows(width, height, int(np.ceil(side))):
            part = propose(picture.crop(box), network, threshold=threshold)
            corner = np.array(box[:2], np.float64)
            seen.append(Proposals(part.boxes + np.tile(corner, 2), part.points + corner, part.scores))
    whole = Proposals(*(np.concatenate(parts) for parts in zip(*seen, strict=True)))
    best = [same[0] for same in groups(whole.boxes, whole.scores, _SAME)][:_MOST]
    return Proposals(whole.boxes[best], whole.points[best], whole.scores[best])


def _windows(width: int, height: int, side: int) -> list[tuple[int, int, int, int]]:
    """Squares that cover a picture, each overlapping the next by a quarter at least; at most `_MOST`, evenly spread."""
    across, down = (
        np.linspace(0, max(length - side, 0), 1 + max(0, int(np.ceil((length - side) / (0.75 * side)))))
        for length in (width, height)
    )
    corners = [(round(x), round(y)) for y in down for x in across]
    step = int(np.ceil(len(corners) / _MOST))
    return [(x, y, min(x + side, width), min(y + side, height)) for x, y in corners[::step]]


def _accepted(picture: Any, seen: Proposals, min_face: float, threshold: float) -> list[Detection]:
    """Of what was seen, that which the mesh takes for a face, with its points; the largest first."""
    smallest, found = min_face * max(picture.size), []
    for box, points, score in zip(*seen, strict=True):
        if score < threshold:
            continue
        mesh, sure = settled_mesh(picture, box, points[:2])
        if sure < _MESH:
            continue
        top = mesh[10] + _FOREHEAD * (mesh[10] - mesh[152])
        reach = np.concatenate([mesh, top[None]])
        exact = np.concatenate([reach.min(axis=0), reach.max(axis=0)])
        if (exact[2:] - exact[:2]).max() < smallest or any(overlap(exact, one.box[None])[0] > _SAME for one in found):
            continue
        found.append(
            Detection(
                exact.astype(np.float32), five_of(mesh).astype(np.float32), float(score),
                mesh=mesh.astype(np.float32), mesh_score=float(sure),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: -float(areas(one.box[None])[0]))


def _turned(picture: Any, min_face: float, threshold: float) -> list[Detection]:
    """The faces of a picture that lies on its side or on its head, where they are in the picture as it is."""
    width, height = picture.size
    for turns, how in _TURNS.items():
        flat = picture.transpose(how)
        found = _accepted(flat, propose(flat, SMALL, threshold=threshold), min_face, threshold)
        if found:
            return [_back(one, turns, width, height) for one in found]
    return []


def _back(face: Detection, turns: int, width: int, height: int) -> Detection:
    """A face of the picture turned left by quarter turns, in the picture as it was."""

    def point(xy: np.ndarray) -> np.ndarray:
        x, y = xy[..., 0], xy[..., 1]
        where = {1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turns]
        return np.stack(where, axis=-1).astype(np.float32)

    corners = point(face.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return face._replace(box=box, points=point(face.points), mesh=None if face.mesh is None else point(face.mesh))
