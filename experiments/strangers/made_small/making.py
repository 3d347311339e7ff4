"""The systems of a fold: what each says of the judged images. Each is a file, so that a run continues."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.strangers.made_small.config import FIRST, Config
from experiments.strangers.made_small.folding import Fold, fitted
from experiments.strangers.made_small.looking import features
from experiments.strangers.made_small.material import Images
from metaforge.backbones import choice
from metaforge.backbones.levels import STANDARDISE
from metaforge.backbones.spec import BackboneSpec
from metaforge.compression import prune
from metaforge.compression.head import taught_head
from metaforge.compression.shrinking import matched
from metaforge.compression.spec import TeachingSpec
from metaforge.compression.teaching import Lessons, taught
from metaforge.data.images import square
from metaforge.screening import Detector
from metaforge.whole import write_arrays

FALLS, MATCHED, TUNED = "as it falls", "statistics matched", "tuned"
"""What is done after pruning: nothing; levels get their means and deviations back; steps before that."""
TAUGHT, REFITTED = "head of logits", "head of labels"
"""Another head in closed form in place of that: of what the detector said, and of labels as the detector's own."""
BOTH = f"{TUNED}, {TAUGHT}"
"""What `metaforge prune` does without being asked for anything else."""
CONTEXT = 64


def student_spec(config: Config, kind: str) -> BackboneSpec:
    """A student's network."""
    if kind == "Conv4":
        return BackboneSpec(image_size=84, width=config.conv4_width)
    return BackboneSpec(image_size=96, backbone="efficientnet_b0")


def small(images: np.ndarray, size: int, path: Path) -> np.ndarray:
    """All images with fewer pixels, kept in a file."""
    if not path.exists():
        write_arrays(path, image=np.stack([square(image, size=size) for image in images]))
    with np.load(path, allow_pickle=False) as found:
        return found["image"]


def student(
    config: Config, kind: str, shown: np.ndarray, fold: Fold, said: np.ndarray | None, labels: np.ndarray, seed: int,
    *, quiet: bool = True,
) -> np.ndarray:  # fmt: skip
    """Logits of a student that learned from a teacher's calibrated logits, or without one from labels."""
    spec = student_spec(config, kind)
    steps, batch = (config.conv4_steps, 32) if kind == "Conv4" else (config.b0_steps, 16)
    how = TeachingSpec(
        steps=steps, batch=batch, temperature=config.temperature, labels=0.0 if said is not None else 1.0, seed=seed
    )
    rows = fold.source
    lessons = Lessons(
        shown[rows], None if said is None else said[rows].astype(np.float32), None, labels[rows].astype(np.int32)
    )
    model = choice.choose(spec)
    begun = jax.jit(model.init)(jax.random.key(seed), lessons.images[:2])
    ended = taught(model, begun, lessons, how, title=f"{fold.name}: {kind}", quiet=quiet)
    context = lessons.images[np.random.default_rng([seed, 64]).permutation(len(rows))[:CONTEXT]]
    return Detector(ended, context, spec, {}).examine(shown[fold.judged], batch=64)[0]


def pruned(
    config: Config, params: Any, images: Images, wanted: np.ndarray, fold: Fold, share: float, *, quiet: bool = True
) -> dict[str, np.ndarray]:
    """Logits of the pruned detector, whose head stays, as it falls and with its statistics matched.

    Args:
        config: the study's.
        params: of the unpruned network, not standardised.
        images: all.
        wanted: the unpruned network's features of them.
        fold: the fold.
        share: of the channels.

    Other Arguments:
        quiet: whether to show no progress.
    """
    spec, fewer, seen, ideal = _begun(config, params, images, wanted, fold, share)
    shown = images.image[fold.judged]
    look = lambda of, some: features(spec, of, some, quiet=quiet)
    close = matched(fewer, look(fewer, seen), ideal)
    return {FALLS: fold.logits(look(fewer, shown)), MATCHED: fold.logits(look(close, shown))}


def with_other_heads(
    config: Config, params: Any, images: Images, wanted: np.ndarray, fold: Fold, share: float, *, quiet: bool = True
) -> dict[str, np.ndarray]:
    """Logits under heads in closed form of the pruned features: of the detector's logits, and of labels.

    Arguments as of `pruned`. With a share of 0 it is the unpruned detector, with a head of as few images.
    """
    source = _pairs(images, fold.source, config.head_images)
    rows = np.concatenate([source, fold.judged])
    if share:
        spec, fewer, *_ = _begun(config, params, images, wanted, fold, share)
        seen = features(spec, fewer, images.image[rows], quiet=quiet)
    else:
        seen = (wanted[rows] - fold.statistics[0]) / fold.statistics[1]
    some, first = images.take(rows), np.arange(len(rows)) < len(source)
    head = taught_head(seen[first], fold.said[source])
    half = int(not np.isin(some.kind[~first], FIRST).all())
    other = fitted(some, seen, fold.collection, half, np.flatnonzero(first), np.flatnonzero(~first))
    return {TAUGHT: seen[~first] @ np.asarray(head.weights) + float(head.bias), REFITTED: other.said[~first]}


def _pairs(images: Images, rows: np.ndarray, count: int) -> np.ndarray:
    """Rows of whole pairs, of so many images."""
    chosen = np.random.default_rng(1).permutation(np.unique(images.pair[rows]))[: count // 2]
    return rows[np.isin(images.pair[rows], chosen)]


def tuned(
    config: Config, params: Any, images: Images, wanted: np.ndarray, fold: Fold, share: float, *, quiet: bool = True
) -> dict[str, np.ndarray]:
    """Likewise after steps on images of the source, from matched statistics on; arguments as of `pruned`.

    With the old head, and with one made of the detector's logits, as `metaforge prune` makes it.
    """
    spec, fewer, seen, ideal = _begun(config, params, images, wanted, fold, share)
    look = lambda of, some: features(spec, of, some, quiet=quiet)
    close = matched(fewer, look(fewer, seen), ideal)
    how = TeachingSpec(steps=config.tuning_steps, batch=8, rate=config.tuning_rate, logits=0.0, features=1.0)
    ended = taught(
        choice.choose(spec), close, Lessons(seen, features=ideal), how, title=f"{fold.name}: {share:g}", quiet=quiet
    )
    after = matched(ended, look(ended, seen), ideal)
    judged, source = look(after, images.image[fold.judged]), _pairs(images, fold.source, config.head_images)
    head = taught_head(look(after, images.image[source]), fold.said[source])
    return {TUNED: fold.logits(judged), BOTH: judged @ np.asarray(head.weights) + float(head.bias)}


def _begun(config: Config, params: Any, images: Images, wanted: np.ndarray, fold: Fold, share: float):
    """The pruned network, standardised, images of the source, and what the unpruned one sees of them."""
    mean, scale = (part.astype(np.float32) for part in fold.statistics)
    spec, fewer = prune(config.study.model, {**params, STANDARDISE: {"mean": mean, "scale": scale}}, share)
    rows = np.sort(np.random.default_rng(0).permutation(fold.source)[: config.tuning_images])
    return spec, fewer, images.image[rows], ((wanted[rows] - mean) / scale).astype(np.float32)
