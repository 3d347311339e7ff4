"""What a detector loses when it is made small, on a collection and methods that it knows nothing of.

    python -m experiments.strangers.made_small --workdir=runs/small --study.faces.folder=runs/faces \
        --study.faces.people=runs/faces/manifest.csv

In every fold the detector in closed form on levels of EfficientNet-Lite0 is fitted without one collection and without
half of the methods. It is pruned, as it falls, with the statistics of its levels matched and tuned on images of the
source; it teaches Conv4 and EfficientNet-B0 from random weights, alone and, with --clip, together with a head on CLIP's
class token; beside them the same students learn from labels alone. All are judged on the left-out collection, forged by
the left-out methods. Intervals (95 %) resample people; differences are paired. Every step is a file of its own: called
again, also with more folds, it continues.
"""

from experiments.strangers.made_small.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.made_small.running import run
        from experiments.strangers.made_small.table import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
