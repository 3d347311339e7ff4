"""Measures how well each feature of `metaforge.screening.evidence` tells fakes, alone, and calibrates it.

    python -m experiments.evidence --workdir=runs/evidence --faces.folder=faces --faces.people=faces/manifest.csv

The subfolders of --faces.folder are collections. Some people of each are forged by every method, with each of
--faces.acquisitions; the finder looks at real and fake alike, as it does when files are screened. For each collection
and each half of the methods, every feature is calibrated (`fit_scoring`) on the other collections and the other
half, the prior of shapes on the reals there, and its AUC is that on what was left out. Intervals (95 %) resample
people.

The rule, which was fixed before anything was measured: a feature is shown in verdicts if the mean of its AUCs on what
was left out is above 0.6 and the lower end of its interval above 0.5. Its calibration is then fitted on everything,
and calibration.json has it, for the package. Values are kept in files: called again, it goes on.
"""

from experiments.evidence.config import Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.evidence.running import run
        from experiments.evidence.table import markdown

        print(markdown(run(options, config)))
        return f"Wrote {options.workdir}/report.json, report.md and calibration.json."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config())


if __name__ == "__main__":
    start(main, heavy=True)
