"""What a meta-step costs on this machine: every way of running it, side by side.

    python -m experiments.benchmark --out=benchmark.json

    python -m experiments.benchmark --size=84 --width=64 --queries=15

Prints milliseconds per outer step and the ratio to the default. The candidates are interleaved round by round, so that
ratios hold while the machine's speed drifts. Compile time is apart.
"""

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import metaforge as mf
from metaforge.commands import launch, setting, start
from metaforge.runs import write_json


@dataclasses.dataclass(frozen=True)
class Options:
    """How long to measure."""

    out: str = setting("", "JSON file to write as well.")
    rounds: int = setting(15, "Rounds; each runs every candidate once.")
    size: int = setting(32, "Side of the images, in pixels.")
    width: int = setting(32, "Filters.")
    tasks: int = setting(4, "Tasks in a meta-batch.")
    shots: int = setting(5, "Support images per class.")
    queries: int = setting(10, "Query images per class.")
    order: str = setting("first", "Order of the outer gradient.", choices=("first", "second"))


CANDIDATES = {
    "scan, patches": ("scan", "patches"),
    "unroll, patches": ("unroll", "patches"),
    "unroll, lax.conv": ("unroll", "lax"),
    "vmap, patches": ("vmap", "patches"),
    "vmap, lax.conv": ("vmap", "lax"),
}
"""Strategy over tasks, and form of the convolution. The last is the program that one would write first."""


def run(options: Options) -> dict[str, Any]:
    """Measures; returns milliseconds by candidate."""
    steps, compile_seconds = {}, {}
    for name, (tasks, convolution) in CANDIDATES.items():
        steps[name], compile_seconds[name] = _compiled(options, tasks, convolution)
    steps["erm, same images"], compile_seconds["erm, same images"] = _compiled(options, None, "auto")
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            times[name].append(1e3 * (time.perf_counter() - began))
    default = np.array(times[next(iter(times))])
    rows = {
        name: {
            "ms_p50": float(np.median(ms)),
            "ms_p95": float(np.percentile(ms, 95)),
            "ratio_p50": float(np.median(np.array(ms) / default)),
            "ratio_p05_p95": [float(q) for q in np.percentile(np.array(ms) / default, [5, 95])],
            "compile_s": compile_seconds[name],
        }
        for name, ms in times.items()
    }
    return {"options": dataclasses.asdict(options), "device": jax.devices()[0].device_kind, "rows": rows}


def _compiled(options: Options, tasks, convolution):
    model = mf.backbones.conv4(width=options.width, convolution=convolution)
    loss_fn = mf.objectives.loss_fn(model.apply, mf.objectives.cross_entropy())
    rules: dict[str, Any] = {"inner_optimizer": optax.sgd(0.01), "outer_optimizer": optax.adam(1e-3)}
    if tasks is not None:
        rules["order"] = options.order
    learner = mf.erm(loss_fn, **rules) if tasks is None else mf.daml(loss_fn, tasks=tasks, **rules)
    rng = np.random.default_rng(0)

    def batch(per_class: int) -> mf.Batch:
        images = rng.integers(0, 256, (options.tasks, 2 * per_class, options.size, options.size, 3), dtype=np.uint8)
        return mf.Batch(jnp.asarray(images), jnp.tile(jnp.arange(2 * per_class) % 2, (options.tasks, 1)))

    episodes = mf.Episode(batch(options.shots), batch(options.queries))
    state = learner.init(jax.jit(model.init)(jax.random.key(0), episodes.support.inputs[0]))
    update = jax.jit(learner.update)
    began = time.perf_counter()
    jax.block_until_ready(update(state, episodes))
    return lambda: jax.block_until_ready(update(state, episodes)), time.perf_counter() - began


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> None:
        report = run(options)
        print(f"{'candidate':20} {'ms p50':>8} {'ms p95':>8} {'ratio p50 [p5, p95]':>22} {'compile s':>10}")
        for name, row in report["rows"].items():
            low, high = row["ratio_p05_p95"]
            ratio = f"{row['ratio_p50']:.2f} [{low:.2f}, {high:.2f}]"
            print(f"{name:20} {row['ms_p50']:8.1f} {row['ms_p95']:8.1f} {ratio:>22} {row['compile_s']:10.1f}")
        if options.out:
            write_json(options.out, report)

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
