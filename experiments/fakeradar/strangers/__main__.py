"""FakeRadar's ablation on features of a frozen network: forgery methods and a collection of photographs left out.

    python -m experiments.fakeradar.strangers --workdir=runs/tri --features=runs/strangers
    python -m experiments.fakeradar.strangers --workdir=runs/tri --faces.folder=faces --faces.people=faces/manifest.csv

The faces of every collection are forged by every method, and a frozen network makes features of them once, as in
`experiments.strangers`, whose features of the same settings can be taken. For every collection the variants of the
ablation are trained on the other collections and on the methods that are not in --unseen, and are judged on what they
know and do not know: collection, method, both. Learning rate and length are chosen by leaving out one method of those
that are trained on. Beside them stands a discriminant in closed form on the same images. Then: where images lie beside
the outliers, and whether a trained head helps the discriminant to adapt to a few labelled images. Intervals (95 %)
resample people and seeds. Every step is a file of its own: called again, it continues.
"""

from experiments.fakeradar.strangers.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.fakeradar.strangers.running import run
        from experiments.fakeradar.strangers.tables import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
