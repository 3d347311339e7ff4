"""Does DAML adapt better if its inner loop sees captions of the support set?

    python -m experiments.words.episodes --workdir=runs/words

It takes a finished run of `experiments.words`: its images, folds and weights of the words. In every fold DAML trains on
episodes of the source, whose tasks are one collection and one method each. The inner step sees the support set's
captions, or none, or those of others of the class; the outer loss sees images alone. Then each adapts to matched pairs
of the left-out collection and method, with captions as in training, and judges other people by the image alone. Rates
are not chosen. Differences are paired; intervals (95 %) resample people, or people and collections.
"""

from experiments.words.episodes.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.words.episodes.running import markdown, run

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/episodes.json and episodes.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
