"""FakeRadar's ablation: tri-training on source domains, judged on a kind of forgery that nobody has seen.

    python -m experiments.fakeradar --workdir=runs/fakeradar --target=swap,smooth
    python -m experiments.fakeradar --workdir=runs/fakeradar --target=all

Trains every variant of the table on the same images with several seeds, and prints AUC on each held-out method with a
95 % interval and the paired difference to the binary classifier. Nothing is adapted, and nothing is chosen on a
held-out method. `--target=all` holds every method (of `--methods`) out in turn. Called again, it goes on.
"""

from pathlib import Path

from experiments.fakeradar.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.fakeradar.running import run

        run(options, config)
        print("\n" + (Path(options.workdir) / "report.md").read_text(encoding="utf-8", errors="surrogateescape"))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
