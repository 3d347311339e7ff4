"""From a trained detector to one that is adapted to a new kind of forgery, and a report of what that is worth."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import metaforge as mf
from metaforge.bounds import check_bounds
from metaforge.data.crop_folder import crop_for
from metaforge.data.domains import TestSplit
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.intervals import bootstrap, paired_difference
from metaforge.runs import write_json
from metaforge.screening import (
    closed_form,
    deciding,
    forgetting,
    from_run,
    reals_alone,
    save_detector,
    saved_detector,
    telling,
)
from metaforge.screening.adapt_options import Options
from metaforge.screening.adapt_report import RANKED, SAID, markdown
from metaforge.screening.target_images import CLASSES, classes_of, read_target, read_unlabelled, set_aside
from metaforge.training import meta_test
from metaforge.whole import claimed, whole_folder, write_text

_DRAWING = ("shots", "draws", "seed")


def run(options: Options) -> dict[str, Any]:
    """Adapts, measures, saves; returns the report."""
    check_bounds(options)
    with claimed(options.out):
        return _run(options)


def _run(options: Options) -> dict[str, Any]:
    trained = {"run": saved_detector.load(options.run, weights=options.weights)}
    if options.remembers and trained["run"].called:
        raise InputError(f"--remembers: the detector in '{options.run}' has no source images. Give its training run.")
    sources = forgetting.sources(trained["run"].config, options.run) if options.remembers else None
    baseline = options.baseline or str(Path(options.run) / "erm")
    if options.baseline or Path(baseline).is_dir():
        trained["erm"] = from_run.load_run(baseline)
        if trained["erm"].name != "erm" or trained["run"].name == "erm":
            raise InputError(f"baseline: '{baseline}' must be an ERM run, and '{options.run}' another learner's.")
    rules = {key: closed_form.rule_of(one, options.rule if key == "run" else "") for key, one in trained.items()}
    for key, one in trained.items():
        from_run.refuse_rule(one.config, rate=options.rate, steps=options.steps, rule=rules[key])
    closed_form.refuse_again(trained["run"], rules["run"], where=f" in '{options.run}'")
    if options.unlabelled and rules["run"] not in closed_form.RULES:
        raise InputError(f"--unlabelled: the rule '{rules['run']}' takes labelled images alone. Leave it out, or give "
                         "--rule=discriminant or --rule=whitened.")  # fmt: skip
    classes = classes_of(options.target, rule=rules["run"])
    if classes != CLASSES:
        if options.baseline:
            raise InputError(f"--baseline: '{options.target}' has no subfolder 'fake', and without fakes no run is "
                             "compared with another. Leave it out.")  # fmt: skip
        trained.pop("erm", None)
    sizes = {run.config.model.image_size for run in trained.values()}
    if len(sizes) > 1:
        raise InputError(
            f"baseline: '{baseline}' was trained at another image size. Train it at that of '{options.run}'."
        )
    crop, amiss = crop_for(trained["run"].crop, Path(options.target), crops=options.crops)
    images, labels, groups, skipped, notes, stems = read_target(
        options.target, size=sizes.pop(), crop=crop, quiet=False, classes=classes
    )
    seen = np.isin(from_run.digests(images), trained["run"].before.get("seen", []))
    pool, test = set_aside(
        labels, groups, shots=options.shots, share=options.test_share, seed=options.seed, seen=groups[seen]
    )
    pairs = closed_form.pairs_of(labels, stems)
    unlabelled = read_unlabelled(options.unlabelled, images, labels, test, size=images.shape[1], crop=crop)
    judged = TestSplit(Records.from_columns(image=images[test], label=labels[test]))
    report = {"command": dataclasses.asdict(options), "normalisation": trained["run"].config.model.normalisation}
    plain, drawing = from_run.detector(trained["run"]), {name: getattr(options, name) for name in _DRAWING}
    if classes == CLASSES:
        measured: dict[str, telling.Told] = {}
        for key, one in trained.items():
            name = one.name if key == "run" else "erm"
            states = telling.over_draws(
                one, (images[pool], labels[pool]), judged, rate=options.rate, steps=options.steps, rule=rules[key],
                pairs=pairs[pool], unlabelled=unlabelled if key == "run" else None, **drawing,
            )  # fmt: skip
            measured |= {f"{name}, {state}": told for state, told in states.items()}
        report |= _tables(labels[test], measured, groups[test], trained["run"].name)
        before, after = (measured[f"{trained['run'].name}, {state}"] for state in ("not adapted", "adapted"))
        decision = deciding.decide(labels[test], after, before, groups[test], force=options.force)
    else:
        report["table"], decision = reals_alone.judged(
            trained["run"], images[pool], labels[pool], judged, groups[test],
            unlabelled=unlabelled, force=options.force, **drawing,
        )  # fmt: skip
    report |= {
        "images": {"real": int((labels == mf.REAL).sum()), "fake": int((labels == mf.FAKE).sum()),
                   "tested": len(test), "resampled": "file name groups, and draws of the support set"},
        "faces": crop or "crops, as they are", "crops_amiss": amiss, "doubtful": notes,
        "skipped_files": [skip._asdict() for skip in skipped],
    }  # fmt: skip
    report["pairs"] = len(np.setdiff1d(pairs[pool], -1))
    report["unlabelled"] = 0 if unlabelled is None else len(unlabelled)
    report["decision"] = decision
    if rules["run"] == "steps" and not (options.rate or meta_test.rate_at(trained["run"].rule, options.steps)[1]):
        report["rate_of_steps"] = trained["run"].rule["steps"]
    drawn = meta_test.support_rows(labels[pool], shots=options.shots, seed=options.seed, draw=0, pairs=pairs[pool])
    rows = pool[drawn]
    adapted = from_run.detector(
        trained["run"], support=np.asarray(images[rows]), labels=labels[rows], rate=options.rate, steps=options.steps,
        rule=rules["run"], pairs=pairs[rows], unlabelled=unlabelled,
    ) if decision["saved"] == "adapted" else plain  # fmt: skip
    if sources is not None:
        report["remembered"] = forgetting.remembered(trained["run"], adapted, sources)
    with whole_folder(options.out) as made:
        shots = options.shots if decision["saved"] == "adapted" else 0
        save_detector(made, adapted._replace(about=adapted.about | {"run": str(options.run), "shots": shots}))
        write_json(made / "report.json", report)
        write_text(made / "report.md", markdown(report))
    return report


def _tables(labels, measured: dict[str, telling.Told], groups, learner: str) -> dict[str, Any]:
    shown = lambda of, metrics: bootstrap(labels, of, groups, metric=metrics, resample_seeds=False)
    found = [
        shown({method: told.ranked for method, told in measured.items()}, RANKED),
        shown({method: told.said for method, told in measured.items()}, SAID),
    ]
    table = {
        method: {metric: interval.as_json() for part in found for metric, interval in part[method].items()}
        for method in measured
    }
    decided = {method: deciding.at_threshold(told) for method, told in measured.items() if told.threshold is not None}
    if decided:
        for method, interval in shown(decided, "accuracy").items():
            table[method][deciding.THRESHOLD] = interval.as_json()
    best = f"{learner}, adapted"
    gains = {
        f"{best} minus {other}": paired_difference(
            labels, measured[best].ranked, measured[other].ranked, groups, metric="auc", resample_seeds=False
        ).as_json()
        for other in measured
        if other != best
    }
    return {"table": table, "auc_gain": gains}
