"""Writes the tables of docs/tables anew from the reports in docs/results and docs/strong.

    python -m docs.write_tables

Call it in the root of the repository. Each table is what the command that made the report prints, under a line that
names the report; nothing is measured and nothing is typed by hand. tests/test_results.py compares the files with what
this module makes.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments import folders
from experiments.benchmark import compiling, scale
from experiments.benchmark import table as benchmark
from experiments.captions import table as captions
from experiments.demo import running as demo
from experiments.engines import compilers, photographs
from experiments.engines import table as engines
from experiments.evidence import maps
from experiments.evidence import table as evidence
from experiments.explaining import table as explaining
from experiments.fakeradar import running as fakeradar
from experiments.fakeradar import speed
from experiments.fakeradar.clips import cost as clips_cost
from experiments.fakeradar.clips import reporting as clips
from experiments.fakeradar.strangers import tables as tri_strangers
from experiments.finders import table as finders
from experiments.omniglot import report as omniglot
from experiments.quality import table as quality
from experiments.screening import table as screening
from experiments.serving import replicas_table as replicas
from experiments.serving import table as serving
from experiments.sinusoid import running as sinusoid
from experiments.strangers import decisions, targets
from experiments.strangers import tables as strangers
from experiments.strangers.fused import tables as fused
from experiments.strangers.hard_samples import tables as hard_samples
from experiments.strangers.made_small import table as made_small
from experiments.strangers.meta_learned import running as meta_learned
from experiments.strangers.trained import measures as trained
from experiments.study import tables as study
from experiments.words import table as words
from experiments.words.episodes import running as words_episodes
from metaforge.screening import adapting

DOCS = Path(__file__).parent
FOLDER = DOCS / "tables"

PLAIN: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "omniglot_published_rates": ("Omniglot, reduced, at the published inner rates", omniglot.table),
    "omniglot_short": ("Omniglot, reduced, at an inner rate for a short training", omniglot.table),
    "sinusoid": ("Sinusoid regression", sinusoid.table),
    "finders": ("Which faces the finder finds", finders.markdown),
    "finders_mtcnn": ("BlazeFace with its mesh beside MTCNN", finders.markdown),
    "captions": ("Where and how a face was forged, found from pairs", captions.markdown),
    "explaining": ("Where a face was forged, found in one image", explaining.markdown),
    "words": ("What captions are worth in training", words.markdown),
    "words_conv4": ("The same with Conv4 on images of 64 pixels", words.markdown),
    "words_episodes": ("What captions of the support set are worth to DAML", words_episodes.markdown),
    "engines_strong": ("What runs the shipped detector", engines.markdown),
    "engines_forms": ("The shipped detector in smaller numbers", engines.markdown),
    "engines_b0": ("What runs EfficientNet-B0", engines.markdown),
    "engines_b0_amx": ("What runs EfficientNet-B0 on a processor with AMX", engines.markdown),
    "engines_clip": ("What runs CLIP ViT-B/16 on a processor with AMX", engines.markdown),
    "engines_clip_forms": ("A detector on CLIP in smaller numbers", engines.markdown),
    "compilers": ("What the compilers make of a network", compilers.markdown),
    "screening_many": ("Screening a million files, without a network", screening.markdown),
    "screening_network": ("Screening with the shipped detector, by threads and by Ray Data", screening.markdown),
    "photographs": ("From a photograph's file to its score", photographs.markdown),
    "photographs_b0": ("The same through EfficientNet-B0", photographs.markdown),
    "serving": ("A detector over HTTP, beside a plain server and LitServe", serving.markdown),
    "replicas": ("The service on one, two and four replicas of Ray Serve", replicas.markdown),
    "folders": ("What the shipped detector says of two collections", folders.markdown),
    "strangers": ("A collection and a kind of forgery left out together", strangers.markdown),
    "strangers_clip": ("The same with CLIP's class token", strangers.markdown),
    "strangers_meta_learned": ("Meta-learners over levels, on the same folds", meta_learned.markdown),
    "hard_samples": (
        "Losses for hard examples, and a cosine with warm-up, on folds of strangers",
        hard_samples.markdown,
    ),
    "trained": ("Augmentation and dynamic batches, a collection and methods left out", trained.markdown),
    "strangers_fused": ("Fusion of depths against its absence", fused.markdown),
    "decisions": ("Stated shares of mistakes, on a collection left out", decisions.markdown),
    "quality": ("Flags of a verdict on faces treated by known amounts", quality.markdown),
    "evidence": ("What each measured feature of a face is worth by itself", evidence.markdown),
    "evidence_maps": ("How far a map of a score depends on what was learned", maps.markdown),
    "made_small": ("A pruned detector on collections and methods that it does not know", made_small.markdown),
    "targets": ("The shipped kind of detector held against goals", targets.table_of),
    "targets_clip": ("The same on CLIP's class token", targets.table_of),
    "scale": ("Reading a table of up to a million images", scale.markdown),
    "compiling": ("What it costs to compile an outer step, by learner", compiling.markdown),
    "tri_clip_token": ("FakeRadar's ablation on CLIP's class token, a collection left out", tri_strangers.markdown),
    "tri_clip_levels": ("The same with the levels of CLIP's last block beside", tri_strangers.markdown),
    "tri_lite0_levels": ("The same on levels of EfficientNet-Lite0", tri_strangers.markdown),
    "tri_speed": (
        "What tri-training costs",
        lambda report: "\n".join(
            ["| what | tri-training | binary | ratio |", "|---|---|---|---|", *speed.rows(report)]
        ),
    ),
    "clips_cost": ("What the paper's setting of FakeRadar costs on clips", clips_cost.markdown),
    "benchmark": ("First order, one inner step, four tasks", benchmark.markdown),
    "benchmark_avx512": ("First order, one inner step, four tasks, on a processor with AVX-512", benchmark.markdown),
    "benchmark_avx2": (
        "First order, one inner step, four tasks, on the same processor held to AVX2",
        benchmark.markdown,
    ),
    "benchmark_sixteen": ("First order, one inner step, sixteen tasks", benchmark.markdown),
    "benchmark_exact": ("Exact outer gradients, five inner steps", benchmark.markdown),
    "benchmark_twenty": ("Exact outer gradients, twenty inner steps", benchmark.markdown),
    "benchmark_twenty_sqrt": ("Exact outer gradients, twenty inner steps, rematerialised", benchmark.markdown),
    "benchmark_exact_avx512": (
        "Exact outer gradients, five inner steps, on a processor with AVX-512",
        benchmark.markdown,
    ),
    "benchmark_twenty_avx512": ("Exact outer gradients, twenty inner steps, with AVX-512", benchmark.markdown),
    "benchmark_twenty_sqrt_avx512": (
        "Exact outer gradients, twenty inner steps, rematerialised, with AVX-512",
        benchmark.markdown,
    ),
    "benchmark_small_pages": ("First order, without huge pages", benchmark.markdown),
    "benchmark_profile": ("Where the time of a step goes", benchmark.markdown),
}
"""Reports whose table has no title of its own: the title, and the function that makes the table."""

STRONG = ("strong_head", "strong_100", "strong_rate", "strong_300")
"""The studies that the strong recipe was chosen from, in the order in which they were made."""


def read(name: str, *, folder: str = "results") -> dict[str, Any]:
    """A report of docs/."""
    return json.loads((DOCS / folder / f"{name}.json").read_text(encoding="utf-8"))


def tables() -> dict[str, str]:
    """The text of each file of docs/tables, by its name."""
    return dict(_tables())


def _tables() -> Iterator[tuple[str, str]]:
    for name, (title, made_by) in PLAIN.items():
        report = read(name)
        yield _file(name, title, _how(report, made_by(report)))
    for name in ("demo", "leave_one_out"):
        yield _file(name, *_titled(demo.markdown(read(name))))
    for path in sorted((DOCS / "results").glob("fakeradar_*.json")):
        yield _file(path.stem, *_titled(fakeradar.markdown(read(path.stem))))
    for path in sorted((DOCS / "results").glob("clips_hour*.json")):
        yield _file(path.stem, *_titled(clips.markdown(read(path.stem))))
    for path in sorted((DOCS / "results").glob("study_*.json")):
        yield _file(path.stem, *_titled(study.markdown(read(path.stem))))
    for name in ("adapted_swap", "adapted_poisson_swap"):
        title = f"The strong recipe, adapted to {name.removeprefix('adapted_')}"
        yield _file(name, title, adapting.markdown(read(name, folder="strong")), folder="strong")
    yield _strong()


def _how(report: dict[str, Any], text: str) -> str:
    """A table under the command, commit and date of its report, where they are known and not in it already."""
    where = report.get("provenance")
    if where is None or where["commit"] in text:
        return text
    command = f"`{report['command']}`, commit " if "command" in report else "Commit "
    return f"{command}{where['commit']}, {where['date']}.\n\n{text}"


def _titled(text: str) -> tuple[str, str]:
    title, rest = text.split("\n", 1)
    return title.removeprefix("# "), rest


def _file(name: str, title: str, text: str, *, folder: str = "results") -> tuple[str, str]:
    source = f"Written by `python -m docs.write_tables` from [{name}.json](../{folder}/{name}.json)."
    return f"{name}.md", f"# {title}\n\n{source}\n\n{text.strip()}\n"


def _strong() -> tuple[str, str]:
    """One table of all recipes that were tried, and the command of each study."""
    reports = {name: read(name) for name in STRONG}
    named = ", ".join(f"[{name}.json](../results/{name}.json)" for name in STRONG)
    first = reports[STRONG[0]]["targets"]
    lines = [
        "# What the strong recipe was chosen from",
        "",
        f"Written by `python -m docs.write_tables` from {named}.",
        "",
        "| trainable | outer steps at rate | lead | method | " + " | ".join([*first, "mean"]) + " |",
        "|---" * (5 + len(first)) + "|",
    ]
    for report in reports.values():
        lines += study.choices(report)
    lines.append("")
    lines += [f"- {name}: `{report['command']}`" for name, report in reports.items()]
    return "strong_choices.md", "\n".join(lines) + "\n"


def main() -> None:
    """Writes every file, and removes those that no report makes any more."""
    made = tables()
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"Wrote {FOLDER.relative_to(DOCS.parent)}: {len(made)} tables.")


if __name__ == "__main__":
    main()
