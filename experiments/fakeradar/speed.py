"""What tri-training costs: a step beside the binary step, in the same rounds, and a refresh of clusters and outliers.

    python -m experiments.fakeradar.speed --out=tri_speed.json

Steps are on noise, with Conv4 (64 filters, a neck of 32) and on frozen features (1,280 numbers an image). The refresh
looks at 3,600 features of 768 numbers, five classes, 32 slots.
"""

import dataclasses
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from experiments.fakeradar import images as images_of
from experiments.fakeradar import programs as programs_of
from experiments.fakeradar.config import Config
from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.evaluation.interval import Interval
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file

KINDS = 5


@dataclasses.dataclass(frozen=True)
class Options:
    """How long to measure."""

    out: str = setting("tri_speed.json", "Where the numbers go.", place="file")
    rounds: int = setting(15, "Rounds in which both steps are timed in turn.", least=1, most=1_000_000)
    size: int = setting(48, "Side of Conv4's images, in pixels.", least=16, most=4096)
    conv4: bool = setting(True, "Whether to time steps of Conv4 too, beside those on frozen features.")
    literal: bool = setting(True, "Whether to time the literal refresh too, in all 768 dimensions.")


def step_of(config: Config, row: str, source: images_of.Data) -> Callable[[], None]:
    """One compiled step of a row that waits for its end; with clusters and outliers where the row has them."""
    made, objective = programs_of.programs(config, row, KINDS), programs_of.objective_of(config, row)
    state = made.begin(jax.random.key(0), source.inputs[:2])
    if row != "binary":
        bank = made.score(state.params, source.inputs)[1]
        state = state._replace(outliers=made.refresh(jax.random.key(1), state.outliers, bank, source.kind)[0])
    sides = [jnp.flatnonzero(source.label == label) for label in (mf.REAL, mf.FAKE)]
    weights, draw, key = objective.weights(), jnp.array(True), jax.random.key(2)

    def run() -> None:
        jax.block_until_ready(made.step(key, state, source, sides, weights, draw))

    run()
    return run


def paired(programs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each program in each round; within a round they take turns, ten times each."""
    found: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            began = time.perf_counter()
            for _ in range(10):
                program()
            found[name].append(100.0 * (time.perf_counter() - began))
    return found


def steps(options: Options) -> dict:
    """The cost of a tri-training step as a multiple of a binary one, by backbone."""
    rng, answers = np.random.default_rng(0), {}
    kind = jnp.asarray(np.arange(200) % KINDS, jnp.int32)
    frozen = (Config(backbone="efficientnet_lite0"), rng.normal(size=(200, 1280)))
    cases: dict[str, tuple[Config, np.ndarray]] = {"frozen features": frozen}
    if options.conv4:
        images = rng.integers(0, 256, (200, options.size, options.size, 3))
        cases[f"conv4, {options.size} pixels"] = (Config(width=64), images)
    for name, (config, inputs) in cases.items():
        images = jnp.asarray(inputs, jnp.uint8 if inputs.ndim == 4 else jnp.float32)
        source = images_of.Data(images, jnp.minimum(kind, 1), kind)
        found = paired({row: step_of(config, row, source) for row in ("full", "binary")}, options.rounds)
        ratios = np.array(found["full"]) / np.array(found["binary"])
        low, middle, high = np.quantile(ratios, [0.05, 0.5, 0.95])
        answers[name] = {
            "full_ms": float(np.median(found["full"])), "binary_ms": float(np.median(found["binary"])),
            "ratio": Interval(float(middle), float(low), float(high)).as_json(), "batch": config.batch,
        }  # fmt: skip
    return answers


def refresh(mode: mf.outliers.Mode) -> dict:
    """Seconds of a refresh at 768 dimensions, after compiling."""
    rng = np.random.default_rng(0)
    labels = jnp.asarray(np.arange(3600) % KINDS, jnp.int32)
    centers = rng.normal(size=(KINDS, 768))
    spread = 1.0 / np.sqrt(np.arange(1, 769))
    rows = jnp.asarray(centers[np.asarray(labels)] + spread * rng.normal(size=(3600, 768)), jnp.float32)
    synthesizer = mf.outliers.fakeradar(KINDS, mode=mode)
    update, state, seconds = jax.jit(synthesizer.update), synthesizer.init(768), []
    began = time.perf_counter()
    update = update.lower(jax.random.key(0), state, rows, labels).compile()
    compiling = time.perf_counter() - began
    for index in range(3):
        began = time.perf_counter()
        state, info = jax.block_until_ready(update(jax.random.key(index), state, rows, labels))
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": float(np.median(seconds)), "compile_seconds": compiling, "clusters": int(info.clusters),
        "calibration": float(info.calibration),
    }  # fmt: skip


def rows(report: dict) -> list[str]:
    """The steps as lines of a table."""
    return [
        f"| a step, {name}, {one['batch']} images | {one['full_ms']:.1f} ms | {one['binary_ms']:.1f} ms | "
        f"{Interval.from_json(one['ratio'])} |"
        for name, one in report["steps"].items()
    ]


def run(options: Options) -> dict:
    """Measures, and writes the numbers."""
    check_bounds(options)
    refuse_used(options.out)
    report = {
        "command": f"python -m experiments.fakeradar.speed --size={options.size} --rounds={options.rounds}",
        "provenance": provenance(),
        "steps": steps(options),
        "refresh": {mode: refresh(mode) for mode in (("safe", "literal") if options.literal else ("safe",))},
    }
    with whole_file(options.out, new=True) as made:
        write_json(made, report)
    return report


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        report = run(options)
        print("\n".join(["| what | tri-training | binary | ratio |", "|---|---|---|---|", *rows(report)]))
        for mode, one in report["refresh"].items():
            print(f"refresh, {mode}: {one['seconds']:.2f} s, {one['clusters']} clusters, d^2 / D "
                  f"{one['calibration']:.2f}")  # fmt: skip
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
