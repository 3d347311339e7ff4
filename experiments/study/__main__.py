"""Does meta-learning beat plain fine-tuning on a kind of forgery that was held out? Every method on the same episodes.

    python -m experiments.study --study=leave_one_out --workdir=runs/study
    python -m experiments.study --study=shots_by_steps --workdir=runs/shots --shots=1,5,10 --steps=0,1,5
    python -m experiments.study --study=task_weighting --workdir=runs/weighting --learner.outer_optimizer=sgd
    python -m experiments.study --study=what_adapts --preset=fine_tuned --workdir=runs/what --faces.folder=FOLDER

Holds out forgery methods in turn, trains every learner on the others with several seeds, adapts each with a few
labelled images, and writes AUC with 95 % intervals and paired differences to ERM with fine-tuning. Rates and steps are
chosen on source validation only. Every result (method, held-out method, seed) is a file of its own: called again,
the study continues. A result that fails is reported as failed, and the others continue.
"""

from pathlib import Path

from experiments.study.config import PRESETS, STUDY, Options
from experiments.study.methods import METHODS, STUDIES, chosen
from metaforge.commands import launch, start
from metaforge.settings import change
from metaforge.training.config import Config


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.study.running import run
        from metaforge.adaptation import RULES
        from metaforge.citations import citation
        from metaforge.training.cited import parts_of

        run(options, config)
        print("\n" + (Path(options.workdir) / "report.md").read_text(encoding="utf-8", errors="surrogateescape"))
        asked = [METHODS[name] for name in chosen(options.methods, STUDIES[options.study], config.model.normalisation)]
        parts = [part for one in asked for part in parts_of(change(config, {"learner.name": one.learner}))]
        parts += [part for one in asked for part in RULES[one.rule].cites]
        print(f"Please cite the work that it uses:\n\n{citation(*parts)}")
        return f"Wrote {options.workdir}/report.json, report.md and table.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=STUDY, presets=PRESETS)


if __name__ == "__main__":
    start(main, heavy=True)
