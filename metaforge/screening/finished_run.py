"""A finished training run, read back: what it was, what it learned, and how it is adapted."""

import dataclasses
import zipfile
from pathlib import Path

import jax
import numpy as np

from metaforge import runs
from metaforge.adaptation.gaussian import Prior
from metaforge.backbones import weight_files
from metaforge.data.crops import Crop
from metaforge.errors import InputError
from metaforge.settings import change, from_nested
from metaforge.training import build, frozen_params, kept_features, probing, source_prior, trainable
from metaforge.training.config import Config
from metaforge.types import Params


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A finished run: its configuration, parameters, adaptation rule, and the source images that normalise.

    `params` is what it moved, `frozen` the rest if there is any, and `weights` the SHA-256 of the file that this rest
    came from. Of a detector, `called` says that it is one, and `before` what it says of itself. `prior` is that of
    a run with `--adapt.rule=discriminant`.
    """

    config: Config
    params: dict
    rule: dict
    context: np.ndarray
    frozen: Params | None = None
    weights: str = ""
    called: str = ""
    before: dict = dataclasses.field(default_factory=dict)
    prior: Prior | None = None

    @property
    def name(self) -> str:
        """What a table calls it: its learner, or "detector" where that alone is at hand."""
        return self.called or self.config.learner.name

    @property
    def crop(self) -> Crop:
        """How the faces that it was trained on were cut out."""
        return self.before.get("crop", "ffpp") if self.called else build.crop_of(self.config)

    @property
    def transductive(self) -> bool:
        """Whether scores depend on the other images of the batch."""
        return self.config.model.normalisation == "episode"


def load_run(directory: str | Path) -> FinishedRun:
    """Reads a finished training run.

    Raises:
        InputError: when it is missing, unfinished, damaged, or of another backbone or weights than its config says.
    """
    config = from_nested(Config(), runs.read_config(directory) or {}, name=f"run: '{directory}'")
    config.check()
    report = Path(directory) / "report.json"
    if not report.exists() or runs.latest_step(directory) != config.run.iterations:
        raise InputError(f"run: '{directory}' has not finished. Call metaforge train again with the same flags.")
    # Shapes need no weights, and reading those takes long.
    template = jax.eval_shape(lambda: probing.initial(change(config, {"model.weights": "", "model.clip_weights": ""})))
    # What took no step is as it was drawn.
    state = runs.restore(directory, template) if config.run.iterations else jax.device_get(probing.initial(config))
    try:
        with np.load(Path(directory) / "context.npz", allow_pickle=False) as archive:
            context = archive["images"]
        said = runs.read_json(report)
        rule, calibration = said["adaptation"], said.get("calibration")
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"run: context.npz or report.json in '{directory}' is damaged ({error}). Delete report.json "
                         "and call metaforge train again.") from None  # fmt: skip
    frozen, prior = frozen_params.of_run(config, Path(directory)), None
    if config.adapt.rule == "discriminant":
        whole = trainable.whole(build.learner(config).model(probing.final(config, state)), frozen)
        prior = source_prior.read(Path(directory), features=len(whole["head"]["kernel"]))
    config = kept_features.without(config)
    weights = "" if frozen is None else weight_files.fingerprint(config.model)
    before = {} if calibration is None else {"calibration": calibration}
    return FinishedRun(config, probing.final(config, state), rule, context, frozen, weights, before=before, prior=prior)
