"""What adapting to a target domain is worth: the same support sets and test images for every method."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge import runs
from metaforge.backbones import choice
from metaforge.data.crops import Crop
from metaforge.data.domains import TestSplit
from metaforge.data.files import ImageFiles
from metaforge.errors import InputError
from metaforge.screening import Detector, score
from metaforge.settings import change, from_nested
from metaforge.training import build, frozen_params, kept_features, learner_choice, meta_test, probing, trainable
from metaforge.training.config import Config
from metaforge.types import Params

DEALT = 256
"""Images that normalise each other where scores depend on the batch: at most so many, dealt at random by a fixed seed.
One batch of a whole test split would take all of its activations at once."""


UNADAPTED, STATISTICS, ADAPTED = "not adapted", "support statistics", "adapted"


def states(normalisation: str) -> tuple[str, ...]:
    """The states in which a model of a normalisation is judged, from the one that knows least of the target.

    "not adapted" uses nothing of the target. "support statistics" is normalised by the support set and takes no step,
    so that what normalisation does is told apart from what learning does: where the images at hand normalise
    themselves, or none normalises another, it would be "not adapted" under a second name, and is none. "adapted" is
    normalised as the model is, and takes the steps.
    """
    return (UNADAPTED, STATISTICS, ADAPTED) if normalisation == "support" else (UNADAPTED, ADAPTED)


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A finished run: its configuration, parameters, adaptation rule, and the source images that normalise.

    `params` is what it moved, `frozen` the rest if there is any, and `weights` the SHA-256 of the file that this rest
    came from. Of a detector, `called` says that it is one, and `before` what it says of itself.
    """

    config: Config
    params: dict
    rule: dict
    context: np.ndarray
    frozen: Params | None = None
    weights: str = ""
    called: str = ""
    before: dict = dataclasses.field(default_factory=dict)

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
    template = jax.eval_shape(lambda: probing.initial(change(config, {"model.weights": ""})))
    state = runs.restore(directory, template)
    try:
        with np.load(Path(directory) / "context.npz", allow_pickle=False) as archive:
            context = archive["images"]
        rule = runs.read_json(report)["adaptation"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"run: context.npz or report.json in '{directory}' is damaged ({error}). Delete report.json "
                         "and call metaforge train again.") from None  # fmt: skip
    frozen = frozen_params.of_run(config, Path(directory))
    config = kept_features.without(config)
    weights = "" if frozen is None else choice.fingerprint(config.model)
    return FinishedRun(config, probing.final(config, state), rule, context, frozen, weights)


def detector(trained: FinishedRun, *, support: np.ndarray | None = None, labels: np.ndarray | None = None,
             rate: float = 0.0, steps: int = 0) -> Detector:  # fmt: skip
    """The run's detector: adapted on a support set, or, with none, as it was trained.

    Args:
        trained: the run.

    Other Arguments:
        support: uint8 images `(examples, size, size, 3)`.
        labels: their labels, `(examples,)`.
        rate: the rate of adaptation, 0 for the run's own choice at so many steps.
        steps: its steps, 0 for the run's own choice.
    """
    config, params, context = trained.config, trained.params, trained.context
    about = {name: trained.before[name] for name in ("learner", "adaptation", "seen") if name in trained.before}
    about = {"learner": config.learner.name, "adaptation": "none", "crop": trained.crop} | about
    if trained.weights:
        about["weights"] = {"sha256": trained.weights, "trainable": config.learner.trainable}
    itself = learner_choice.adapts_itself(config.learner.name)
    if not itself and trained.rule:
        patterns = {"adaptable": learner_choice.moving(config), "trainable": config.learner.trainable}
        about["rule"] = {name: trained.rule[name] for name in ("optimizer", "rate", "steps")} | patterns
    refuse_rule(config, rate=rate, steps=steps)
    if support is None:
        params = build.learner(config).model(params)
    else:
        rate, steps = rate or meta_test.rate_at(trained.rule, steps)[0], steps or trained.rule["steps"]
        batch = mf.Batch(jnp.asarray(support), jnp.asarray(labels, jnp.int32))
        params = meta_test.start(config, params)
        key = meta_test.rule_key(config)
        params = meta_test.adapt_params(params, batch, rate, steps, config=key, frozen=trained.frozen)
        context = np.asarray(support)
        taken = f"{steps} steps of {config.adapt.optimizer} at {rate:g}"
        taken = f"by {config.learner.name} itself" if itself else taken
        about["adaptation"] = taken if about["adaptation"] == "none" else f"{about['adaptation']}, then {taken}"
        # So that whoever adapts it again does not test it on what it has learned from.
        about["seen"] = sorted({*about.get("seen", ()), *digests(context)})
    # Weights of which nothing was kept are no longer behind it.
    spec = config.network if trained.weights else dataclasses.replace(config.network, weights="")
    return Detector(trainable.whole(params, trained.frozen), context, spec, about)


def refuse_rule(config: Config, *, rate: float, steps: int) -> None:
    """Holds a rate and a number of steps that somebody asked for, 0 for none, against the learner.

    Raises:
        InputError: for a learner that adapts by itself.
    """
    if learner_choice.adapts_itself(config.learner.name) and (rate or steps):
        raise InputError(f"--rate, --steps: {config.learner.name} adapts as it has learned to. Leave them out.")


def digests(images: Iterable[np.ndarray]) -> list[str]:
    """What a detector remembers each of its support images by: 64 bits of the SHA-256 of its pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16] for image in images]


def scores(trained: FinishedRun, detector: Detector, test: TestSplit) -> np.ndarray:
    """A detector's scores of a test set, by the run's own normalisation; transductive ones by `DEALT`."""
    context = None if trained.transductive else detector.context
    scorer = lambda images: score(build.model(trained.config).apply, detector.params, images, context=context)
    return test.score(scorer, batch=DEALT, deal=0) if trained.transductive else test.score(scorer)


def scores_over_draws(
    trained: FinishedRun,
    support: tuple[np.ndarray | ImageFiles, np.ndarray],
    test: TestSplit,
    *,
    shots: int,
    draws: int,
    seed: int,
    rate: float = 0.0,
    steps: int = 0,
) -> dict[str, np.ndarray]:
    """Scores of the test images in the states that a model has (`states`), over repeated draws of the support set.

    Args:
        trained: the run.
        support: images and labels to draw from; they share nobody with the test images.
        test: what is judged.

    Other Arguments:
        shots: support images per class.
        draws: how many support sets.
        seed: which support sets.
        rate: the rate of adaptation, 0 for the run's own choice at so many steps.
        steps: its steps, 0 for the run's own choice.

    Returns:
        State to float64 scores `(draws, images)`; of "not adapted" there is one draw.
    """
    images, labels = support  # files are read when a support set has been drawn
    plain = detector(trained)
    unadapted = scores(trained, plain, test)
    found: dict[str, list] = {state: [] for state in states(trained.config.model.normalisation)}
    found[UNADAPTED].append(unadapted)
    for draw in range(draws):
        rows = meta_test.support_rows(labels, shots=shots, seed=seed, draw=draw)
        drawn = np.asarray(images[rows])
        adapted = detector(trained, support=drawn, labels=labels[rows], rate=rate, steps=steps)
        if STATISTICS in found:
            found[STATISTICS].append(scores(trained, plain._replace(context=drawn), test))
        found[ADAPTED].append(scores(trained, adapted, test))
    return {state: np.stack(values) for state, values in found.items()}
