"""The thresholds from one half of the people, the scores from the other, and the report."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.captions.config import Config
from experiments.captions.copies import copy_scores
from experiments.captions.judging import (
    choose,
    exchange_scores,
    found_in,
    guesses,
    scores,
    sensitivity,
    type_scores,
    type_sensitivity,
)
from experiments.captions.pairs import Known, known_pairs
from experiments.captions.table import markdown
from metaforge.bounds import check_bounds
from metaforge.captions.annotation import annotate
from metaforge.captions.thresholds import Thresholds
from metaforge.forgeries.compression import check_h264
from metaforge.provenance import provenance
from metaforge.runs import Run, write_json
from metaforge.whole import write_text


def measure(config: Config, *, say: Any) -> dict[str, Any]:
    """Forges, chooses, and judges."""
    first, second = known_pairs(config)
    say(f"{len(first)} pairs to choose thresholds, {len(second)} to judge")
    chosen = choose(first, say=say)
    report: dict[str, Any] = {"pairs": [len(first), len(second)], "thresholds": {}, "rows": {}, "iou": {}, "types": {}}
    for name, thresholds in (("fitted", chosen), ("shipped", Thresholds())):
        found = found_in(second, thresholds)
        report["thresholds"][name] = dataclasses.asdict(thresholds)
        report["rows"][name] = scores(second, found.coverage > thresholds.region, resamples=config.resamples)
        report["iou"][name] = float(np.mean(found.iou))
        report["types"][name] = type_scores(second, found, thresholds)
        if name == "shipped":
            report["type_sensitivity"] = type_sensitivity(second, found, thresholds)
    report["exchanged"] = exchange_scores(second, Thresholds(), resamples=config.resamples)
    report["copies"] = copy_scores(second, size=config.size)
    report["rate"] = rate(second)
    say(f"annotated; {report['rate']:.0f} pairs a second of one core's time")
    for name, said in guesses(first, second).items():
        report["rows"][name] = scores(second, said, resamples=config.resamples)
    report["sensitivity"] = sensitivity(second, Thresholds())
    return report


def rate(pairs: Sequence[Known], *, most: int = 200) -> float:
    """Pairs that are annotated in a second of the process's time on the cores, without reading or writing images."""
    few = pairs[:most]
    start = time.process_time()
    for pair in few:
        annotate(pair.real, pair.fake, pair.landmarks)
    return len(few) / (time.process_time() - start)


def run(config: Config, workdir: str | Path, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json and report.md; a finished run returns its report at once.

    Args:
        config: what is measured.
        workdir: where to.

    Other Arguments:
        quiet: whether to say nothing on the way.
    """
    check_bounds(config)
    check_h264()
    directory = Run(workdir, dataclasses.asdict(config)).directory
    if (directory / "report.json").exists():
        return json.loads((directory / "report.json").read_text(encoding="utf-8"))
    say = (lambda text: None) if quiet else lambda text: print(text, flush=True)
    changed = [field.name for field in dataclasses.fields(config) if getattr(config, field.name) != field.default]
    report = {
        "command": "python -m experiments.captions" + "".join(f" --{name}={getattr(config, name)}" for name in changed),
        "config": dataclasses.asdict(config),
        "provenance": provenance(),
        **measure(config, say=say),
    }
    write_text(directory / "report.md", markdown(report))
    write_json(directory / "report.json", report)
    return report
