"""Meta-trains a detector over forgery domains, and ERM on the same images beside it.

    metaforge train --workdir=runs/daml --learner.name=daml
    metaforge train --workdir=runs/paper --preset=paper --faces.folder=FOLDER

Called again with the same flags it goes on from the last checkpoint. The default takes about two minutes on two cores.
"""

import dataclasses
from typing import NoReturn

from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.training.config import PRESETS, Config


@dataclasses.dataclass(frozen=True)
class Options:
    """Where to."""

    workdir: str = setting(..., "The run's directory.", place="folder")
    coordinator: str = setting("", "host:port of process 0 of a run on several hosts; 'auto' asks the cluster.")
    processes: int = setting(1, "Processes of that run.", least=1, most=1_000_000)
    process: int = setting(0, "Which of them this is, from 0.", most=999_999)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.citations import citation
        from metaforge.core.devices import connect
        from metaforge.evaluation.interval import Interval
        from metaforge.training import meta_train
        from metaforge.training.cited import parts_of

        connect(options.coordinator, options.processes, options.process)
        report = meta_train.run(config, options.workdir)
        rule = report["adaptation"]
        how = f"{rule['steps']} steps of {rule['optimizer']} at {rule['rate']:g} adapt best"
        how = "a discriminant in closed form adapts" if rule["optimizer"] == "discriminant" else how
        how = f"it adapts as {rule['optimizer']} does" if rule["optimizer"] == config.learner.name else how
        auc = f"AUC {rule['validation_auc']:.3f}"
        fitted_on = report.get("calibration", {}).get("bands", {}).get("fitted_on", {})
        if "left_out_auc" in fitted_on:
            worth = Interval.from_json(fitted_on["left_out_auc"])
            auc += f"; {worth:.3f} on training images whose kind and collection, or person, it had not seen"
        print(f"Please cite the work that it uses:\n\n{citation(*parts_of(config))}")
        return f"Wrote {options.workdir}: trained {config.run.iterations} steps; on source validation {how} ({auc})."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config(), presets=PRESETS)


def command() -> NoReturn:
    """The command as a program."""
    start(main, heavy=True)
