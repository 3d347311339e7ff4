"""What a run of refinement came to, as JSON."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from metaforge.captions.refining.agreement import Tally, overlap
from metaforge.captions.refining.guard import named
from metaforge.captions.refining.mentions import mentions
from metaforge.captions.refining.options import Options
from metaforge.captions.refining.refined import Summary
from metaforge.commands.parsing import flags_of
from metaforge.whole import write_text


class Report:
    """Counts, reasons, and how well texts agree with the annotations, before and after the guard.

    Attributes:
        overlap: whether BLEU and ROUGE-L are wanted, for which all texts are kept.
    """

    def __init__(self, *, overlap: bool):
        """Of no record."""
        self.overlap = overlap
        self._all, self._accepted = Tally(), Tally()
        self._texts: list[str] = []
        self._raw: list[str] = []

    def add(self, record: Mapping[str, Any]) -> None:
        """What a refiner said of a record, accepted or not; nothing if it said nothing."""
        refined = record["refined"]
        text = refined["text"] if refined["accepted"] else refined.get("rejected")
        if text is None:
            return
        found = named(mentions(text), record)
        self._all.add(*found, record)
        if refined["accepted"]:
            self._accepted.add(*found, record)
        if self.overlap:
            self._texts.append(text)
            self._raw.append(record["sentence"])

    def write(self, options: Options, refiner: str, summary: Summary) -> None:
        """Writes all that came of a run.

        Args:
            options: of the run; no key is among them.
            refiner: its name.
            summary: what came of the records.
        """
        from metaforge.provenance import provenance

        report: dict[str, Any] = {
            "command": " ".join(["metaforge refine", *flags_of(options, Options())]),
            "config": dataclasses.asdict(options),
            "provenance": provenance(),
            "refiner": refiner,
            "summary": summary._asdict(),
            "agreement": {"all texts": _plain(self._all), "accepted texts": _plain(self._accepted)},
        }
        if self._texts:
            report["overlap of all texts with the raw sentences"] = overlap(self._texts, self._raw)._asdict()
        write_text(options.report, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def _plain(tally: Tally) -> dict[str, Any]:
    found = tally.result()
    return {"texts": found.texts, "regions": found.regions._asdict(), "types": found.types._asdict()}
