"""What a run of refinement came to, as JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from metaforge.captions.refining.agreement import Agreement, agreement, overlap
from metaforge.captions.refining.options import Options
from metaforge.captions.refining.refined import Summary
from metaforge.commands.parsing import flags_of
from metaforge.whole import write_text


class Said(NamedTuple):
    """One text of a refiner.

    Attributes:
        text: the text, also if it was rejected.
        raw: the sentence that it is made of.
        regions: of the annotation.
        types: likewise.
        accepted: whether the guard accepted it.
    """

    text: str
    raw: str
    regions: tuple[str, ...]
    types: tuple[str, ...]
    accepted: bool


def said_of(record: Mapping[str, Any]) -> Said | None:
    """What a refiner said of a record, `None` if nothing.

    Example:
        >>> refined = {"text": "raw", "accepted": False, "why": "...", "rejected": "worse"}
        >>> said_of({"sentence": "raw", "regions": [], "types": [], "refined": refined}).text
        'worse'
    """
    refined = record["refined"]
    if not refined["accepted"] and "rejected" not in refined:
        return None
    text = refined["text"] if refined["accepted"] else refined["rejected"]
    return Said(text, record["sentence"], tuple(record["regions"]), tuple(record["types"]), refined["accepted"])


def write_report(options: Options, refiner: str, summary: Summary, said: Sequence[Said]) -> None:
    """Writes counts, reasons, and the agreement of the texts with the annotations, before and after the guard.

    Args:
        options: of the run; no key is among them.
        refiner: its name.
        summary: what came of the records.
        said: all texts.
    """
    from metaforge.provenance import provenance

    kept = [one for one in said if one.accepted]
    report: dict[str, Any] = {
        "command": " ".join(["metaforge refine", *flags_of(options, Options())]),
        "config": dataclasses.asdict(options),
        "provenance": provenance(),
        "refiner": refiner,
        "summary": summary._asdict(),
        "agreement": {"all texts": _agreement(said), "accepted texts": _agreement(kept)},
    }
    if options.overlap and said:
        texts, raw = [one.text for one in said], [one.raw for one in said]
        report["overlap of all texts with the raw sentences"] = overlap(texts, raw)._asdict()
    write_text(options.report, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def _agreement(said: Sequence[Said]) -> dict[str, Any]:
    found: Agreement = agreement((one.text, {"regions": one.regions, "types": one.types}) for one in said)
    return {"texts": found.texts, "regions": found.regions._asdict(), "types": found.types._asdict()}
