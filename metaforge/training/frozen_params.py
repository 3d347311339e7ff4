"""The frozen parameters of a run, which no checkpoint holds: from the file of weights, or kept once in `frozen.npz`.

What came from a file is read from it again, and refused if the file is another one. What was drawn at random and never
moves, such as a frozen neck, is written when the run begins, since other machines would draw other last digits.
"""

import zipfile
from pathlib import Path

import jax
import numpy as np

from metaforge.backbones import choice, weight_files
from metaforge.core.devices import is_writer
from metaforge.core.param_paths import merge, partition, paths
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.runs import read_json
from metaforge.training import build, kept_features, trainable
from metaforge.training.config import Config
from metaforge.types import Params
from metaforge.whole import write_arrays


def check(config: Config) -> None:
    """Holds a configuration's weights and patterns against each other, before anything is written.

    Raises:
        InputError: for weights that are missing, or patterns that do not fit.
    """
    weight_files.fingerprint(config.model)
    if (
        config.model.backbone != "conv4"
        or config.learner.trainable
        or config.learner.adaptable
        or config.learner.per_step
    ):
        trainable.check(config, choice.shapes(config.network))
    if config.run.feature_cache:
        if not config.learner.trainable:
            raise InputError(
                f"--run.feature_cache={config.run.feature_cache}: everything is trained. Say with "
                "--learner.trainable what should be."
            )
        kept_features.cut_of(config)


def of_run(config: Config, directory: Path, *, train: Records | None = None, quiet: bool = True) -> Params | None:
    """The frozen parameters of a run in its directory, on the host; `None` for one that moves all.

    Args:
        config: the run's.
        directory: where it is.

    Other Arguments:
        train: what it trains on. The statistics of levels are those of these images, taken when the run begins.
        quiet: whether to show no progress.

    Raises:
        InputError: when the weights are missing or not those that the run began with, or `frozen.npz` is damaged.
    """
    if not config.learner.trainable:
        return None
    refuse_other_weights(config, directory)
    frozen = jax.device_get(trainable.part(config, build.all_params(config))[1])
    drawn, given = _drawn(config, frozen)
    flat = {path: leaf for path, leaf in zip(jax.tree.leaves(paths(drawn)), jax.tree.leaves(drawn), strict=True)}
    if not flat:
        return frozen
    file = directory / "frozen.npz"
    if not file.exists():
        if config.model.levels and train is not None:
            frozen = kept_features.fitted(config, train, frozen, quiet=quiet)
            drawn = _drawn(config, frozen)[0]
            flat = dict(zip(flat, jax.tree.leaves(drawn), strict=True))
        if is_writer():
            write_arrays(file, **flat)
        return frozen
    try:
        with np.load(file, allow_pickle=False) as archive:
            found = [archive[path] for path in flat]
        if [leaf.shape for leaf in found] != [leaf.shape for leaf in flat.values()]:
            raise ValueError("other shapes")
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"run: '{file}' is damaged ({error}). Restore it, or train anew.") from None
    return merge(jax.tree.unflatten(jax.tree.structure(drawn), found), given)


def refuse_other_weights(config: Config, directory: Path) -> None:
    """A run goes on, and is adapted, only with the weights that it began with.

    Raises:
        InputError: when the file is missing, or its bytes are others than `data.json` says.
    """
    path = directory / "data.json"
    if not config.model.weights or not path.exists():
        return
    if other := weight_files.other_file(config.model, read_json(path).get("weights") or ""):
        raise InputError(
            f"weights: '{other[0]}' is not the file that the run in '{directory}' began with. Restore that "
            "one, or choose another --workdir."
        )


def _drawn(config: Config, frozen: Params) -> tuple[Params, Params]:
    """The frozen parameters that were drawn at random, and those of the file."""
    pattern = weight_files.from_file(config.model)
    nothing = jax.tree.map(lambda leaf: None, frozen)
    if not pattern:
        return frozen, nothing
    try:
        given, drawn = partition(frozen, pattern)
    except ValueError:  # a run may move all that came from the file
        return frozen, nothing
    return drawn, given
