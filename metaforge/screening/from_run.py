"""What adapting to a target domain is worth: the same support sets and test images for every method."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import metaforge as mf
from metaforge import runs
from metaforge.backbones import choice
from metaforge.data.domains import TestSplit
from metaforge.data.files import ImageFiles
from metaforge.errors import InputError
from metaforge.screening import Detector, score
from metaforge.training import build, frozen_params, kept_features, learner_choice, meta_test, probing, trainable
from metaforge.training.config import LATER, Config
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
class Trained:
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
        return self.called or self.config.learner

    @property
    def transductive(self) -> bool:
        """Whether scores depend on the other images of the batch."""
        return self.config.normalisation == "episode"


def load_run(directory: str | Path) -> Trained:
    """Reads a finished training run.

    Raises:
        InputError: when it is missing, unfinished, damaged, or of another backbone or weights than its config says.
    """
    found = runs.read_config(directory) or {}
    fields = {field.name for field in dataclasses.fields(Config)}
    if odd := sorted((set(found) ^ fields) - {name for name in LATER if name not in found}):
        raise InputError(
            f"run: '{directory}' is not a training run of this version (settings {', '.join(odd[:5])} differ)."
        )
    config = Config(**found)
    config.check()
    report = Path(directory) / "report.json"
    if not report.exists() or runs.latest_step(directory) != config.iterations:
        raise InputError(f"run: '{directory}' has not finished. Call metaforge train again with the same flags.")
    # Shapes need no weights, and reading those takes long.
    template = jax.eval_shape(lambda: probing.initial(dataclasses.replace(config, weights="")))
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
    weights = "" if frozen is None else choice.fingerprint(config.backbone, config.weights)
    return Trained(config, probing.final(config, state), rule, context, frozen, weights)


def detector(trained: Trained, *, support: np.ndarray | None = None, labels: np.ndarray | None = None,
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
    about = {
        "learner": trained.before.get("learner", config.learner),
        "width": config.width,
        "normalisation": config.normalisation,
        "image_size": config.image_size,
        "adaptation": trained.before.get("adaptation", "none"),
    }
    if "seen" in trained.before:
        about["seen"] = trained.before["seen"]
    if (config.objective, config.neck, config.head) != ("cross_entropy", 0, "linear"):
        about |= {"num_classes": 3 if config.objective == "fakeradar" else 2, "neck": config.neck, "head": config.head}
    about |= _of_backbone(trained)
    itself = learner_choice.adapts_itself(config.learner)
    if not itself and trained.rule:
        patterns = {"adapts": learner_choice.moving(config), "trains": config.trains}
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
        taken = f"{steps} steps of {config.finetune_optimizer} at {rate:g}"
        taken = f"by {config.learner} itself" if itself else taken
        about["adaptation"] = taken if about["adaptation"] == "none" else f"{about['adaptation']}, then {taken}"
        # So that whoever adapts it again does not test it on what it has learned from.
        about["seen"] = sorted({*about.get("seen", ()), *digests(context)})
    about["context_rows"] = len(context)
    return Detector(trainable.whole(params, trained.frozen), context, about)


def refuse_rule(config: Config, *, rate: float, steps: int) -> None:
    """Holds a rate and a number of steps that somebody asked for, 0 for none, against the learner.

    Raises:
        InputError: for a learner that adapts by itself.
    """
    if learner_choice.adapts_itself(config.learner) and (rate or steps):
        raise InputError(f"--rate, --steps: {config.learner} adapts as it has learned to. Leave them out.")


def digests(images: np.ndarray) -> list[str]:
    """What a detector remembers each of its support images by: 64 bits of the SHA-256 of its pixels."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16] for image in images]


def _of_backbone(trained: Trained) -> dict:
    """What a detector says of another backbone than Conv4 in float32, and of the weights that it will not hold."""
    config = trained.config
    found: dict = {} if config.precision == "float32" else {"precision": config.precision}
    if config.backbone != "conv4":
        found["backbone"] = config.backbone
    if config.backbone == "clip":
        found |= {"variant": config.variant, "precision": config.precision}
    if trained.weights:
        found["weights"] = {"source": config.weights, "sha256": trained.weights, "trains": config.trains}
    return found


def scores(trained: Trained, detector: Detector, test: TestSplit) -> np.ndarray:
    """A detector's scores of a test set, by the run's own normalisation; transductive ones by `DEALT`."""
    context = None if trained.transductive else detector.context
    scorer = lambda images: score(build.model(trained.config).apply, detector.params, images, context=context)
    return test.score(scorer, batch=DEALT, deal=0) if trained.transductive else test.score(scorer)


def worth(
    trained: Trained,
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
    found: dict[str, list] = {state: [] for state in states(trained.config.normalisation)}
    found[UNADAPTED].append(unadapted)
    for draw in range(draws):
        rows = meta_test.support_rows(labels, shots=shots, seed=seed, draw=draw)
        drawn = np.asarray(images[rows])
        adapted = detector(trained, support=drawn, labels=labels[rows], rate=rate, steps=steps)
        if STATISTICS in found:
            found[STATISTICS].append(scores(trained, plain._replace(context=drawn), test))
        found[ADAPTED].append(scores(trained, adapted, test))
    return {state: np.stack(values) for state, values in found.items()}
