"""The features that are trained on: those of a run of `experiments.strangers`, or made as it makes them."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.fakeradar.strangers.config import Config, Options
from experiments.strangers import features
from experiments.strangers.faces import acquisitions, collections, methods
from experiments.strangers.running import check_model
from metaforge.backbones import choice, weight_files
from metaforge.errors import InputError
from metaforge.forgeries.base import Face
from metaforge.runs import read_config


class About(NamedTuple):
    """What is known of features before anything is made.

    Attributes:
        settings: faces, model and seed that they are made by, as a run's config has them.
        methods: of forgery.
        size: numbers of a feature.
        people: how many each collection has.
        load: reads them, or makes them.
    """

    settings: dict[str, Any]
    methods: list[str]
    size: int
    people: Mapping[str, int]
    load: Callable[[], features.Table]


def finished(options: Options, config: Config) -> About:
    """Those of a run of `experiments.strangers`.

    Raises:
        InputError: when it is none, or faces and model are asked for besides.
    """
    usual = Config()
    if config.faces != usual.faces or config.model != usual.model:
        raise InputError("--features: brings faces and model with it. Leave --faces and --model out.")
    folder = Path(options.features)
    settings = read_config(folder, missing_ok=True)
    paths = sorted(folder.glob("features-*.npz"))
    if settings is None or not paths:
        raise InputError(f"--features: '{folder}' is no run of experiments.strangers with features. Give its workdir.")
    places: dict[str, list[Face]] = {str(number): [] for number in range(len(paths))}
    if {path.name for path in paths} != {f"features-{name}.npz" for name in places}:
        raise InputError(f"--features: '{folder}' lacks some of its features. Let its run go on.")
    load = functools.cache(lambda: features.table_of(config.of_strangers(), places, folder))
    table = load()
    known = [str(name) for name in np.unique(table.kind)]
    kept = {key: settings["config"][key] for key in ("faces", "model", "seed")}
    kept |= {key: settings[key] for key in ("weights",) if key in settings}
    pairs = zip(table.collection.tolist(), table.person.tolist(), strict=True)
    people = Counter(collection for collection, _ in set(pairs))
    return About(kept, known, table.features.shape[1], people, load)


def own(options: Options, config: Config, *, quiet: bool) -> About:
    """Those that are made in this run's directory.

    Raises:
        InputError: for faces or a model of which none can be made.
    """
    asked = config.of_strangers()
    for check in (methods, acquisitions):
        check(asked)
    check_model(config.model)
    weights = {"weights": weight_files.fingerprint(config.model)} if config.model.weights else {}
    faces, _ = collections(asked, quiet=quiet)
    settings = {key: dataclasses.asdict(config)[key] for key in ("faces", "model", "seed")} | weights
    load = lambda: features.table_of(asked, faces, Path(options.workdir), quiet=quiet)
    images = jax.ShapeDtypeStruct((2, *2 * [config.model.image_size], 3), np.float32)
    size = jax.eval_shape(choice.choose(config.model).apply, choice.shapes(config.model), images).embeddings.shape[1]
    people = {name: len({face.identity for face in mine}) for name, mine in faces.items()}
    return About(settings, [*methods(asked)], size, people, load)
