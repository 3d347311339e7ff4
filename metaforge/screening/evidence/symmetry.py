r"""How symmetric a face and its expression are: re-enactment may move one half otherwise than the other.

The mesh $X$ is mirrored, its points renamed, and laid onto itself by the best turn, scale and shift; what is left is

    $A(P) = \sqrt{\overline{\|x_p - x'_p\|^2}_{p \in P}} \,/\, d$,

with $d$ the distance of the eyes and $P$ all points, those of the mouth, or of the eyes and brows.
"""

import numpy as np
from jaxtyping import Float

from metaforge.face_regions import MESH_MIRROR, OVAL, REGIONS
from metaforge.screening.evidence.view import View

_MOUTH = np.array(REGIONS["mouth"].mesh)
_EYES = np.array([*REGIONS["left_eye"].mesh, *REGIONS["right_eye"].mesh])


def laid_onto(points: Float[np.ndarray, "points 2"], onto: Float[np.ndarray, "points 2"]) -> np.ndarray:
    """Points turned, scaled and shifted until they lie on others as near as can be (Procrustes).

    Example:
        >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> bool(np.allclose(laid_onto(3 * square[:, ::-1] * [1, -1] + 7, square), square))
        True
    """
    z, w = (np.asarray(each) @ [1, 1j] for each in (points, onto))
    centred = z - z.mean()
    factor = (centred.conj() * (w - w.mean())).sum() / max((abs(centred) ** 2).sum(), 1e-12)
    found = factor * centred + w.mean()
    return np.column_stack([found.real, found.imag])


def asymmetry(mesh: Float[np.ndarray, "468 2"]) -> np.ndarray:
    """How far a mesh lies from its mirror image: the whole, the mouth, and the eyes with the brows."""
    mirrored = (mesh * [-1, 1])[MESH_MIRROR]
    away = ((mesh - laid_onto(mirrored, mesh)) ** 2).sum(axis=1)
    apart = max(float(np.linalg.norm(mesh[33] - mesh[263])), 1e-6)
    return np.sqrt([away.mean(), away[_MOUTH].mean(), away[_EYES].mean()]) / apart


def symmetry(view: View) -> np.ndarray:
    """Logarithms of `asymmetry`: of the whole, and of mouth and eyes by that of the outline, which is that of pose."""
    whole, mouth, eyes = asymmetry(view.mesh)
    mirrored = laid_onto((view.mesh * [-1, 1])[MESH_MIRROR], view.mesh)
    outline = np.sqrt(((view.mesh - mirrored)[list(OVAL)] ** 2).sum(axis=1).mean())
    outline /= max(float(np.linalg.norm(view.mesh[33] - view.mesh[263])), 1e-6)
    logs = np.log(np.array([whole, mouth, eyes, outline]) + 1e-3)
    return np.array([logs[0], logs[1] - logs[3], logs[2] - logs[3]])
