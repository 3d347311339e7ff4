"""What augmentation and dynamic batches are worth to a network that is trained from nothing.

    python -m experiments.strangers.trained --workdir=runs/trained --faces.folder=FOLDER --faces.people=CSV

Conv4 is trained as ERM by the outer steps of `metaforge train` on several collections and one half of the forgery
methods, and judged on the collection and the methods that are left out, as they were made and as strangers'
photographs are treated. Every way to train sees as many tasks, and nothing is tuned: rates are the defaults. Intervals
(95 %) resample people and seeds; differences are paired. Every training is a file of its own: called again, it
continues.
"""

from experiments.strangers.trained.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.trained.measures import markdown
        from experiments.strangers.trained.running import run

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
