"""Takes channels out of a detector's EfficientNet, and tunes the rest until it sees what it saw before.

    metaforge prune --model=detector --share=0.5 --images=FOLDER --out=smaller

The weakest channels inside each block go, by the scale of their normalisation (network slimming, Liu et al. 2017);
arrays and graph become smaller for real. FOLDER holds photographs, best real and forged ones; no labels are needed. The
network learns to make the features of the unpruned one again. Then a head in closed form learns what the unpruned
detector says; --head=kept keeps its head and its prior. OUT is a detector with weights of its own, which predict,
export, explain and adapt take. In it report.json says what both say of people that were not learned from. Interrupted
and called again it goes on from a checkpoint, which stands in OUT.unfinished until then.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.compression.options import PruneConfig, PruneOptions


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: PruneOptions, config: PruneConfig) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.cli.predict import how_to_screen
        from metaforge.compression.agreeing import markdown
        from metaforge.compression.shrinking import run

        report = run(options, config)
        print(markdown(report))
        print(how_to_screen(options.out))
        inside = f"its blocks have {report['hidden']} channels inside"
        return f"Wrote {options.out}: {inside}. Head {report['head']}; calibration {report['calibration']}."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=PruneOptions(), config=PruneConfig())


def command() -> NoReturn:
    """The command as a program."""
    start(main, heavy=True)
