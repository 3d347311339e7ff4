"""The report of `experiments.quality` for people."""

from typing import Any

_Z2 = 1.959964**2


def markdown(report: dict[str, Any]) -> str:
    """A row for each treatment: whether its flag should be raised, how often it is, and what is then called fake."""
    show = lambda found: f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    left_out = report["config"]["left_out"]
    lines = [
        f"| flag | treatment | should be raised | raised | other flags | called fake, of {left_out} | cannot tell |",
        "|---" * 7 + "|",
    ]
    for row in report["rows"]:
        # Wilson's interval of none.
        none = {"value": 0.0, "low": 0.0, "high": _Z2 / (row["found"] + _Z2)}
        own = row["flags"].get(row["flag"], none)
        raised = "" if row["flag"] in ("", "covered") else show(own)
        others = [f"{name} {found['value']:.2f}" for name, found in row["flags"].items() if name != row["flag"]]
        if row["found"] < row["files"]:
            others.append(f"no face {1 - row['found'] / row['files']:.2f}")
        if "auc_of_the_finder" in row:
            others.append(
                f"the finder's score tells it from a clear face with an AUC of {row['auc_of_the_finder']:.2f}"
            )
        said = row.get("decisions", {})
        cells = [show(said[kind]) if said else "" for kind in ("fake", "cannot tell")]
        wanted = {True: "yes", False: "no", None: ""}[row["raised"]] if row["flag"] else ""
        lines.append(
            f"| {' | '.join([row['flag'] or 'none', row['name'], wanted, raised, ', '.join(others), *cells])} |"
        )
    faces = ", ".join(f"{count} of {name}" for name, count in report["faces"].items())
    lines += [
        "",
        f"Photographs: {faces}. All are real. Decisions are those of the pixels alone, before a flag is weighed.",
    ]
    return "\n".join(lines) + "\n"
