"""Heads and fusions that are trained on a source by cross-entropy, and the discriminant beside them."""

import functools
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.strangers.fused.folds import Fold
from experiments.strangers.fused.maps import Kept
from metaforge.adaptation.gaussian import fit, head_of
from metaforge.backbones.efficientnet._fusion import Fused, Fusion
from metaforge.backbones.efficientnet._plan import Plan
from metaforge.core.param_paths import merge, partition
from metaforge.evaluation.people import auc

VECTORS = ("top", "pooled", "levels")
"""Rows of a linear head on one vector an image."""

FUSED = {"equal": "project|head", "gated": "project|gate|head", "attended": "."}
"""Rows of a fusion, and a pattern of what is trained of it; the rest stays as it begins, at 0."""

DISCRIMINANT = "discriminant"
ROWS = (*VECTORS, *FUSED, DISCRIMINANT)


class Choice(NamedTuple):
    """A rate, and the share of the steps after which training stops."""

    rate: float
    share: float


SHARES = (0.5, 1.0)


class Said(NamedTuple):
    """Logits of a fake over a real; of a fusion also the weights of the depths."""

    logits: np.ndarray
    weights: np.ndarray | None = None


def vectors(kept: Kept) -> dict[str, jax.Array]:
    """What each of `VECTORS` sees."""
    pooled = [part.astype(np.float32).mean(axis=(1, 2)) for part in kept.maps]
    found = {"top": kept.top, "pooled": np.concatenate(pooled, axis=1), "levels": kept.levels}
    return {name: jnp.asarray(one, jnp.float32) for name, one in found.items()}


def discriminant(kept: Kept, fold: Fold) -> Said:
    """The closed form of the shipped detector on its levels, calibrated on the source as there."""
    known = kept.table.take(fold.train)
    seen = kept.levels[fold.train]
    made = fit(seen, known.label, known.kind, collections=known.collection, pairs=known.pair)
    head = head_of(made.prior)
    return Said(kept.levels[fold.shown] @ np.asarray(head.weights, np.float64) + float(head.bias))


class Study(NamedTuple):
    """What all trainings share.

    Attributes:
        kept: all images.
        maps: those that are fused, on the device.
        seen: by the name of a row what its head sees, on the device.
        label: of all images, on the device.
        plan: with the blocks that are fused.
        steps: of a training.
        batch: images a step.
        rates: that are tried.
        seed: of the study.
    """

    kept: Kept
    maps: tuple[jax.Array, ...]
    seen: dict[str, jax.Array]
    label: jax.Array
    plan: Plan
    steps: int
    batch: int
    rates: list[float]
    seed: int


def chosen(study: Study, fold: Fold, row: str) -> Choice:
    """The rate and the length with the highest AUC on one more collection and method that are left out."""
    label = study.kept.table.label[fold.second]
    best, most = Choice(study.rates[0], SHARES[-1]), -1.0
    for rate in study.rates:
        for share, said in zip(SHARES, trained(study, row, rate, fold.first, fold.second, study.seed), strict=True):
            worth = float(auc(label, said.logits, np.ones((1, len(label))))[0])
            if worth > most:
                best, most = Choice(rate, share), worth
    return best


def trained(study: Study, row: str, rate: float, rows: np.ndarray, asked: np.ndarray, seed: int) -> list[Said]:
    """What a row says of asked images, after each share of the steps, when it is trained on some rows."""
    rng = np.random.default_rng([study.seed, seed, 5])
    run, look, begin = _program(study.plan, row, rate, study.steps, _size(study, row))
    inputs, standard = _given(study, row, rows)
    drawn = jnp.asarray(np.stack([rng.choice(rows, study.batch) for _ in range(study.steps)]))
    params = begin(jax.random.key(seed))
    state, found, at = _optimizer(rate, study.steps).init(params[0]), [], 0
    for stop in [round(share * study.steps) for share in SHARES]:
        params, state = run(params, state, inputs, study.label, standard, drawn[at:stop])
        parts = [look(params, inputs, standard, part) for part in _batches(asked, 64)]
        logits, weights = (
            np.concatenate(list(map(np.asarray, each)))[: len(asked)] for each in zip(*parts, strict=True)
        )
        found.append(Said(logits, weights if row in FUSED else None))
        at = stop
    return found


def _size(study: Study, row: str) -> int:
    return study.plan.size if row in FUSED else study.seen[row].shape[1]


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """All of one length; the last is filled up."""
    filled = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size)])
    return list(filled.reshape(-1, size))


def _given(study: Study, row: str, rows: np.ndarray) -> tuple[Any, tuple[jax.Array, jax.Array]]:
    """What goes in, of all images, and for a vector the mean and scale of the images that are trained on."""
    if row in FUSED:
        return study.maps, (jnp.zeros(1), jnp.ones(1))
    seen = np.asarray(study.seen[row])
    mean, deviation = seen[rows].mean(axis=0, dtype=np.float64), seen[rows].std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-6 * np.abs(mean) + 1e-12, deviation, 1.0)
    return (study.seen[row],), (jnp.asarray(mean, jnp.float32), jnp.asarray(scale, jnp.float32))


def _optimizer(rate: float, steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, steps))


# One program a row and rate serves all folds and seeds.
@functools.lru_cache(maxsize=32)
def _program(plan: Plan, row: str, rate: float, steps: int, size: int):
    network, optimizer = Fusion(plan), _optimizer(rate, steps)

    def begin(key) -> Any:
        head = {"kernel": jnp.zeros((size, 2)), "bias": jnp.zeros(2)}
        if row not in FUSED:
            return {"head": head}, {}
        maps = [jnp.zeros((1, 1, 1, plan.blocks[block][0].features)) for block in plan.fused]
        return partition({**network.init(key, maps, 1)["params"], "head": head}, FUSED[row])

    def scored(moving, still, inputs, standard, rows):
        params = merge(moving, still) if row in FUSED else moving
        taken = [part[rows].astype(jnp.float32) for part in inputs]
        if row in FUSED:
            own = {name: params[name] for name in params if name != "head"}
            seen, weights, _ = cast(Fused, network.apply({"params": own}, taken, 1))
        else:
            seen, weights = (taken[0] - standard[0][None]) / standard[1][None], jnp.zeros((len(rows), 0))
        return seen @ params["head"]["kernel"] + params["head"]["bias"][None], weights

    @jax.jit
    def run(params, state, inputs, label, standard, drawn):
        moving, still = params

        def step(carry, rows):
            moving, state = carry

            def loss(moving):
                logits, _ = scored(moving, still, inputs, standard, rows)
                return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, label[rows]))

            updates, state = optimizer.update(jax.grad(loss)(moving), state, moving)
            return (optax.apply_updates(moving, updates), state), None

        (moving, state), _ = jax.lax.scan(step, (moving, state), drawn)
        return (moving, still), state

    @jax.jit
    def look(params, inputs, standard, rows):
        moving, still = params
        logits, weights = scored(moving, still, inputs, standard, rows)
        return logits[:, 1] - logits[:, 0], weights

    return run, look, begin
