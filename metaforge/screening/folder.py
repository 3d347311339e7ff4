"""A detector's folder: arrays as safetensors, what they are as JSON, and the SHA-256 of both.

Nothing in it is ever executed. `sha256sum -c SHA256SUMS` checks it without this library.
"""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metaforge import runs
from metaforge.adaptation.gaussian import from_arrays, to_arrays
from metaforge.backbones import choice, weight_files
from metaforge.backbones.spec import BackboneSpec
from metaforge.core.param_paths import merge, paths
from metaforge.errors import InputError
from metaforge.evaluation.calibration import Judge
from metaforge.screening.detector import Detector
from metaforge.screening.explaining.region_head import load_head, save_head
from metaforge.screening.explaining.seeing import size_of
from metaforge.settings import from_nested
from metaforge.types import Params
from metaforge.whole import claimed, whole_folder

ARRAYS, ABOUT, SUMS = "detector.safetensors", "config.json", "SHA256SUMS"
CONTEXT = "context"
"""The name of the images that normalise; parameters have their paths, behind "params/"."""


PRIOR = "prior/"
"""What the names of the prior's arrays begin with."""

REGIONS = "regions.npz"
"""The region head, in the folder of a detector that has one."""


def save_detector(directory: str | Path, detector: Detector) -> None:
    """Writes a detector to a new folder, which `load_detector` reads: all of it, or nothing.

    Of a detector whose parameters come from a file of weights, the folder holds what is not in that file, and its
    SHA-256. It holds the context images where they normalise what is scored ("support", "episode"): do not pass on such
    a detector that was adapted on images which you may not share. Of the others a black image stands in their place.

    Raises:
        InputError: when the folder exists and is not empty.

    Example:
        >>> import tempfile
        >>> spec = BackboneSpec(image_size=16, width=4)
        >>> params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), choice.shapes(spec))
        >>> detector = Detector(params, np.zeros((2, 16, 16, 3), np.uint8), spec, {"learner": "erm"})
        >>> with tempfile.TemporaryDirectory() as around:
        ...     save_detector(f"{around}/detector", detector)
        ...     sorted(path.name for path in Path(around, "detector").iterdir())
        ['SHA256SUMS', 'config.json', 'detector.safetensors']
    """
    from safetensors.flax import save

    needed = detector.spec.normalisation in ("support", "episode")
    context = detector.context if needed else np.zeros_like(detector.context[:1])
    kept = _kept(detector.spec, detector.about, detector.params)[0]
    arrays = {f"params/{path}": jnp.asarray(leaf) for path, leaf in _named(kept).items()}
    if detector.prior is not None:
        arrays |= {f"{PRIOR}{name}": jnp.asarray(part) for name, part in to_arrays(detector.prior).items()}
    about = {"model": dataclasses.asdict(choice.precise(detector.spec)), **detector.about, "context_rows": len(context)}
    files = {
        ARRAYS: save(arrays | {CONTEXT: jnp.asarray(context)}),
        ABOUT: (json.dumps({"detector": about}, indent=2) + "\n").encode(),
    }
    # A folder that a kill left half would be in the way of the next call.
    with claimed(directory), whole_folder(directory) as made:
        if detector.regions is not None:
            save_head(made / REGIONS, detector.regions)
            files[REGIONS] = (made / REGIONS).read_bytes()
        sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
        for name, content in (files | {SUMS: sums.encode()}).items():
            (made / name).write_bytes(content)


