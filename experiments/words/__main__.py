"""Is a detector that read captions while it was trained better on collections and methods that it knows neither of?

    python -m experiments.words --workdir=runs/words --faces.folder=faces --faces.people=faces/manifest.csv
    python -m experiments.words --workdir=runs/words_conv4 --faces.folder=faces --tower=conv4

The subfolders of --faces.folder are the collections. Every face is forged by whole-face methods and by single parts and
changes, and the caption of a forgery follows from its exact mask. Methods are dealt to two halves. A fold leaves out
one collection and one half of the methods, and is judged on just these. Each way of training has the same image tower,
first parameters, batches and number of steps: the image alone; with captions in all three branches; contrast alone;
with captions shuffled among the fakes, and among all images. Rate, steps and the weight of the words are chosen in
every fold on a collection and methods of its source. Differences from the image alone are paired; intervals (95 %)
resample people, or people and collections. Every fold is a file of its own: called again, it continues.

References:
    Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025.
"""

from experiments.words.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.words.running import run
        from experiments.words.table import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
