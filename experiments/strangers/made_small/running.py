"""The study from end to end: images, features, folds, systems, the report."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.strangers.faces import collections
from experiments.strangers.made_small import making, measuring, table
from experiments.strangers.made_small.config import Config, Options
from experiments.strangers.made_small.folding import Fold, fold_of
from experiments.strangers.made_small.looking import features
from experiments.strangers.made_small.material import Images, images_of, known
from metaforge.backbones import choice
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.provenance import provenance
from metaforge.runs import Run
from metaforge.settings import check_settings
from metaforge.whole import write_arrays, write_text

DETECTOR, ENSEMBLE = "detector", "detector with CLIP"


def run(options: Options, config: Config, *, quiet: bool = False) -> dict[str, Any]:
    """Measures, and writes report.json and report.md.

    Raises:
        InputError: when something that is asked for cannot work.
    """
    check_settings(config)
    config.parts()
    where = provenance()
    directory = Path(options.workdir)
    # Images that are forged already need no faces.
    faces = known(directory) or collections(config.study, quiet=quiet)[0]
    for name, _ in config.places():
        if name not in faces:
            raise InputError(f"--folds={config.folds}: no collection '{name}'; there are {', '.join(faces)}.")
    # More folds or shares in a second call use the files of the first.
    kept = Run(directory, {"study": dataclasses.asdict(config.study)})
    images = images_of(config.study, faces, directory, quiet=quiet)
    params = _params(config)
    wanted = _kept(
        directory / "features.npz",
        lambda: {"features": features(config.study.model, params, images.image, quiet=quiet)},
    )["features"]
    clip = _clip(Path(options.clip), images, len(faces)) if options.clip else None
    found = {
        place: _systems(config, directory, images, params, wanted, clip, place, quiet=quiet)
        for place in config.places()
    }
    report = {
        "command": " ".join([
            "python -m experiments.strangers.made_small", *flags_of(options, Options(""), but=("workdir",)),
            *flags_of(config, Config()),
        ]),
        "config": dataclasses.asdict(config),
        "provenance": where,
        "folds": [{"collection": c, "half": half, "images": len(one["label"])} for (c, half), one in found.items()],
        "rows": measuring.rows(config, found),
        "differences": measuring.differences(config, found),
        "costs": measuring.costs_of(config, params, directory, quiet=quiet),
    }  # fmt: skip
    write_text(directory / "report.md", table.markdown(report))
    kept.finish(report)
    return report


def _params(config: Config) -> Any:
    side = config.study.model.image_size
    made = choice.choose(config.study.model).init(
        jax.random.key(config.study.seed), np.zeros((1, side, side, 3), np.float32)
    )
    return jax.tree.map(np.asarray, made)


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, np.ndarray]:
    if not path.exists():
        write_arrays(path, **make())
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _clip(folder: Path, images: Images, count: int) -> np.ndarray:
    """CLIP's class token of the same images, which a study of strangers has in the order of its methods."""
    parts = [np.load(folder / f"features-{number}.npz", allow_pickle=False) for number in range(count)]
    column = lambda name: np.concatenate([part[name] for part in parts])
    keys = [column(name) for name in ("collection", "person", "kind", "label")]
    order = np.lexsort((np.arange(len(keys[0])), *reversed(keys)))
    ours = [images.collection, images.person, images.kind, images.label]
    mine = np.lexsort((np.arange(len(images.label)), *reversed(ours)))
    if any((theirs[order] != own[mine]).any() for theirs, own in zip(keys, ours, strict=True)):
        raise InputError(f"--clip: '{folder}' has features of other faces.")
    made = np.empty((len(mine), 768), np.float32)
    made[mine] = column("features")[order, :768]
    return made


def _systems(
    config: Config, directory: Path, images: Images, params: Any, wanted: np.ndarray, clip: np.ndarray | None,
    place: tuple[str, int], *, quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """Labels and people of a fold's judged images, and logits of every system, by its name; of several seeds rows."""
    made: list[Fold] = []

    def fold() -> Fold:
        # Fitted once, and only if a file is missing.
        if not made:
            made.append(fold_of(images, wanted, *place))
        return made[0]

    begins = f"{place[0]}-{place[1]}"
    base = _kept(
        directory / f"{begins}-base.npz",
        lambda: {
            "said": fold().said,
            "judged": fold().judged,
            **({} if clip is None else {"clip": fold_of(images, clip, *place).said}),
        },
    )
    judged, labels = base["judged"], images.label
    systems: dict[str, np.ndarray] = {DETECTOR: base["said"][judged][None]}
    teachers: dict[str, np.ndarray | None] = {"labels alone": None, "distilled": base["said"]}
    if "clip" in base:
        both = (base["said"] + base["clip"]) / 2
        systems[ENSEMBLE] = both[judged][None]
        teachers["distilled from both"] = both
    for share in (0.0, *config.parts()):
        if not share:
            if begins.replace("-", ":") not in config.heads.split(","):
                continue
            make = lambda: making.with_other_heads(config, params, images, wanted, fold(), 0.0)
            each = _kept(directory / f"{begins}-heads-0.npz", make)
            systems |= {f"{DETECTOR}, {name}": logits[None] for name, logits in each.items()}
            continue
        make = lambda share=share, by=making.pruned: by(config, params, images, wanted, fold(), share, quiet=quiet)
        each = _kept(directory / f"{begins}-fallen-{share:g}.npz", make)
        if begins.replace("-", ":") in config.heads.split(","):
            path = directory / f"{begins}-heads-{share:g}.npz"
            each |= _kept(path, lambda make=make: make(by=making.with_other_heads))
        if f"{place[0]}:{place[1]}" in config.tuned.split(",") and f"{share:g}" in config.tuned_shares.split(","):
            path = directory / f"{begins}-tuned-{share:g}-{config.tuning_steps}-heads.npz"
            each |= _kept(path, lambda make=make: make(by=making.tuned))
        systems |= {f"pruned {share:g}, {name}": logits[None] for name, logits in each.items()}
    for kind, seeds in (("Conv4", config.seeds), ("B0", 1 if config.b0_steps else 0)):
        size = making.student_spec(config, kind).image_size
        for name, said in teachers.items():
            if kind == "B0" and name == "distilled from both":
                continue
            parts = []
            for seed in range(seeds):
                shown = lambda size=size: making.small(images.image, size, directory / f"images-at-{size}.npz")
                steps = config.conv4_steps if kind == "Conv4" else config.b0_steps
                path = directory / f"{begins}-{kind}-{name.replace(' ', '-')}-{steps}-{seed}.npz"
                make = lambda kind=kind, said=said, seed=seed, shown=shown: {
                    "logits": making.student(config, kind, shown(), fold(), said, labels, seed, quiet=quiet)
                }
                parts.append(_kept(path, make)["logits"])
            if parts:
                systems[f"{kind}, {name}"] = np.stack(parts)
    return {"label": labels[judged], "person": images.person[judged], "systems": systems}
