"""Runs one of the field's tables: trains on its sources, adapts to its targets, judges on their test splits.

    python -m experiments.protocol --protocol=daml_table2 --data_dir=faces --workdir=runs/table2 --preset=paper
    python -m experiments.protocol --list

DATA_DIR holds a folder for each data set, named as the protocol names it, made by experiments.prepare. Every learner
gets the same support sets: K labelled images a class of the target's train split. Rate and steps come from source
validation; --selection=oracle takes the best on the test split instead, and says so. Called again, it goes on.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from experiments import _adaptation, _prepared, _target, train
from experiments._progress import progress
from experiments.config import PAPER, PRESETS, Config
from experiments.demo import provenance
from metaforge.commands import launch, setting, start
from metaforge.data.domains import TestSplit, by_method
from metaforge.errors import InputError
from metaforge.evaluation.intervals import bootstrap, paired_difference, paired_p
from metaforge.evaluation.metrics import auc, per_method
from metaforge.evaluation.multiple import holm
from metaforge.evaluation.protocols import PROTOCOLS, Cell, Domains, Protocol, Selection, is_official, sources
from metaforge.evaluation.thresholds import fit_threshold
from metaforge.evaluation.video_level import video_scores
from metaforge.runs import read_json, write_json

LEARNERS = ("maml", "daml", "erm")


@dataclasses.dataclass(frozen=True)
class Options:
    """Which table, of what, where to."""

    protocol: str = setting("", "Which table.", choices=("", *PROTOCOLS))
    data_dir: str = setting("", "The folder with a prepared data set in each subfolder.")
    workdir: str = setting("", "Where runs, scores and the report go.")
    seeds: int = setting(3, "Trained models of each learner.")
    draws: int = setting(10, "Support sets to adapt each of them on.")
    shots: int = setting(0, "Labelled images a class; 0 for the protocol's.")
    selection: str = setting("source_validation", "What adaptation is chosen on.", choices=get_args(Selection))
    level: str = setting("", "One row of a metric; empty: the protocol's.", choices=("", "frame", "video"))
    list: bool = setting(False, "Only list the protocols, with the folders that they need.")


def run(options: Options, config: Config) -> dict[str, Any]:
    """Makes the table, or goes on making it, and returns its report."""
    protocol = _asked(options)
    config = dataclasses.replace(config, baseline=False, holdout="", faces="lfw")
    workdir = Path(options.workdir)
    asked = {"options": {n: v for n, v in dataclasses.asdict(options).items() if n not in ("workdir", "list")},
             "config": dataclasses.asdict(config)}  # fmt: skip
    if (workdir / "protocol.json").exists():
        if read_json(workdir / "protocol.json") != asked:
            raise InputError(
                f"workdir: '{workdir}' holds another table, or the same asked for otherwise. Choose another."
            )
    else:
        workdir.mkdir(parents=True, exist_ok=True)
        write_json(workdir / "protocol.json", asked)
    models = {
        (source, learner, seed): _trained(options, config, source, learner, seed)
        for source in sources(protocol)
        for learner in LEARNERS
        for seed in range(options.seeds)
    }
    cells = []
    with progress("judging", len(protocol.cells) * len(LEARNERS) * options.seeds, unit="model") as bar:
        for number, cell in enumerate(protocol.cells):
            test = _splits(options, config, cell.target).test.only(_methods(options, config, cell.target))
            found: dict[str, list] = {}
            rules: dict[str, list] = {}
            for (source, learner, seed), model in models.items():
                if source != cell.source:
                    continue
                path = workdir / "scores" / f"{number:03d}-{learner}-seed{seed}.npz"
                scores, rule = _scores(path, options, config, cell, model, test, seed)
                for state, values in scores.items():
                    found.setdefault(f"{learner}, {state}", []).append(values)
                rules.setdefault(learner, []).append(rule)
                bar.update()
            stacked = {name: np.stack(values) for name, values in found.items()}
            fitted = {learner: np.array([rule["threshold"] for rule in of]) for learner, of in rules.items()}
            cells.append(_judged(protocol, options, cell, test, stacked, fitted) | {"adaptation": rules})
    folders = sorted({domains.folder for cell in protocol.cells for domains in (cell.source, cell.target)})
    data = {name: _provenance(options, name) for name in folders}
    report = asked | {
        "protocol": protocol.name,
        "about": protocol.about,
        "reference": protocol.reference,
        "selection": options.selection,
        "level": options.level or protocol.level,
        "metrics": list(protocol.metrics),
        "cells": cells,
        # One test a target and comparison; together they would find something by chance.
        "holm": {
            name: {where: decision._asdict() for where, decision in holm(found).items()}
            for name, found in _p_values(cells).items()
        },
        "data": data,
        # A paper's numbers stand beside ours only where both come from the owners' whole data set.
        "official": all(is_official(found) for found in data.values()),
        "provenance": provenance(),
    }
    write_json(workdir / "report.json", report)
    return report


def _asked(options: Options) -> Protocol:
    for name in ("protocol", "data_dir", "workdir"):
        if not getattr(options, name):
            raise InputError(f"--{name} is missing. --list names the protocols and what they need.")
    if min(options.seeds, options.draws) < 1 or options.shots < 0:
        raise InputError("--seeds and --draws must be at least 1, --shots at least 0.")
    protocol = PROTOCOLS[options.protocol]
    folders = {domains.folder for cell in protocol.cells for domains in (cell.source, cell.target)}
    missing = sorted(name for name in folders if not (Path(options.data_dir) / name / "manifest.csv").exists())
    if missing:
        raise InputError(
            f"--data_dir={options.data_dir}: no prepared {', '.join(missing)}. Make each with experiments.prepare "
            f"--out={options.data_dir}/NAME."
        )
    if options.shots:
        cells = tuple(cell._replace(shots=options.shots) for cell in protocol.cells)
        protocol = protocol._replace(cells=cells)
    return protocol


def _trained(options: Options, config: Config, source: Domains, learner: str, seed: int) -> _target.Trained:
    name = "+".join([source.folder, *source.methods])
    workdir = Path(options.workdir) / "runs" / name / f"{learner}-seed{seed}"
    settings = {
        "data": str(Path(options.data_dir) / source.folder),
        "methods": ",".join(source.methods) or "all",
        "learner": learner,
        "seed": seed,
    }
    train.run(dataclasses.replace(config, **settings), workdir)
    return _target.load_run(workdir)


def _splits(options: Options, config: Config, domains: Domains):
    path = str(Path(options.data_dir) / domains.folder)
    return _prepared.opened(path, size=config.image_size, frames=config.frames).splits


def _methods(options: Options, config: Config, domains: Domains) -> tuple[str, ...]:
    train_split = _splits(options, config, domains).train
    return domains.methods or tuple(sorted(set(train_split.method[train_split.label == 1].tolist())))


def _scores(path: Path, options: Options, config: Config, cell: Cell, model, test: TestSplit, seed: int):
    """Scores of a model in its three states, and the rule that it adapted by; kept on the disk."""
    if not path.exists():
        # Support sets come from the target's train split; what is judged is sealed.
        pool = by_method(_splits(options, config, cell.target).train, _methods(options, config, cell.target))
        few = [int((pool.label == label).sum()) for label in (0, 1)]
        if min(few) < cell.shots:
            raise InputError(f"{cell.target.folder}: {few[0]} real and {few[1]} fake training images for "
                             f"{cell.shots} shots. Lower --shots, or prepare more.")  # fmt: skip
        rule = {"rate": model.rule["rate"], "steps": cell.steps or model.rule["steps"]}
        worth = lambda rule: _target.worth(model, (pool.image, pool.label), test, shots=cell.shots, seed=seed,
                                           draws=options.draws, **rule)  # fmt: skip
        if options.selection == "oracle":
            rule = _oracle(config, cell, model, test, worth)
        found = worth(rule)
        rule = rule | {"threshold": _threshold(options, config, cell.source, model)}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with open(temporary, "wb") as stream:
            np.savez_compressed(stream, **(found | rule))  # type: ignore[arg-type]
        temporary.replace(path)
    with np.load(path, allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    names = {"rate": float, "steps": int, "threshold": float}
    rule = {name: kind(found.pop(name)) for name, kind in names.items()}
    return found, rule


def _threshold(options: Options, config: Config, source: Domains, model) -> float:
    """The threshold that suits the model, not adapted, best on source validation, of at most some thousand images."""
    pool = by_method(_splits(options, config, source).validation, _methods(options, config, source))
    rows = np.arange(0, len(pool), -(-len(pool) // 4096))
    some = pool.take(rows)
    scores = _target.scores(model, _target.detector(model), TestSplit(some))
    return fit_threshold(some.label, scores)


def _p_values(cells: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    names = cells[0]["auc_gain"]
    return {name: {f"{c['row']} to {c['column']}": c["auc_gain"][name]["p"] for c in cells} for name in names}


def _oracle(config: Config, cell: Cell, model, test: TestSplit, worth) -> dict[str, Any]:
    """The rule that is best on the test split: what choosing on the answers would give."""
    unit = config.inner_lr if config.finetune_optimizer == "sgd" else 1e-3
    steps = (cell.steps,) if cell.steps else _adaptation.STEPS
    tried = [{"rate": unit * rate, "steps": count} for count in steps for rate in _adaptation.RATES]
    return max(tried, key=lambda rule: float(np.mean(auc(test.label, worth(rule)["adapted"]))))


def _judged(
    protocol: Protocol, options: Options, cell: Cell, test: TestSplit, scores: Mapping[str, np.ndarray],
    fitted: Mapping[str, np.ndarray],
):  # fmt: skip
    """One cell of the table: every method's metrics with intervals, and the gains on the same draws."""
    labels, clusters = test.label, np.where(test.identity == "", test.video, test.identity)
    by_forgery = {name: {forgery: float(np.mean(value)) for forgery, value in
                         per_method(labels, values, test.method, "auc").items()}
                  for name, values in scores.items()}  # fmt: skip
    if (options.level or protocol.level) == "video":
        labels, clusters, scores = _by_video(test, clusters, scores)
    metrics = list(dict.fromkeys([*protocol.metrics, "eer", "nll"]))
    found = bootstrap(labels, scores, clusters, metric=metrics)
    pairs = [(f"{learner}, adapted", f"{learner}, not adapted") for learner in LEARNERS]
    pairs += [(f"{learner}, adapted", "erm, adapted") for learner in LEARNERS if learner != "erm"]
    gains = {
        f"{a} minus {b}": paired_difference(labels, scores[a], scores[b], clusters)._asdict()
        | {"p": paired_p(labels, scores[a], scores[b], clusters)}
        for a, b in pairs
    }
    called = {name: (values > fitted[name.split(", ")[0]][:, None, None]).astype(float)
              for name, values in scores.items()}  # fmt: skip
    at_fitted = bootstrap(labels, called, clusters, metric="accuracy")
    return {
        "row": cell.row,
        "column": cell.column,
        "shots": cell.shots,
        "steps": cell.steps,
        "table": {
            name: {m: interval._asdict() for m, interval in row.items()}
            | {"accuracy_fitted": at_fitted[name]._asdict()}
            for name, row in found.items()
        },
        "auc_by_method": by_forgery,
        "auc_gain": gains,
        "tested": {
            "images": len(test),
            "videos": len(set(test.video.tolist())),
            "clusters": len(set(clusters.tolist())),
        },
        "published": {
            f"{method}, {metric}": value
            for (method, row, column, metric), value in protocol.published.items()
            if (row, column) == (cell.row, cell.column)
        },
    }


