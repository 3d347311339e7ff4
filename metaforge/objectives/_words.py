"""Objectives of images that bring texts: what a detector may learn from the words that are true of an image.

They look at `outputs.words` and at `batch.inputs["tokens"]`. A batch without tokens has no texts, and the parts of them
are 0; so is a row of zeros an image without a text. So whether words teach in the inner loop, in the outer loop or in
both is a matter of which batches bring them, and at test the image is enough.
"""

from collections.abc import Mapping

import jax.numpy as jnp
import optax

from metaforge import losses
from metaforge.objectives._basic import cross_entropy
from metaforge.objectives._composed import Weight, WeightedSum, weighted_sum
from metaforge.types import Batch, Objective, Outputs, Words


def image_text(*, alignment: Weight = 1.0, image: Weight = 1.0, multimodal: Weight = 1.0) -> WeightedSum:
    r"""FFTG's three branches, $\mathcal{L} = \lambda_a L_{align} + \lambda_i L_{img} + \lambda_m L_{mm}$.

    Images find their captions and captions their images; the image alone is told real from fake; image and caption
    together are. Only the second is used at test. The paper's weights are not known here; all are 1.

    The parts compose with others, each by its name:
    `weighted_sum(**image_text(image=0.0).parts, **fakeradar().parts)`. A learner that sees features in place of images
    and texts, such as `metaforge.anil` with its features kept, sees no words, and these parts are 0 to it.

    Args:
        alignment: the weight of `image_text_contrastive`, or a schedule.
        image: the weight of `cross_entropy`, or a schedule.
        multimodal: the weight of `multimodal_cross_entropy`, or a schedule.

    Returns:
        A `WeightedSum` of the parts "alignment", "image" and "multimodal".

    Example:
        >>> {name: float(weight) for name, weight in image_text(multimodal=0.5).weights().items()}
        {'alignment': 1.0, 'image': 1.0, 'multimodal': 0.5}

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (three branches; known here
        from accounts of the paper).
    """
    return weighted_sum(
        alignment=(alignment, image_text_contrastive()),
        image=(image, cross_entropy()),
        multimodal=(multimodal, multimodal_cross_entropy()),
    )


def image_text_contrastive() -> Objective:
    """Pulls images to their own captions and captions to their own images.

    Captions are the same where all their token ids are, and then do not push each other's images away.

    Returns:
        An `Objective` of `words` and `batch.inputs["tokens"]`, in nats: a mean over the images with a text, at best 0;
        0 without texts.

    Raises:
        ValueError: when used, for texts that the model did not read.

    Example:
        >>> words = Words(jnp.eye(2), jnp.eye(2), jnp.asarray(1.0), jnp.zeros((2, 2)))
        >>> batch = Batch({"tokens": jnp.array([[1, 3, 0], [2, 3, 0]])}, jnp.array([0, 1]))
        >>> value, _ = image_text_contrastive()(Outputs(jnp.zeros((2, 2)), jnp.eye(2), words=words), batch)
        >>> print(f"{value:.3f} {jnp.log(1 + 1 / jnp.e):.3f}")
        0.313 0.313

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021, figure 3.
    """

    def objective(outputs, batch):
        read = _read(outputs, batch)
        if read is None:
            return jnp.zeros(()), {}
        words, tokens, where = read
        same = jnp.all(tokens[:, None, :] == tokens[None, :, :], axis=-1)
        # A caption's number is that of the first row that has it.
        values = losses.image_text_contrastive(
            words.images, words.texts, jnp.argmax(same, axis=1), scale=words.scale, where=where
        )
        return _mean(values, where), {}

    return objective


def multimodal_cross_entropy() -> Objective:
    r"""Softmax cross-entropy, $-\log p(y \mid x, t)$, of what an image $x$ and its text $t$ say together.

    A caption may give the class away ("no forgery"). Then this part can be right without a look at the image, and
    teaches it little; how much it teaches is to be measured, with captions shuffled among images beside it.

    Returns:
        An `Objective` of `words` and integer targets `(examples,)`, in nats: a mean over the images with a text; 0
        without texts. It reports the `multimodal_accuracy`.

    Raises:
        ValueError: when used, for texts that the model did not read.

    Example:
        >>> words = Words(jnp.eye(2), jnp.eye(2), jnp.asarray(1.0), jnp.zeros((2, 2)))
        >>> batch = Batch({"tokens": jnp.array([[1, 3, 0], [0, 0, 0]])}, jnp.array([0, 1]))
        >>> value, _ = multimodal_cross_entropy()(Outputs(jnp.zeros((2, 2)), jnp.eye(2), words=words), batch)
        >>> print(value.round(3))
        0.693

    References:
        Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (multimodal branch).
    """

    def objective(outputs, batch):
        read = _read(outputs, batch)
        if read is None:
            return jnp.zeros(()), {"multimodal_accuracy": jnp.zeros(())}
        words, _, where = read
        # Before any arithmetic, so that a row without a text may hold anything.
        logits = jnp.where(where[:, None], words.logits, 0.0)
        values = optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.targets)
        right = jnp.argmax(logits, axis=-1) == batch.targets
        return _mean(values, where), {"multimodal_accuracy": _mean(right, where)}

    return objective


def _read(outputs: Outputs, batch: Batch) -> tuple[Words, jnp.ndarray, jnp.ndarray] | None:
    """What the model says of the texts, their token ids, and which rows have one; `None` for a batch without."""
    tokens = batch.inputs.get("tokens") if isinstance(batch.inputs, Mapping) else None
    if tokens is None:
        return None
    if outputs.words is None:
        raise ValueError(
            "the batch has texts, but nothing read them: give loss_fn a model with two towers, such as "
            "metaforge.backbones.two_towers."
        )
    return outputs.words, tokens, jnp.any(tokens != 0, axis=1)


def _mean(values, where):
    return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(jnp.sum(where), 1)
