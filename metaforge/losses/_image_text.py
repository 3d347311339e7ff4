"""The loss of images and their texts: each is to find the other among all of a batch."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaforge.losses._contrastive import directions, products
from metaforge.losses._rows import NEVER, check_positive, numbers, per_example


def image_text_contrastive(
    images: Float[Array, "examples shared"],
    texts: Float[Array, "examples shared"],
    captions: Int[Array, " examples"] | None = None,
    *,
    scale: float | Float[Array, ""] = 1 / 0.07,
    where: Bool[Array, " examples"] | None = None,
) -> Float[Array, " examples"]:
    r"""Pulls each image to its own text and each text to its own image, and pushes both from those of other pairs.

    With the cosine $s_{ij}$ of image $i$ and text $j$, a scale $\kappa = 1 / \tau$, and $N(i)$ the pair itself and all
    pairs of another caption,

    $$\mathcal{L}_i = -\frac{1}{2} \log \frac{e^{\kappa s_{ii}}}{\sum_{j \in N(i)} e^{\kappa s_{ij}}}
    - \frac{1}{2} \log \frac{e^{\kappa s_{ii}}}{\sum_{j \in N(i)} e^{\kappa s_{ji}}}.$$

    Where all captions differ, $N(i)$ is the whole batch, and the mean is CLIP's loss. Sentences about forgeries repeat:
    without `captions` an image would be pushed from the very words that are true of it. Pairs of the same caption are
    left out of each other's sums. A soft target, shared by the $m$ of them, is the other way; it is not taken, because
    its least value is $\log m$, which changes from batch to batch, while this one's stays 0. Texts that do not tell
    the images apart cost $\log |N(i)|$.

    A value depends on the whole batch, not on its own row alone.

    Args:
        images: embeddings in the space that images and texts share, of any length.
        texts: those of their texts, in the same order.
        captions: any integers; equal means the same caption. All differ if left out.

    Other Arguments:
        scale: $\kappa$, above 0: what cosines are multiplied with. CLIP learns its logarithm, starts at 1 / 0.07 and
            holds it to 100 at most.
        where: the pairs that exist, all if left out; the others are no pairs and no negatives.

    Returns:
        One value per pair, in nats, float32, from 0 to about $2 \kappa + \log(\text{examples})$; 0 for a pair without
        negatives.

    Raises:
        ValueError: if `scale` is a number that is not above 0.

    Example:
        >>> images, texts = jnp.eye(2), jnp.array([[2.0, 0.0], [0.0, 5.0]])
        >>> with jnp.printoptions(precision=4):
        ...     print(image_text_contrastive(images, texts, scale=1.0), jnp.log(jnp.array([1 + 1 / jnp.e])))
        ...     print(image_text_contrastive(images, texts, jnp.array([7, 7]), scale=1.0))
        [0.3133 0.3133] [0.3133]
        [0. 0.]

    References:
        Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021, figure 3.
        Van den Oord, Li and Vinyals, *Representation Learning with Contrastive Predictive Coding*, 2018, eq. 4.
    """
    check_positive("scale", scale)
    similarities = products(directions(numbers(images, where)), directions(numbers(texts, where))) * scale
    own = jnp.eye(images.shape[0], dtype=bool)
    counted = jnp.ones_like(own) if captions is None else own | (captions[:, None] != captions[None, :])
    if where is not None:
        counted = counted & where[None, :] & where[:, None]
    scores = jnp.where(counted, similarities, NEVER)
    pull = jnp.diagonal(similarities)
    to_texts, to_images = (jax.nn.logsumexp(scores, axis=axis) - pull for axis in (1, 0))
    return per_example((to_texts + to_images) / 2, where)