def _by_video(test: TestSplit, clusters: np.ndarray, scores: Mapping[str, np.ndarray]):
    """Labels, clusters and scores with one row a video; videos are told apart by data set, method and name."""
    table = {"labels": test.label, "dataset": "", "method": test.method, "video": test.video}
    found = {name: video_scores(values, **table) for name, values in scores.items()}
    keys = next(iter(found.values())).keys
    person = dict(zip(zip(test.method.tolist(), test.video.tolist(), strict=True), clusters.tolist(), strict=True))
    of_video = np.array([person[method, video] for _, method, video in keys.tolist()])
    return next(iter(found.values())).labels, of_video, {name: one.scores for name, one in found.items()}


def _provenance(options: Options, folder: str) -> dict[str, Any]:
    return _prepared.provenance(str(Path(options.data_dir) / folder))[folder]


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> None:
        if options.list:
            for protocol in PROTOCOLS.values():
                folders = sorted({d.folder for cell in protocol.cells for d in (cell.source, cell.target)})
                print(f"{protocol.name}: {protocol.about}; needs {', '.join(folders)}.")
            return
        from paper_figures.protocol_table import markdown

        report = run(options, config)
        print(markdown(report))
        print(f"Wrote {options.workdir}/report.json. As LaTeX or CSV:")
        print(f"  python -m paper_figures.protocol_table --report={options.workdir}/report.json --out=table.tex")

    presets = PRESETS | {"paper": PAPER}
    return launch(argv, body, doc=__doc__ or "", options=Options(), config=PAPER, presets=presets, resumes=True)


if __name__ == "__main__":
    start(main, heavy=True)
