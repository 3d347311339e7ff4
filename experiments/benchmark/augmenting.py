"""What augmentation costs in the program of an outer step, and what it would cost in NumPy and Pillow on the host.

    python -m experiments.benchmark.augmenting

It prints processor milliseconds an image, the median of several rounds in which both take turns: processor time, since
on a machine with other work the wall's clock says nothing. The host's way does the same steps one image after the
other, as a worker would; of each it draws whether it happens, as the program does, which computes all and takes some.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from metaforge.commands import launch, start
from metaforge.data.augmentation import AUGMENTATIONS, PRESETS, RATE, augmented, named
from metaforge.errors import InputError
from metaforge.forgeries.treatments import TREATMENTS
from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """On what."""

    size: int = setting(64, "Side of the images in pixels.", least=16, most=1024)
    images: int = setting(64, "Images at a time.", least=1, most=10_000)
    rounds: int = setting(7, "Of each way.", least=1, most=1000)
    augment: str = setting("light,strong", "Presets, or names of augmentations.")


def host(names: tuple[str, ...], rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """One image as a worker of the host would have it."""
    for name in names:
        if rng.random() < RATE:
            image = _STEPS[name](rng, image)
    return image


def _crop(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    tall, wide = rng.uniform(0.8, 1.0, 2) * (height, width)
    top, left = rng.uniform(0, height - tall), rng.uniform(0, width - wide)
    box = (left, top, left + wide, top + tall)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box))


def _erase(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    image, sides = image.copy(), (rng.uniform(0.1, 0.4, 2) * image.shape[:2]).astype(int)
    top, left = (int(rng.integers(whole - side + 1)) for whole, side in zip(image.shape[:2], sides, strict=True))
    image[top : top + sides[0], left : left + sides[1]] = rng.integers(256)
    return image


def _treated(name: str) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    return lambda rng, image: TREATMENTS[name](rng).apply(image)


_STEPS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "flip": lambda rng, image: np.ascontiguousarray(image[:, ::-1]),
    "crop": _crop,
    **{name: _treated(name) for name in ("colour", "contrast", "blur", "noise")},
    "jpeg": _treated("photograph"),
    "erase": _erase,
}
assert {*_STEPS} == {*AUGMENTATIONS}


def run(options: Options) -> str:
    """Measures, and returns the table."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.images, options.size, options.size, 3), np.uint8)
    sets = {name: PRESETS[name] for name in options.augment.split(",") if name in PRESETS}
    if len(sets) < len(options.augment.split(",")):
        try:
            sets = {options.augment: named(options.augment)}
        except InputError as error:
            raise InputError(f"--{error}") from None
    lines = ["| augmentation | in the program | on the host | ratio |", "|---|---|---|---|"]
    for title, names in sets.items():
        ours, theirs = _measured(names, images, rng, options.rounds)
        lines.append(f"| {title} | {ours:.3f} ms | {theirs:.3f} ms | {theirs / ours:.1f} |")
    return "\n".join(lines)


def _measured(names: tuple[str, ...], images: np.ndarray, rng: np.random.Generator, rounds: int) -> list[float]:
    """Processor milliseconds an image of the program, and of the host."""
    program, given = jax.jit(lambda key, images: augmented(key, images, names)), jnp.asarray(images)
    ways = (
        lambda: jax.block_until_ready(program(jax.random.key(0), given)),
        lambda: [host(names, rng, image) for image in images],
    )
    ways[0]()  # compiles
    times = np.array([[_spent(way) for way in ways] for _ in range(rounds)])
    return [1000 * statistics.median(column) / len(images) for column in times.T]


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, run, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
