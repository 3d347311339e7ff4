"""Runs one of the field's tables: trains on its sources, adapts to its targets, judges on their test splits.

    python -m experiments.protocol --protocol=daml_table2 --data_dir=faces --workdir=runs/table2 --preset=paper
    python -m experiments.protocol --list

DATA_DIR holds a folder for each data set, named as the protocol names it, made by experiments.prepare. Every learner
gets the same support sets: K labelled images a class of the target's train split, or of what --support names for
targets that have none. Rate and steps come from source validation; --selection=oracle takes the best on the test split
instead, and says so. Called again, it goes on.
"""

import shlex

from experiments.protocol.config import Options
from metaforge.commands import launch, python, start
from metaforge.evaluation.protocols import PROTOCOLS
from metaforge.training.config import PAPER, PRESETS, Config


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        if options.list:
            for protocol in PROTOCOLS.values():
                folders = sorted({d.folder for cell in protocol.cells for d in (cell.source, cell.target)})
                print(f"{protocol.name}: {protocol.about}; needs {', '.join(folders)}.")
            return ""
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.protocol.running import run
        from paper_figures.protocol_table import markdown

        report = run(options, config)
        print(markdown(report))
        again = f"{python()} -m paper_figures.protocol_table {shlex.quote(f'--report={options.workdir}/report.json')}"
        print(f"As LaTeX or CSV:\n  {again} --out=table.tex\n")
        return f"Wrote {options.workdir}/report.json."

    presets = {name: PRESETS[name] for name in ("default", "paper", "fine_tuned")}
    return launch(argv, body, doc=__doc__ or "", options=Options(), config=PAPER, presets=presets, resumes=True)


if __name__ == "__main__":
    start(main, heavy=True)
