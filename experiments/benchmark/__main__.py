"""What an outer step costs on this machine: every way of running it, and PyTorch's, side by side.

    python -m experiments.benchmark --out=benchmark.json
    python -m experiments.benchmark --sizes=84 --orders=second,mixed --steps=5

Writes JSON, and beside it Markdown: milliseconds per outer step of MAML on Conv4, in rounds that run every program
once, so that ratios hold while the machine's speed drifts; compile seconds; memory; GFLOP/s, and what share that is of
a large matrix product timed in the same rounds; the bytes that XLA counts as read and written in a second, and what
share that is of a sum of long arrays in the same rounds (above 1 where caches serve them). With the extra `bench`,
PyTorch as its users write it: a loop over tasks, `torch.func`, and `torch.compile` of that; its first loss must be ours
to 1e-4. The quick preset takes a quarter of an hour on two cores; the full one is for an accelerator.
"""

import json
from pathlib import Path

from experiments.benchmark.config import FULL, QUICK, Grid, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, grid: Grid) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.benchmark.running import run

        report = run(options, grid)
        print(json.dumps([{k: c[k] for k in ("best", "measured", "measured_to_best")} for c in report["cells"]]))
        return f"Wrote {options.out} and {Path(options.out).with_suffix('.md')}."

    presets = {"quick": QUICK, "full": FULL}
    return launch(argv, body, doc=__doc__ or "", options=Options(), config=QUICK, presets=presets)


if __name__ == "__main__":
    start(main, heavy=True)
