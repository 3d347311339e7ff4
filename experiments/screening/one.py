"""One screen in a process of its own: what it did, how long it took, and the most memory that it held."""

import dataclasses
import functools
import hashlib
import json
import resource
import sys
import time
from pathlib import Path

from metaforge.screening.batches import running
from metaforge.screening.batches.options import Options
from metaforge.screening.verdicts.record import FaceVerdict, FileVerdict, Model, Provenance, Thresholds

_THRESHOLDS = Thresholds(0.3, 0.7, 0.05, 0.1, "nothing: a stand-in")


class Reader:
    """In place of a screener: reads each file, and makes a record of the usual form of its SHA-256."""

    model = Model("reader", "0" * 64, "")

    def crop_in(self, folder):
        """No face is looked for."""
        return None, ""

    def verdicts(self, files, *, root, workers=2):
        """A record a file."""
        for file in files:
            yield self._record(file, root)

    def _record(self, file: Path, root: Path) -> FileVerdict:
        data = file.read_bytes()
        digest = hashlib.sha256(file.name.encode()).digest()
        score = int.from_bytes(digest[:4], "big") / 2**32
        decision = "real" if score < 0.3 else "fake" if score > 0.7 else "cannot tell"
        face = FaceVerdict(1, (10.0, 20.0, 110.0, 140.0), (), round(score, 6), (0.1, 0.9), 0.5, decision, "as drawn")
        return FileVerdict(
            file=file.relative_to(root).as_posix(), sha256=hashlib.sha256(data).hexdigest(), bytes=len(data),
            kind="image", size=(250, 250), time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), model=self.model,
            p_fake=face.p_fake, decision=decision, reason=face.reason, faces=(face,), quality=(),
            provenance=Provenance("not available", "", "", "not looked for"), thresholds=_THRESHOLDS,
            limits="These numbers are drawn, and say nothing of the files.",
        )  # fmt: skip


def main(text: str) -> None:
    """Runs the screen that a JSON object describes, and prints another that says how it went."""
    asked = json.loads(text)
    reads = asked.pop("reads")
    spans: dict[str, float] = {}
    for name in ("write_page", "write_triage", "summary_of"):
        setattr(running, name, _timed(spans, name, getattr(running, name)))
    begun = time.monotonic()
    found = running.run(Options(**asked), screener=Reader() if reads else None, quiet=True)  # type: ignore[arg-type]
    seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "judged": found.judged, "before": found.before, "counts": found.counts, "seconds": round(seconds, 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2), "rss_mib": round(used.ru_maxrss / 1024, 1),
        "page_seconds": round(spans.get("summary_of", 0) + spans.get("write_page", 0), 2),
        "triage_seconds": round(spans.get("write_triage", 0), 2),
    }  # fmt: skip
    print(json.dumps(told))


def asked_of(options: Options, *, reads: bool) -> str:
    """What `main` is to be given."""
    return json.dumps(dataclasses.asdict(options) | {"reads": reads})


def _timed(spans, name, work):
    @functools.wraps(work)
    def timed(*arguments, **named):
        begun = time.monotonic()
        try:
            return work(*arguments, **named)
        finally:
            spans[name] = time.monotonic() - begun

    return timed


if __name__ == "__main__":
    main(sys.argv[1])
