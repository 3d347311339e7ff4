"""How long a photograph takes from the file to the verdict, and how many go through in a second.

    python -m experiments.engines.photographs --model=docs/strong/detector --out=photographs.json

The whole photographs that ship with the package are written as JPEG at each width. One after another, in a process that
is warm, a photograph is read, its faces are found and cut out, and the detector scores them on ONNX Runtime: each stage
is timed, and the whole. Then a folder of them is screened as `metaforge predict` does it, with `--workers` threads
beside, in the same rounds. "Of the stages'" is that rate against cores / the sum of the stages' processor
seconds: what they would reach if no core ever waited. The peak of memory is that of the process.
"""

import dataclasses
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.backbones.spec import EFFICIENTNETS
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.processor import cores
from metaforge.settings import setting
from metaforge.whole import refuse_used


@dataclasses.dataclass(frozen=True)
class Options:
    """What is screened with what."""

    model: str = setting(
        "docs/strong/detector",
        "A saved detector, a file in ONNX, or an EfficientNet of random weights by name.",
        place="read",
    )
    out: str = setting("photographs.json", "JSON file to write.", place="file")
    widths: str = setting("640,1600,4000", "Widths of the photographs in pixels, comma-separated.")
    count: int = setting(32, "Photographs in the folder.", least=1, most=100_000)
    rounds: int = setting(5, "Rounds; each takes every stage and the folder once.", least=1, most=1000)
    workers: int = setting(2, "Threads that read images and find faces.", least=1, most=256)


STAGES = "read", "find and cut out", "score"


def run(options: Options) -> dict[str, Any]:
    """Measures and writes the report."""
    from metaforge.data.detection import check_finder
    from metaforge.provenance import provenance
    from metaforge.runs import write_json
    from metaforge.screening.predicting import load

    try:
        widths = [int(part) for part in options.widths.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 64 or max(widths) > 20_000:
        raise InputError(f"--widths={options.widths}: give numbers of pixels from 64 to 20000, with commas.")
    check_finder()
    if options.model in EFFICIENTNETS:
        from experiments.engines.running import named
        from metaforge.screening.portable import onnx_of, read_onnx

        detector = read_onnx(onnx_of(named(options.model)), "model")
    else:
        detector = load(options.model, engine="auto" if Path(options.model).is_file() else "onnx")
    report: dict[str, Any] = {"command": _command(options), "cores": cores(), "widths": {}}
    for width in widths:
        with tempfile.TemporaryDirectory() as folder:
            report["widths"][str(width)] = _measured(detector, _written(Path(folder), width, options.count), options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report |= {"peak_mb": peak / (1e6 if sys.platform == "darwin" else 1024), "provenance": provenance()}
    write_json(options.out, report)
    return report


def _measured(detector: Any, folder: Path, options: Options) -> dict[str, Any]:
    from metaforge.data.face_crops import face_crops
    from metaforge.data.images import read_image
    from metaforge.screening.predicting import screen

    files = sorted(folder.iterdir())
    alone, busy = [], {stage: [] for stage in STAGES}
    rates, allowed, faces = [], [], 0
    for number in range(options.rounds + 1):
        first = time.process_time()
        for file in files:
            began, spent = time.perf_counter(), [time.process_time()]
            picture = read_image(file)
            spent.append(time.process_time())
            found = face_crops(picture, size=detector.image_size, crop=detector.crop)
            spent.append(time.process_time())
            if found:
                detector.examine(np.stack([each.image for each in found]))
            spent.append(time.process_time())
            if number:
                alone.append(1e3 * (time.perf_counter() - began))
                for stage, seconds in zip(STAGES, np.diff(spent), strict=True):
                    busy[stage].append(1e3 * float(seconds))
        stages = time.process_time() - first
        began = time.perf_counter()
        faces = sum(row.p_fake is not None for row in screen(detector, folder, crop=detector.crop,
                                                             workers=options.workers))  # fmt: skip
        if number:
            rates.append(len(files) / (time.perf_counter() - began))
            allowed.append(len(files) * cores() / stages)
    middle, low, high = np.percentile(np.array(rates) / np.array(allowed), [50, 5, 95]).tolist()
    return {
        "ms_p50": float(np.median(alone)), "ms_p95": float(np.percentile(alone, 95)), "photographs": len(alone),
        "faces": faces, "processor_ms": {stage: float(np.median(each)) for stage, each in busy.items()},
        "photographs_a_second": float(np.median(rates)),
        "of_what_the_stages_allow": {"value": middle, "low": low, "high": high},
    }  # fmt: skip


def _written(folder: Path, width: int, count: int) -> Path:
    from PIL import Image

    from metaforge.data.embedded_faces import whole_photographs

    photographs = list(whole_photographs().values())
    for number in range(count):
        photograph = Image.fromarray(photographs[number % len(photographs)])
        size = (width, round(photograph.height * width / photograph.width))
        photograph.resize(size).save(folder / f"{number:05}.jpg", quality=92)
    return folder


def _command(options: Options) -> str:
    usual = Options()
    flags = [f"--{name}={value}" for name, value in vars(options).items()
             if name != "out" and value != getattr(usual, name)]  # fmt: skip
    return " ".join(["python -m experiments.engines.photographs", *flags])


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    about = report["provenance"]
    title = f"`{report['command']}`, commit {about['commit']}, {about['date']}; {report['cores']} cores; at most "
    head = (
        "| width | file to score, ms p50 | p95 | read, CPU ms | find and cut out | score | a second | of the stages' |"
    )
    lines = [
        title + f"{report['peak_mb']:.0f} MB.",
        "",
        head,
        "|---|---|---|---|---|---|---|---|",
    ]
    for width, row in report["widths"].items():
        stages = " | ".join(f"{row['processor_ms'][stage]:.1f}" for stage in STAGES)
        ratio = row["of_what_the_stages_allow"]
        lines.append(
            f"| {width} | {row['ms_p50']:.1f} | {row['ms_p95']:.1f} | {stages} | {row['photographs_a_second']:.1f} | "
            f"{ratio['value']:.0%} [{ratio['low']:.0%}, {ratio['high']:.0%}] |"
        )
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        refuse_used(options.out)
        print(markdown(run(options)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
