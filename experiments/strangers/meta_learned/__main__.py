"""Do meta-learners over frozen levels beat the head in closed form on a stranger's photographs?

    python -m experiments.strangers.meta_learned --workdir=runs/strangers

It takes a finished run of `experiments.strangers`: its features, its folds and its support sets. In every fold each
learner trains an affine neck and a linear head on episodes of the fold's source, whose tasks are one collection and one
method each: it knows neither the collection nor the method that are left out. Then it adapts to the fold's support sets
and judges the same people as the study's rules. Rates at test are chosen on other collections and other methods. `erm`
is the control without meta-learning, with the same neck. Intervals (95 %) resample people; differences are paired.
Every fold is a file of its own: called again, it continues.
"""

from experiments.strangers.meta_learned.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.meta_learned.running import markdown, run

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/meta_learned.json and meta_learned.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
