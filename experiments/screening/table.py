"""The report of the study of many files, for people."""

from typing import Any


def markdown(report: dict[str, Any]) -> str:
    """The report's tables."""
    parts = [made(report) for name, made in (("reads", _reads), ("network", _network)) if name in report]
    load = f"the load was {report['load_before']} before and {report['load_after']} after"
    parts.append(f"{report['cores']} cores, which other programs used, too: {load}.")
    return "\n\n".join(parts) + "\n"


def _reads(report: dict[str, Any]) -> str:
    lines = [
        "| files, no network | files/s | processor ms a file | peak memory, MiB | counting, s | page, s | table, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["reads"]:
        screening = row["seconds"] - row["page_seconds"] - row["triage_seconds"]
        shown = [f"{row['files']:,}", f"{row['judged'] / screening:,.0f}",
                 f"{1000 * row['processor_seconds'] / row['judged']:.2f}", f"{row['rss_mib']:.0f}",
                 *(f"{row[f'{name}_seconds']:.1f}" for name in ("count", "page", "triage"))]  # fmt: skip
        lines.append(f"| {' | '.join(shown)} |")
    killed = report["killed"]
    at = ", ".join(f"{number:,}" for number in killed["killed_after_records"])
    last = killed["last"]
    said = [
        f"The screen of {killed['records']:,} files was killed (SIGKILL) with {at} records written.",
        f"After the last call, {killed['equal_and_in_order']:,} of its {killed['records']:,} records are those of the",
        "screen that nobody killed, in the same order.",
        f"The last call found {last['before']:,} done, judged {last['judged']:,}, and held {last['rss_mib']:.0f} MiB.",
    ]
    lines += ["", " ".join(said)]
    return "\n".join(lines)


def _network(report: dict[str, Any]) -> str:
    lines = [
        "| with the detector, by | workers | files | files/s | processor seconds a file | peak memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["network"]:
        seconds = row["seconds"] - row["triage_seconds"]
        # Ray's processes are not this one's children.
        own = row["by"] == "threads"
        before = f" ({row['before']:,} more by a call before)" if row["before"] else ""
        lines.append(
            f"| {row['by']} | {row['workers']} | {row['judged']:,}{before} | {row['judged'] / seconds:.1f} | "
            f"{format(row['processor_seconds'] / row['judged'], '.3f') if own else 'not measured'} | "
            f"{row['rss_mib']:.0f}{'' if own else ' (of the first process)'} |"
        )
    lines.append("")
    for row, found in zip(report["network"][1:], report["equal"], strict=True):
        same = "the same files" if found["same_files"] else "other files"
        said = [
            f"- {row['by']}, {row['workers']} workers, beside the first row: {same},",
            f"{found['identical']:,} records identical but for the time,",
            f"{found['identical_but_for_p_fake']:,} but for `p_fake` too,",
            f"which differs by {found['largest_difference_of_p_fake']:.1g} at most.",
        ]
        lines.append(" ".join(said))
    return "\n".join(lines)
