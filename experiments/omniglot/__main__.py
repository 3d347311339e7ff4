r"""Do the learners reach their published few-shot accuracy on Omniglot, and what is left of it without transduction?

    python -m experiments.omniglot --workdir=runs/omniglot --data=FOLDER                      # on an accelerator
    python -m experiments.omniglot --workdir=runs/omniglot_quick --data=FOLDER --preset=quick # two cores

FOLDER holds images_background.zip and images_evaluation.zip of github.com/brendenlake/omniglot (folder python/), packed
or unpacked; a smaller set is read too, such as images_background_small1.zip, but no published number stands beside it.

**Data.** Drawings are resized from 105 to 28 pixels (Lanczos, from grey; MAML's script resizes one-bit images, of which
Pillow keeps every fourth pixel instead), ink is 1. The characters are split at random, 1,100 to train, 100 for
validation, 423 to test, as in MAML's code; nothing is chosen on any of them, a model's last state is tested. A task has
N different characters, each in a random quarter turn, in training and at test, as in MAML's code (Reptile's turns none
at test). Support and query drawings differ.

**Network.** Conv4 (64 filters) departs from MAML's network for Omniglot: 2x2 max-pooling (28, 14, 7, 3, 1) where that
has strided convolutions and a mean over the last 2 by 2 positions; images in [-1, 1] instead of [0, 1]; scales of the
normalisation, which that has not, and shifts that adapt too; Flax's initial weights (LeCun normal), also of the head,
whose standard deviation is 1 there.

**Settings** are those of the released code (`experiments/omniglot/recipes.py`). MAML's inner rate, 0.4 at 5 ways and
0.1 at 20, is of a loss that is summed over the classes: of the mean it is 2.0 in both. Exact second order; 1 inner step
in training and 3 at test for 5 ways, 5 and 5 for 20; 32 and 16 tasks; as many queries as shots, in training and at
test. FOMAML and ANIL take MAML's settings. Reptile's are those of its README, with Adam fresh for each task, and whole
support sets at test. ProtoNet trains on 60 ways, with 5 queries, until its rate has been halved ten times.

**Both normalisations.** "episode" takes a batch's own statistics, as published: a query is classified by help of the
other queries, of which there is one of each class at 1 shot. "support" takes the support set's alone. Each model is
trained as it is tested; but Reptile's training has no query sets, so its two columns are of the same models.

**Test.** The test characters are dealt into groups of N, and every group is tested equally often, on other drawings in
other turns, in 600 episodes or a few more; the same for every model. An episode is distributed as in the published
protocol, and intervals resample seeds and whole groups: characters, not episodes, are what there is a limited number
of. 1.96 standard deviations over the root of the number of episodes stands beside it, as published.

A killed run goes on from its last checkpoint; with --max_minutes it stops by itself, and the same command goes on.

Sources: Lake, Salakhutdinov and Tenenbaum, *Human-level concept learning through probabilistic program induction*,
Science 2015; Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning*, ICML 2017, section 5.2 and table 1.
"""

from experiments.omniglot.config import PRESETS, Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.omniglot.report import table
        from experiments.omniglot.running import run

        report = run(config, options.workdir, options.data, max_minutes=options.max_minutes)
        if report["rows"]:
            print(table(report))
        done, of = report["models"]
        if done < of:
            return f"Stopped: {done} of {of} models are done. The same command goes on from here."
        return f"\nWrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config(), presets=PRESETS)


if __name__ == "__main__":
    start(main, heavy=True)
