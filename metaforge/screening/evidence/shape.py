r"""How plausible the landmarks are: how far 68 of them lie from faces as they were learned.

Shapes are laid onto their mean (Procrustes) and described by their first $k$ principal components $b$ with variances
$\lambda$, and what is left $e$:

    $D^2 = \sum_k b_k^2 / \lambda_k, \qquad R^2 = \|e\|^2 / \lambda_{\text{rest}}$.

References:
    Cootes et al., *Active Shape Models: Their Training and Application*, 1995.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from metaforge.face_regions import MESH_TO_68
from metaforge.screening.evidence.symmetry import laid_onto
from metaforge.screening.evidence.view import View

_KEPT = 12


class Prior(NamedTuple):
    """Shapes of faces.

    Attributes:
        mean: the mean shape, of length 1 about its middle.
        components: principal components, in rows.
        variances: of each.
        rest: of all others together, a face.
    """

    mean: Float[np.ndarray, "points 2"]
    components: Float[np.ndarray, "components values"]
    variances: Float[np.ndarray, " components"]
    rest: float

    def as_json(self) -> dict[str, Any]:
        """As plain numbers."""
        return {
            "mean": self.mean.round(5).tolist(),
            "components": self.components.round(4).tolist(),
            "variances": [float(f"{each:.4g}") for each in self.variances],
            "rest": float(f"{self.rest:.4g}"),
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Prior":
        """What `as_json` said."""
        mean, components, variances = (np.asarray(found[name], np.float64) for name in cls._fields[:3])
        return cls(mean, components, variances, float(found["rest"]))


def fit_prior(shapes: Float[np.ndarray, "faces points 2"], *, kept: int = _KEPT) -> Prior:
    """Learns shapes of faces.

    Args:
        shapes: landmarks of real faces.

    Other Arguments:
        kept: how many components.

    Example:
        >>> shapes = np.random.default_rng(0).normal(size=(40, 8, 2))
        >>> fit_prior(shapes, kept=3).components.shape
        (3, 16)
    """
    mean = _unit(shapes[0])
    for _ in range(5):
        mean = _unit(np.mean([laid_onto(shape, mean) for shape in shapes], axis=0))
    rows = np.stack([laid_onto(shape, mean) - mean for shape in shapes]).reshape(len(shapes), -1)
    _, values, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    variances = values**2 / max(len(shapes) - 1, 1)
    return Prior(mean, axes[:kept], variances[:kept], max(float(variances[kept:].sum()), 1e-9))


def distances(prior: Prior, shape: Float[np.ndarray, "points 2"]) -> np.ndarray:
    """$D^2$ by the number of components, and $R^2$; both are about 1 for faces like those that were learned."""
    away = (laid_onto(shape, prior.mean) - prior.mean).ravel()
    along = prior.components @ away
    left = float(away @ away - along @ along)
    return np.array([float((along**2 / prior.variances).mean()), max(left, 0.0) / prior.rest])


def points_of(view: View) -> np.ndarray:
    """The 68 points of a view."""
    return view.mesh[MESH_TO_68]


def plausibility(prior: Prior, view: View) -> np.ndarray:
    """Logarithms of `distances`."""
    return np.log(distances(prior, points_of(view)) + 1e-6)


def _unit(shape: np.ndarray) -> np.ndarray:
    centred = shape - shape.mean(axis=0)
    return centred / max(float(np.linalg.norm(centred)), 1e-12)
