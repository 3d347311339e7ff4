"""The leak audit: outside the mask, nothing may tell a fake from its real."""

from collections.abc import Iterable

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import binary_dilation, laplace

from metaforge.errors import InputError
from metaforge.forgeries.synthesis import Pair


def periphery_auc(pairs: Iterable[Pair], *, dilation: int = 2, block: int = 8, folds: int = 5) -> float:
    """How well pixels outside the dilated mask tell real from fake: the AUC of a classifier, 0.5 if they do not.

    Each image is described by its blocks, 8 x 8 pixels aligned as JPEG's are, that lie wholly outside the mask: the
    mean and the standard deviation over blocks of their mean, contrast, Laplacian energy and high-frequency DCT energy.
    A logistic regression is cross-validated with nobody in both training and test part. Background that a generator
    re-encodes, perturbs or smooths in the fake alone shows here.

    Args:
        pairs: forgeries, as `forge_pairs` yields them.

    Other Arguments:
        dilation: how far the mask is grown first, in pixels.
        block: the side of the blocks, in pixels.
        folds: of the cross-validation.

    Returns:
        The AUC over all images that have such blocks.

    Raises:
        InputError: when too few images have a block outside the mask.

    Example:
        >>> from metaforge.data.faces import load_faces
        >>> from metaforge.forgeries import forge_pairs
        >>> pairs = forge_pairs(load_faces("lfw", size=64).faces[:20], methods=["splice"], variants=1, seed=0)
        >>> 0 <= periphery_auc(pairs) <= 1
        True

    References:
        Wang et al., *CNN-generated Images Are Surprisingly Easy to Spot*, CVPR 2020, for how compression leaks.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, people = [], [], []
    for pair in pairs:
        touched = pair.forged.mask > 0
        outside = np.logical_not(binary_dilation(touched, iterations=dilation) if dilation else touched)
        corners = _free_blocks(outside, block)
        for label, image in enumerate((pair.forged.real, pair.forged.fake)) if corners else ():
            features.append(_describe(image, corners, block))
            labels.append(label)
            people.append(pair.face.identity)
    if len(set(people)) < folds:
        raise InputError(
            f"audit: too few people have a block of {block} x {block} pixels outside the mask. "
            "Give larger or more images."
        )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    scores = cross_val_predict(
        model, np.array(features), np.array(labels), groups=people, cv=GroupKFold(folds), method="decision_function"
    )
    return float(roc_auc_score(labels, scores))


def _free_blocks(outside: np.ndarray, side: int) -> list[tuple[int, int]]:
    height, width = outside.shape
    return [
        (row, column)
        for row in range(0, height - side + 1, side)
        for column in range(0, width - side + 1, side)
        if outside[row : row + side, column : column + side].all()
    ]


def _describe(image: np.ndarray, corners: list[tuple[int, int]], side: int) -> np.ndarray:
    grey = image.astype(np.float64).mean(axis=-1)
    rows = []
    for row, column in corners:
        block = grey[row : row + side, column : column + side]
        fine = np.abs(np.asarray(dctn(block, norm="ortho")))[side // 2 :, side // 2 :].mean()
        rows.append([block.mean(), block.std(), np.abs(np.asarray(laplace(block))).mean(), fine, np.log1p(fine)])
    described = np.array(rows)
    return np.concatenate([described.mean(axis=0), described.std(axis=0)])
