"""Teaches a small network what a detector says, or several together, on photographs that need no labels.

    metaforge distill --teachers=detector --images=FOLDER --out=small
    metaforge distill --teachers=one,other --faces.folder=FOLDER --model.width=16 --out=small

The student is any backbone (--model.*), by default Conv4 on images of 84 pixels. It learns the calibrated logits of its
teacher, softened by a temperature (Hinton et al. 2015), or their mean; with --teaching.labels also labels, if FOLDER
has real/ and fake/ or forgeries are made as `metaforge train` makes them (--faces.*). OUT is a detector like others:
predict, export, explain and adapt take it. In it report.json says what both say of people that were not learned from.
Interrupted and called again it goes on from a checkpoint, which stands in OUT.unfinished until then.
"""

from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.compression.options import DistillConfig, DistillOptions


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: DistillOptions, config: DistillConfig) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.cli.predict import how_to_screen
        from metaforge.compression.agreeing import markdown
        from metaforge.compression.distilling import run

        report = run(options, config)
        print(markdown(report))
        print(how_to_screen(options.out))
        how = f"taught {config.teaching.steps} steps; calibration {report['calibration']}"
        return f"Wrote {options.out}: the student, {how}."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=DistillOptions(), config=DistillConfig())


def command() -> NoReturn:
    """The command as a program."""
    start(main, heavy=True)