def load_detector(directory: str | Path, *, weights: str = "") -> Detector:
    """Reads a folder that `save_detector` wrote, and the file of weights that it was made from, if any.

    Args:
        directory: the folder.

    Other Arguments:
        weights: where that file is now; where it was when the detector was saved if left out.

    Raises:
        InputError: when it is not one, is damaged, or is of another backbone than it says; or when the file of weights
            is missing or another one.

    Example:
        >>> load_detector("nowhere")
        Traceback (most recent call last):
        metaforge.errors.InputError: model: 'nowhere' is not a saved detector. Give the --out folder of metaforge adapt.
    """
    folder = Path(directory)
    config = runs.read_config(folder, missing_ok=True)
    if not isinstance(config, dict) or "detector" not in config:
        raise InputError(f"model: '{directory}' is not a saved detector. Give the --out folder of metaforge adapt.")
    try:
        about = dict(config["detector"])
        rows = int(about.pop("context_rows"))
        # What has become a setting since it was saved is as it was then.
        model = dataclasses.asdict(BackboneSpec()) | dict(about.pop("model"))
        spec = from_nested(BackboneSpec(), model, name="model")
        choice.check(spec)
        template, _ = _kept(spec, about, choice.params(spec.unread()))
        wanted = about.get("weights", {}).get("sha256", "")
        if "calibration" in about:
            Judge.from_json(about["calibration"])
    except (KeyError, TypeError, ValueError, AttributeError, re.error, InputError) as error:
        raise InputError(f"model: config.json in '{directory}' is damaged ({error}). Adapt again.") from None
    if weights and not wanted:
        raise InputError(f"--weights: the detector in '{directory}' holds all of its parameters. Leave them out.")
    arrays = _read(folder)
    regions = None
    if (folder / REGIONS).exists():
        numbers = template["head"].get("kernel", np.zeros((0, 0))).shape[0]
        regions = load_head(folder / REGIONS, size=size_of(numbers))
    shape = (rows, spec.image_size, spec.image_size, 3)
    expected = {f"params/{path}": (leaf.shape, leaf.dtype) for path, leaf in _named(template).items()}
    expected[CONTEXT] = (shape, np.dtype(np.uint8))
    prior = None
    if stored := {name.removeprefix(PRIOR): arrays.pop(name) for name in list(arrays) if name.startswith(PRIOR)}:
        try:
            # A prior goes with a linear head, whose kernel has a row for each number of an embedding.
            prior = from_arrays(stored, features=template["head"].get("kernel", np.zeros(0)).shape[0])
        except ValueError as error:
            raise InputError(f"model: {ARRAYS} in '{directory}' is damaged ({error}). Adapt again.") from None
    if {name: (leaf.shape, leaf.dtype) for name, leaf in arrays.items()} != expected:
        raise InputError(f"model: {ARRAYS} in '{directory}' is of another backbone than {ABOUT} says. Adapt again.")
    flat = [arrays[f"params/{path}"] for path in _named(template)]
    params = jax.tree.unflatten(jax.tree.structure(template), flat)
    if wanted:
        spec = spec.moved(weights) if weights else spec
        _refuse_other_weights(directory, spec, wanted)
        params = merge(params, _kept(spec, about, choice.params(spec))[1])
    return Detector(params, np.asarray(arrays[CONTEXT]), spec, about, prior, regions)


def _read(folder: Path) -> dict[str, jax.Array]:
    """The arrays of a folder, whose files are checked against their sums."""
    from safetensors import SafetensorError
    from safetensors.flax import load

    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        names = (ARRAYS, ABOUT, *([REGIONS] if (folder / REGIONS).exists() else []))
        contents = {name: (folder / name).read_bytes() for name in names}
    except (OSError, ValueError) as error:
        raise InputError(f"model: a file in '{folder}' cannot be read ({error}). Copy it again, whole.") from None
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != sums.get(name):
            raise InputError(f"model: {name} in '{folder}' is damaged: its SHA-256 is not that of {SUMS}. Adapt again.")
    try:
        return load(contents[ARRAYS])
    except (SafetensorError, ValueError) as error:
        raise InputError(f"model: {ARRAYS} in '{folder}' is damaged ({error}). Adapt again.") from None


def _named(params: Params) -> dict[str, Any]:
    """The leaves by their paths, in the order of the tree."""
    return dict(zip(jax.tree.leaves(paths(params)), jax.tree.leaves(params), strict=True))


def _kept(spec: BackboneSpec, about: dict[str, Any], params: Params) -> tuple[Params, Params | None]:
    """What the folder of a detector holds of its parameters, and what comes from a file of weights instead."""
    if "weights" not in about:
        return params, None
    named, moved = weight_files.from_file(spec), about["weights"]["trainable"]
    comes = jax.tree.map(lambda path: bool(re.search(named, path)) and not re.search(moved, path), paths(params))
    kept = jax.tree.map(lambda there, leaf: None if there else leaf, comes, params)
    return kept, jax.tree.map(lambda there, leaf: leaf if there else None, comes, params)


def _refuse_other_weights(directory: str | Path, spec: BackboneSpec, wanted: str) -> None:
    try:
        other = weight_files.other_file(spec, wanted)
    except InputError as error:
        raise InputError(f"{error} The detector in '{directory}' needs them; say where with --weights.") from None
    if other:
        name, found, wanted = other
        raise InputError(
            f"weights: '{name}' is not the file that the detector in '{directory}' was made from (its SHA-256 "
            f"begins {found[:8]}, not {wanted[:8]}). Say where that is with --weights."
        )
