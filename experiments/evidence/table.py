"""The report of `experiments.evidence` for people."""

from typing import Any


def markdown(report: dict[str, Any]) -> str:
    """A row for each feature, those that failed as large as those that are shown."""
    show = lambda found: f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    rows = sorted(report["features"], key=lambda row: -row["auc"]["value"])
    ways = list(rows[0]["by_acquisition"])
    kinds, places = list(rows[0]["by_method"]), list(rows[0]["by_collection"])
    lines = [
        f"| feature | tag | AUC, left out | {' | '.join(f'acquisition {way}' for way in ways)} | shown in verdicts |",
        "|---" * (4 + len(ways)) + "|",
    ]
    for row in rows:
        cells = [row["name"], row["tag"], show(row["auc"]), *(show(row["by_acquisition"][way]) for way in ways)]
        lines.append(f"| {' | '.join(cells)} | {'yes' if row['shown'] else 'no: tried and failed'} |")
    for title, key, names in (("method", "by_method", kinds), ("collection", "by_collection", places)):
        lines += ["", f"The same by {title} that was left out:", "", f"| feature | {' | '.join(names)} |"]
        lines.append("|---" * (1 + len(names)) + "|")
        lines += [f"| {row['name']} | {' | '.join(show(row[key][name]) for name in names)} |" for row in rows]
    shown = sum(row["shown"] for row in rows)
    people = ", ".join(f"{count} of {name}" for name, count in report["people"].items())
    rule = report["rule"]
    said = (f"{shown} of {len(rows)} features are shown: their mean AUC is above {rule['mean_above']} and the lower "
            f"end of its interval above {rule['lower_end_above']}. People: {people}. {report['images']} images; in "
            f"{report['no_face']} more no face was found. Every AUC is a mean over folds; intervals (95 %) resample "
            "people.")  # fmt: skip
    lines += ["", said]
    return "\n".join(lines) + "\n"
