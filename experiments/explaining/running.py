"""Features once, heads without each family, scores, and the head that ships."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.explaining.cases import CALIBRATE, COLLECTION, FIT, PEOPLE
from experiments.explaining.config import Config
from experiments.explaining.features import Table, table
from experiments.explaining.heads import CANDIDATES, Candidate, Heads, Material, material, without_each
from experiments.explaining.judging import error, f1, guesses, named, of_head, probabilities, ranked, scored, share
from experiments.explaining.mapping import map_scores
from experiments.explaining.table import markdown
from metaforge.bounds import check_bounds
from metaforge.errors import InputError
from metaforge.evaluation.calibration import verdicts
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.explanation import FAMILIAR
from metaforge.screening.explaining.region_head import RegionHead
from metaforge.screening.explaining.seeing import maps_of
from metaforge.screening.folder import load_detector, save_detector
from metaforge.whole import write_text

HEAD = "the region head"
ALONE = {"fine detail": "fine detail alone", "network": "the network's maps alone"}


def measure(config: Config, detector: Detector, seen: Table, *, say: Callable[[str], object]):
    """The report, and the head that ships."""
    made = material(seen, channels(detector))
    heads = Heads(made)
    fitted = without_each(heads, CANDIDATES, say=say)
    only = {name: [one for one in CANDIDATES if one.source == name] for name in ALONE}
    rows = np.flatnonzero(made.role(PEOPLE, COLLECTION) & (made.family != ""))
    every = {HEAD: {name: head for name, (head, _, _) in fitted.items()}} | {
        words: {name: heads.fitted(only[key], frozenset({name}))[0] for name in fitted} for key, words in ALONE.items()
    }
    found = {name: probabilities(made, mine, rows) for name, mine in every.items()}
    said = {name: named(made, every[name], rows, found[name]) for name in every}
    ways, cam = guesses(made, rows, said[HEAD])
    ship, candidate, score = heads.fitted(CANDIDATES, frozenset())
    known = of_head(made, ship, rows)
    said |= ways | {"methods known": known > ship.threshold}
    parts, true = made.parts()[rows], seen.true[rows]
    report: dict[str, Any] = {
        "images": {role: int(made.role(role).sum()) for role in (FIT, CALIBRATE, PEOPLE, COLLECTION)},
        "without_a_face": float(1 - seen.found.mean()),
        "chosen": {name: told(one, value) for name, (_, one, value) in fitted.items()},
        "shipped": told(candidate, score) | {"threshold": float(ship.threshold[0])},
        **scored(made, rows, said, head=HEAD, resamples=config.resamples),
        "auc": {
            name: ranked(true[parts], values[parts])
            for name, values in {**found, "Grad-CAM, best map": cam["values"], "methods known": known}.items()
        },
        "calibration": error(true[parts], found[HEAD][parts]),
    }
    say("judged")
    report["verdicts"] = by_verdict(config, detector, made, every[HEAD], rows, said[HEAD], ship)
    report["maps"] = map_scores(made, every[HEAD], detector, cam["chosen"], resamples=config.resamples)
    return report, ship


def channels(detector: Detector) -> list[int]:
    """Of each map that the detector hands on."""
    import jax

    side = detector.image_size
    shapes = jax.eval_shape(maps_of(detector.spec), detector.params, np.zeros((1, side, side, 3), np.uint8))
    return [level.shape[-1] for level in shapes]


def told(candidate: Candidate, score: float) -> dict[str, Any]:
    """A choice as JSON."""
    return {
        "source": candidate.source,
        "pieces": list(candidate.pieces),
        "shrinkage": candidate.shrinkage,
        "f1_where_chosen": score,
    }


def by_verdict(
    config: Config, detector: Detector, made: Material, heads: dict[str, RegionHead], rows: np.ndarray,
    said: np.ndarray, ship: RegionHead,
) -> dict[str, Any]:  # fmt: skip
    """What is left of names once the detector has spoken, and how often a real image has a region named."""
    seen, judge = made.table, detector.judge
    if judge is None:
        raise InputError(f"--model: the detector in '{config.model}' is not calibrated. Give one that is.")
    all_said = verdicts(seen.logits, seen.distances, judge)
    decision = np.array([one.decision for one in all_said])
    may = np.array([one.decision != "real" and (one.familiarity or 0) >= FAMILIAR for one in all_said])
    people, parts = seen.about["person"], made.parts()[rows]
    real = np.flatnonzero(made.role(PEOPLE, COLLECTION) & (made.family == "") & seen.found)
    each = [(of_head(made, head, real) > head.threshold).any(1) for head in heads.values()]
    alone = np.stack(each).mean(0)
    shipped = np.asarray((of_head(made, ship, real) > ship.threshold).any(1))
    told_of = {"forged": rows, "forged in part": rows[parts], "real": real}
    mine, count = rows[parts], config.resamples
    gated = said[parts] & may[mine][:, None]
    return {
        "decisions": {
            name: {kind: float((decision[some] == kind).mean()) for kind in ("real", "cannot tell", "fake")}
            for name, some in told_of.items()
        },
        "f1_if_the_detector_lets_it": f1(seen.true[mine], gated, people[mine], resamples=count),
        "real_images": len(real),
        "real_with_a_region": {
            "by the head, whatever the detector says": share(alone, people[real], resamples=count),
            "by the shipped head, whatever the detector says": share(shipped, people[real], resamples=count),
            "hedged: the detector cannot tell": share(
                shipped & may[real] & (decision[real] == "cannot tell"), people[real], resamples=count
            ),
            "said: the detector calls it fake": share(
                shipped & may[real] & (decision[real] == "fake"), people[real], resamples=count
            ),
        },
    }


def run(options: Any, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes the report and the detector with its head; a finished run returns its report at once.

    Args:
        options: where to.
        config: what is measured.

    Other Arguments:
        quiet: whether to say nothing on the way.
    """
    check_bounds(config)
    say = (lambda text: None) if quiet else lambda text: print(text, flush=True)
    detector = load_detector(config.model)
    maps_of(detector.spec)
    directory = Run(options.workdir, dataclasses.asdict(config)).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    seen = table(config, detector, directory / "features.npz", say=say)
    report, ship = measure(config, detector, seen, say=say)
    about = provenance()
    changed = [field.name for field in dataclasses.fields(config) if getattr(config, field.name) != field.default]
    command = "python -m experiments.explaining" + "".join(f" --{name}={getattr(config, name)}" for name in changed)
    report = {"command": command, "config": dataclasses.asdict(config), "provenance": about, **report}
    save_detector(directory / "detector", detector._replace(regions=ship._replace(about=head_about(report))))
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report


def head_about(report: dict[str, Any]) -> dict[str, Any]:
    """What a head says of itself, and of what it is worth."""
    ways = report["rows"][f"parts, {COLLECTION}"]["ways"]
    mine, guess = ways[HEAD]["f1"], ways["the best constant set"]["f1"]
    worth = (
        f"On another collection and methods that were left out, the F1 of named regions was {mine['value']:.2f} "
        f"[{mine['low']:.2f}, {mine['high']:.2f}] where one part was forged; a constant guess had {guess['value']:.2f}."
    )
    return {
        "worth": worth, "command": report["command"], "provenance": report["provenance"],
        "fitted_to": report["images"][FIT], "calibrated_on": report["images"][CALIBRATE], **report["shipped"],
    }  # fmt: skip
