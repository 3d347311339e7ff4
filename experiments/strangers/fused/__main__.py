"""Is fusion of depths worth anything over a frozen network, on a collection and methods that it has not seen?

    python -m experiments.strangers.fused --workdir=runs/fused --faces.folder=faces --faces.people=faces/manifest.csv

The subfolders of --faces.folder are the collections. The faces of each are forged by each method, and a frozen network
makes maps of them once. One collection and one half of the methods are left out together; on the rest heads are trained
by cross-entropy: on what the network hands its own head ("top"), on average-pooled blocks side by side ("pooled"), on
means and deviations of more blocks ("levels"), and on the same blocks fused: with equal weights ("equal"), with weights
that depend on the image ("gated"), and with spatial attention too ("attended"). Beside them stands the discriminant in
closed form of the shipped detector, on levels. Rates and lengths are chosen on one more collection and method that are
left out. Intervals (95 %) resample people and seeds; differences are paired. Every step is a file of its own: called
again, it continues.
"""

from experiments.strangers.fused.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.fused.running import run
        from experiments.strangers.fused.tables import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
