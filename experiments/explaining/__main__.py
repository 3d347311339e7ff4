"""What the evidence of regions in one image is worth, on methods, people and a collection that it was not fitted to.

    python -m experiments.explaining --workdir=runs/explaining --faces=FOLDER --people=FOLDER/manifest.csv

The subfolders of --faces are collections. One part of a face is forged by each kind of change, and the whole face by
some methods; every image is coded as JPEG of quality 50 to 95, the real ones too. A region is forged if at least a
quarter of it has a mask of at least half of its largest value. A region head is fitted to some people, calibrated on
others, and judged on the rest and on a collection that serves for nothing else. Methods are left out by families: what
it looks at, how it is weighed, its calibration and its threshold come from the other families alone. Beside it stand
guesses and Grad-CAM of the detector, whose map and threshold are chosen likewise; --model has seen forgeries of the
whole face, which favours Grad-CAM. Called again, it continues.

References:
    Selvaraju et al., *Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization*, ICCV 2017;
    Friedman, *Regularized Discriminant Analysis*, 1989.
"""

from experiments.explaining.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.explaining.running import run
        from experiments.explaining.table import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json, report.md and detector, which has its region head."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
