"""The main job in one command: meta-train, hold one forgery method out, adapt to it with five images a class.

    python -m experiments.demo --workdir=runs/demo

Trains MAML, DAML (first order, Conv4) and ERM on the same images, over forgery domains synthesised from real face
photographs, each with three seeds; then adapts each to the method that none has seen, and prints AUC with a 95 %
interval, not adapted and adapted. `--target=all` holds every method out in turn. Called again, it goes on. At the end
the shipped detector scores the faces that it finds in a few raw photographs, `photograph_*.png` in the workdir.
"""

import shlex
from pathlib import Path

from experiments.demo.config import LEARNERS, Options
from metaforge.commands import launch, program, python, start
from metaforge.settings import change
from metaforge.training.config import DEMO, PRESETS, Config


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.demo.running import run
        from metaforge.citations import citation
        from metaforge.training import cited

        report = run(options, config)
        workdir = options.workdir
        last = workdir if len(report["targets"]) == 1 else f"{workdir}/*"
        print("\n" + (Path(workdir) / "report.md").read_text(encoding="utf-8", errors="surrogateescape"))
        parts = [part for learner in LEARNERS for part in cited.parts_of(change(config, {"learner.name": learner}))]
        print(f"Please cite the work that it uses:\n\n{citation(*parts)}")
        run_of = lambda flag, learner: shlex.quote(f"--{flag}={workdir}/{learner}-seed0")
        print("Next:")
        print(f"  {python()} -m experiments.show_domains --out=domains.png         # what the forgeries look like")
        print(f"  {program()} adapt {run_of('run', 'daml')} {run_of('baseline', 'erm')} \\")
        print("      --target=FOLDER --shots=5 --out=adapted                  # adapt to FOLDER/real and FOLDER/fake")
        print(f"  {program()} train --workdir=runs/mine --faces.folder=FOLDER   # train on your own faces\n")
        figures = f"{last}/loss_curves.png, {last}/validation_curves.png, {workdir}/photograph_*.png"
        return f"Wrote {workdir}/report.json, {workdir}/report.md, {figures}."

    presets = {name: PRESETS[name] for name in ("default", "paper", "demo")}
    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=DEMO, presets=presets)


if __name__ == "__main__":
    start(main, heavy=True, brief=True)
