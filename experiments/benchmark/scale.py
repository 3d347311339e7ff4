"""What a table of a million images costs: to read, to draw episodes from, in memory.

    python -m experiments.benchmark.scale --out=scale.json

Writes a manifest of made-up rows (five methods and their real videos, 32 frames each, no image), reads it in a process
of its own, and times the sampler over it. Episodes must cost the same whatever the number of records.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.bounds import Bounds
from metaforge.commands import launch, start
from metaforge.data.domains import by_method, split
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.manifest import read_manifest, write_manifest
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import write_json
from metaforge.settings import setting
from metaforge.whole import refuse_used, whole_file

METHODS, FRAMES = 5, 32


@dataclasses.dataclass(frozen=True)
class Options:
    """How many, where to."""

    records: str = setting("10000,100000,1000000", "Numbers of records, comma-separated.")
    out: str = setting("scale.json", "JSON file to write.", place="file")
    child: str = setting("", "A manifest to read in this process; used by the command itself.")


def rows(count: int):
    """Rows of a manifest: real videos, and a fake of each by each method; a person in two videos."""
    for number in range(count):
        video, frame = divmod(number, FRAMES)
        person, method = divmod(video, METHODS + 1)
        name = "real" if method == 0 else f"method{method}"
        part = ("train", "train", "train", "validation", "test")[person % 5]
        yield {
            "path": f"frames/made_up/{name}/{person:06d}/{frame:05d}.png", "label": int(method > 0),
            "dataset": "made_up", "method": name, "video": f"made_up/{name}/{person:06d}",
            "identity": f"made_up/{person:06d}", "pair": f"made_up/real/{person:06d}#{frame}", "split": part,
            "frame": frame,
        }  # fmt: skip


def measure(manifest: str) -> dict[str, Any]:
    """Seconds to read, split and index a manifest, the process's peak memory, and microseconds an episode."""
    before, began = _peak_mb(), time.perf_counter()
    table = read_manifest(manifest, size=84)
    read, count = time.perf_counter(), len(table)
    parts = split(table)
    del table
    train = by_method(parts.train)
    sampler = EpisodeSampler(train, seed=0, tasks=4, shots=5, queries=15)
    indexed = time.perf_counter()
    peak = _peak_mb()
    sampler(0)
    times = []
    for index in range(200):
        asked = time.perf_counter()
        sampler(index)
        times.append(time.perf_counter() - asked)
    return {"records": count, "read_s": read - began, "index_s": indexed - read, "peak_mb": peak,
            "of_which_imports_mb": before, "episode_ms": 1e3 * float(np.median(times))}  # fmt: skip


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(options: Options) -> dict[str, Any]:
    """Measures every number of records in a process of its own."""
    try:
        counts = [int(word) for word in options.records.split(",")]
    except ValueError:
        counts = [0]
    bounds = Bounds(10_000, 1_000_000_000)
    if not all(map(bounds.holds, counts)):
        raise InputError(f"--records={options.records}: give whole numbers, {bounds}.")
    refuse_used(options.out)
    report = {
        "command": f"python -m experiments.benchmark.scale --records={options.records}",
        "provenance": provenance(),
    }
    report["rows"] = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_manifest(folder, rows(count))
            command = [sys.executable, "-m", "experiments.benchmark.scale", f"--child={folder}"]
            done = subprocess.run(
                command, capture_output=True, text=True, encoding="utf-8", check=True, cwd=Path(__file__).parents[2]
            )
        report["rows"].append(json.loads(done.stdout.splitlines()[-1]))
        print(markdown(report).splitlines()[-1], flush=True)
    with whole_file(options.out, new=True) as made:
        write_json(made, report)
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = [
        "| records | read s | split and index s | peak memory MB | of which imports | ms an episode of 4 tasks |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['records']:,} | {row['read_s']:.1f} | {row['index_s']:.1f} | {row['peak_mb']:.0f} | "
            f"{row['of_which_imports_mb']:.0f} | {row['episode_ms']:.2f} |"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        if options.child:
            return json.dumps(measure(options.child))
        print(markdown(run(options)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
