"""The augmentations by name, and how images are given them: each drawn for every image, by the seed and the step."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from metaforge.data.augmentation._appearance import blur, colour, contrast, erase, noise
from metaforge.data.augmentation._geometry import Image, crop, flip
from metaforge.data.augmentation._jpeg import jpeg
from metaforge.errors import InputError
from metaforge.types import PRNGKey

AUGMENTATIONS: dict[str, Callable[[PRNGKey, Image], Image]] = {
    "flip": flip,
    "crop": crop,
    "colour": colour,
    "contrast": contrast,
    "blur": blur,
    "noise": noise,
    "jpeg": jpeg,
    "erase": erase,
}
"""All of them by name, in the order in which they happen: a face, light, a camera, a file, and what covers it."""

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("flip", "crop", "colour", "contrast"),
    "strong": tuple(AUGMENTATIONS),
}
"""Light is what leaves every trace of a forgery where it was; blur, noise, JPEG and erasing weaken or hide it."""

RATE = 0.5
"""How often each of them happens to an image."""


def named(text: str) -> tuple[str, ...]:
    """The augmentations that a setting names, in the order of the table.

    Raises:
        InputError: for an unknown name, one that stands twice, or none.

    Example:
        >>> named("light"), named("jpeg,flip"), named("none")
        (('flip', 'crop', 'colour', 'contrast'), ('flip', 'jpeg'), ())
    """
    if text in PRESETS:
        return PRESETS[text]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name in PRESETS:
            raise InputError(f"augment={text}: '{name}' stands alone. Give it alone, or a list without it.")
        if name not in AUGMENTATIONS:
            lists = f"{', '.join(PRESETS)}, or a list of {', '.join(AUGMENTATIONS)}"
            raise InputError(f"augment={text}: unknown '{name}'; give {lists}.")
    if len({*names}) < len(names):
        raise InputError(f"augment={text}: names one twice. Name each once.")
    return tuple(name for name in AUGMENTATIONS if name in names)


def augmented(
    key: PRNGKey,
    images: UInt8[Array, "*batch height width 3"],
    names: Sequence[str],
    *,
    rate: float | Float[Array, ""] = RATE,
) -> UInt8[Array, "*batch height width 3"]:
    """Images, each of which went through some of the augmentations.

    Whether an augmentation happens, and what of it, is drawn for every image by itself and without regard to its label,
    so that nothing of the label is in it. A real image and the fake that was made from it are drawn apart as well:
    episodes seldom have both, no loss here compares the two, and one draw for both would be half as much variety.

    Args:
        key: of these images; another key is another draw.
        images: uint8 RGB.
        names: those of `AUGMENTATIONS` that may happen; in this order.

    Other Arguments:
        rate: how often each happens; 0 leaves the images as they are.

    Example:
        >>> images = jnp.zeros((2, 3, 16, 16, 3), jnp.uint8)
        >>> augmented(jax.random.key(0), images, ("flip", "noise")).shape
        (2, 3, 16, 16, 3)
    """
    if not names:
        return images
    rows = images.reshape(-1, *images.shape[-3:])

    def one(key, image):
        image = image.astype(jnp.float32)
        for name, own in zip(names, jax.random.split(key, len(names)), strict=True):
            happens, how = jax.random.split(own)
            image = jnp.where(jax.random.bernoulli(happens, rate), AUGMENTATIONS[name](how, image), image)
        return jnp.clip(jnp.round(image), 0, 255).astype(jnp.uint8)

    return jax.vmap(one)(jax.random.split(key, len(rows)), rows).reshape(images.shape)
