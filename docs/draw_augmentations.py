"""Draws what training may do to an image: a London face under each augmentation, and under all that a preset has.

    python -m docs.draw_augmentations

Call it in the root of the repository; it writes `docs/figures/augmentations.png`.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.commands import launch, start
from metaforge.data.augmentation import AUGMENTATIONS, PRESETS, augmented
from metaforge.data.faces import load_faces

SHOWN, SIZE, DRAWS = "010_neutral", 128, 7
OUT = Path(__file__).parent / "figures" / "augmentations.png"


@dataclasses.dataclass(frozen=True)
class Options:
    """Nothing to choose."""


def sheet(image: np.ndarray) -> dict[str, np.ndarray]:
    """By heading, draws of every augmentation alone, and then of whole presets at the rate of training."""
    images = jnp.asarray(np.repeat(image[None], DRAWS, axis=0))
    key = jax.random.key(0)
    rows = {name: np.asarray(augmented(key, images, (name,), rate=1.0)) for name in AUGMENTATIONS}
    return rows | {name: np.asarray(augmented(key, images, PRESETS[name])) for name in ("light", "strong")}


def run(options: Options) -> str:
    """Writes the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    image = next(face.image for face in load_faces("london", size=SIZE).faces if face.name == SHOWN)
    rows = {"untouched": np.repeat(image[None], DRAWS, axis=0)[:1], **sheet(image)}
    figure, panels = plt.subplots(len(rows), 1, figsize=(8, 1.14 * len(rows)), layout="constrained")
    for panel, (name, images) in zip(panels, rows.items(), strict=True):
        blank = np.full((DRAWS - len(images), *image.shape), 255, np.uint8)
        panel.imshow(np.concatenate([*images, *blank], axis=1), interpolation="antialiased")
        panel.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        panel.set(xticks=[], yticks=[], frame_on=False)
    figure.savefig(OUT, dpi=100, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return f"Wrote {OUT.relative_to(OUT.parents[2])}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, run, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
