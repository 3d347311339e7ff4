"""The report of adapting, for people."""

from typing import Any

from metaforge.evaluation.interval import Interval
from metaforge.screening import deciding, forgetting, from_run, reals_alone

RANKED, SAID = ("auc", "eer"), ("accuracy", "brier", "ece")
"""What is measured where a target has fakes: of how images are ranked, and of the probability that `predict` prints."""

_HEADS = {"auc": "AUC", "accuracy": "accuracy", deciding.THRESHOLD: "accuracy at its threshold", "eer": "EER",
          "brier": "Brier score", "ece": "calibration error"}  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    images, command = report["images"], report["command"]
    both = images["fake"] > 0
    if both:
        lines = _table(report)
        if "decision" in report:  # reports of earlier versions have none
            lines += ["", deciding.said(report["decision"])]
    else:
        lines = [*reals_alone.table(report), "", reals_alone.said(report["decision"])]
    lines += [
        "",
        f"{command['shots']} " + ("shots a class" if both else "real images") + f", {command['draws']} draws"
        + (", of whole pairs" if report.get("pairs", 0) >= command["shots"] else "")
        + (f", with {report['unlabelled']} real images without labels" if report.get("unlabelled") else "")
        + f"; {images['tested']} test images, set aside from {images['real']} real"
        + (f" and {images['fake']} fake; accuracy at a threshold of 0.5; " if both else "; ")
        + f"95 % intervals over {images['resampled']}; "
        + f'normalisation "{report["normalisation"]}".',
    ]  # fmt: skip
    if report["normalisation"] == "episode":
        lines += ["", f"The test images were normalised by each other, in batches of at most {from_run.DEALT} that a "
                  + "fixed draw dealt, so their scores depend on each other; the saved detector normalises by its "
                  + "support set instead, and scores each image by itself."]  # fmt: skip
    if "rate_of_steps" in report:
        lines += ["", f"The rate was chosen on source validation for {report['rate_of_steps']} steps, and "
                  + f"{command['steps']} were not tried there: --rate takes another."]  # fmt: skip
    if both:
        told = "*support statistics* is normalised by the support set but takes no step. "
        # Reports from before there were decisions are of the network's own probability.
        doubt = (
            "Accuracy, Brier score and calibration error are of the probability that predict prints, AUC and EER of "
            "how images are ranked before it doubts what is unfamiliar. "
        )
        lines += [
            "",
            (told if any(method.endswith(f", {from_run.STATISTICS}") for method in report["table"]) else "")
            + (doubt if "decision" in report else "")
            + "Resampling makes any detector look less calibrated, so the intervals of the calibration error lie "
            + "somewhat high.",
        ]
    if "remembered" in report:
        said = "What the saved detector still knows of the kinds that the run was trained on, on validation people:"
        lines += ["", said, "", forgetting.markdown(report["remembered"])]
    if report.get("crops_amiss"):
        lines += ["", report["crops_amiss"]]
    if report.get("doubtful"):
        lines += ["", "Images that were taken and are doubtful: "
                  + ", ".join(f"{count} {note}" for note, count in report["doubtful"].items()) + "."]  # fmt: skip
    if report["skipped_files"]:
        lines += ["", f"Files that were left out ({len(report['skipped_files'])}):", ""]
        lines += [f"- {skip['path']}: {skip['reason']}" for skip in report["skipped_files"]]
    return "\n".join(lines) + "\n"


def _table(report: dict[str, Any]) -> list[str]:
    show = lambda found: f"{Interval.from_json(found):.3f}"
    rows = report["table"]
    metrics = [name for name in _HEADS if any(name in row for row in rows.values())]
    lines = [f"| method | {' | '.join(_HEADS[name] for name in metrics)} |", "|---" * (1 + len(metrics)) + "|"]
    for method, row in rows.items():
        lines.append(f"| {method} | " + " | ".join(show(row[name]) if name in row else "" for name in metrics) + " |")
    lines += ["", "AUC gained, on the same images and draws:", ""]
    return lines + [f"- {name}: {Interval.from_json(gain):+.3f}" for name, gain in report["auc_gain"].items()]
