"""What a detector is worth on photographs of a collection, forged by a method, that it knows neither of.

    python -m experiments.strangers --workdir=runs/strangers --faces.folder=faces --faces.people=faces/manifest.csv
    python -m experiments.strangers --workdir=runs/strangers --faces.folder=faces --unknown=generated

The subfolders of --faces.folder are the collections. The faces of each are forged by each method, and a frozen network
makes features of them once. For every collection and method a head in closed form is fitted to the others, calibrated
on collections and methods that it leaves out in turn, and judged on those two; then it is adapted by a few labelled
images of them, by several rules, with matched pairs and without. Penalties and rates are chosen on the other
collections. Beside each result without pairs stands a control: how far the same head tells real images of two
collections apart. Intervals (95 %) resample people. Every step is a file of its own: called again, it continues.

References:
    Friedman, *Regularized Discriminant Analysis*, 1989; Guo et al., *A Broader Study of Cross-Domain Few-Shot
    Learning*, ECCV 2020.
"""

from experiments.strangers.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.running import run
        from experiments.strangers.tables import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
