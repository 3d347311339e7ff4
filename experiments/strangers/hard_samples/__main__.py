"""Are losses for hard examples, or a cosine with warm-up, worth anything on a collection and methods left out?

    python -m experiments.strangers.hard_samples --features=runs/strangers --workdir=runs/hard

It takes the features of a finished run of `experiments.strangers`. Twelve folds: one collection and one half of the
methods are left out together. In every fold a head, an affine neck and a linear map, is trained by each loss at a
constant rate and at a cosine with warm-up, on the same batches. Options of the losses, rates and lengths are chosen by
leaving out another collection and one of the methods that are trained on. Intervals (95 %) resample people and seeds;
differences are paired, and Holm's correction is over all of them. Every step is a file of its own: called again, it
continues.

With --half it makes the features of some collections again in bfloat16, and says what that changes.
"""

from experiments.strangers.hard_samples.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.strangers.hard_samples.running import run
        from experiments.strangers.hard_samples.tables import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
