"""Reconstruction from few numbers: what an autoencoder's bottleneck leaves of a face, pasted back."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from metaforge.errors import InputError
from metaforge.forgeries.base import Face, Forged, Forgery, compose
from metaforge.forgeries.framing import into_frame, out_of_frame
from metaforge.forgeries.masks import face_mask, soften


def reconstruction(faces: Sequence[Face]) -> Forgery:
    """Reconstruction by principal components of the training faces and their mirror images, pasted back.

    A linear autoencoder; between a quarter and two thirds of the components are kept.

    Args:
        faces: the faces that the components are fitted to: training faces only.

    References:
        Turk and Pentland, *Eigenfaces for Recognition*, Journal of Cognitive Neuroscience, 1991.
    """
    if not faces:
        raise InputError("reconstruction: no faces to fit its components to. Give `fit_faces`.")
    images = np.stack([flip for face in faces[:200] for flip in (face.image, face.image[:, ::-1])])
    mean, components = principal_components(images.astype(np.float32))

    def forge(rng: np.random.Generator, target: Face, donor: Face | None) -> Forged:
        kept = max(1, round(float(rng.uniform(0.25, 0.67)) * len(components)))
        usual = target.image.astype(np.float32)
        if target.frame is not None:
            # The components are those of the usual crop.
            usual = out_of_frame(usual, target.frame)
        content = project(usual, mean, components[:kept])
        if target.frame is not None:
            content = into_frame(content, target.frame)
        soft, parameters = soften(rng, face_mask(rng, target))
        return compose(target.image, content, soft, parameters | {"components": kept})

    return Forgery("reconstruction", False, forge)


def principal_components(
    images: Float[np.ndarray, "faces height width 3"],
) -> tuple[Float[np.ndarray, " pixels"], Float[np.ndarray, "components pixels"]]:
    """The mean and the principal components of images, largest first.

    Example:
        >>> images = np.random.default_rng(0).uniform(0, 255, (5, 4, 4, 3))
        >>> mean, components = principal_components(images)
        >>> mean.shape, components.shape
        ((48,), (4, 48))
    """
    flat = images.reshape(len(images), -1)
    mean = flat.mean(axis=0)
    centred = flat - mean
    # Through the small matrix of faces by faces: there are far fewer faces than pixels.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(values)[::-1]
    order = order[values[order] > 1e-9 * max(values.max(), 1e-9)]
    components = vectors[:, order].T @ centred
    return mean, components / np.linalg.norm(components, axis=1, keepdims=True)


def project(
    image: Float[np.ndarray, "height width 3"],
    mean: Float[np.ndarray, " pixels"],
    components: Float[np.ndarray, "components pixels"],
) -> Float[np.ndarray, "height width 3"]:
    """What the components keep of an image."""
    return (mean + (image.ravel() - mean) @ components.T @ components).reshape(image.shape)
