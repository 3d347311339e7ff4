"""The settings of a training run: every hyper-parameter of the DAML paper, and which of them it leaves open."""

import dataclasses

from metaforge.backbones.spec import NO_TEXT, BackboneSpec
from metaforge.data.specs import EpisodeSpec, FacesSpec
from metaforge.errors import InputError
from metaforge.learners.spec import LearnerSpec
from metaforge.objectives.spec import OPTIONS, ObjectiveSpec
from metaforge.settings import change, check_settings, setting


@dataclasses.dataclass(frozen=True)
class AdaptSpec:
    """How a trained model is adapted where it has not been."""

    rule: str = setting(
        "steps",
        "Steps of gradient descent, or a discriminant in closed form with a prior of the source.",
        choices=("steps", "discriminant"),
    )
    optimizer: str = setting("sgd", "Rule of meta-test adaptation.", choices=("sgd", "adam"), open_in_paper=True)
    lr: float = setting(0.0, "Its rate (paper: 1e-4); 0 chooses on source validation.")
    steps: int = setting(0, "Its steps; 0 chooses on source validation.", open_in_paper=True, most=1_000_000)


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """How long, from which seed, on what, and how often something is written."""

    seed: int = setting(0, "Initial parameters and the stream of episodes.", most=2**32 - 1)
    baseline: bool = setting(True, "Whether to train ERM on the same images too, in WORKDIR/erm.")
    iterations: int = setting(600, "Outer steps; 3,000 in the paper. 0 for a discriminant on a network as it is.")
    strategy: str = setting("auto", "How tasks run (the numbers agree).", choices=("auto", "vmap", "scan", "unroll"))
    devices: int = setting(0, "Devices that share the tasks; 0 for all that can share them evenly.", most=1_000_000)
    batches: str = setting(
        "fixed",
        "Tasks of a meta-batch: as --episodes.tasks says, by how noisy the gradient is, or as many as memory holds.",
        choices=("fixed", "difficulty", "memory"),
    )
    buckets: str = setting("", "Numbers of tasks that batches may have, such as 2,4,8; each is compiled once.")
    batch_memory_gb: float = setting(0.0, "The most that an outer step's program may need, by XLA's count; 0 for any.")
    batch_rate: str = setting(
        "none", "How the outer rate follows tasks / --episodes.tasks.", choices=("none", "linear", "sqrt")
    )
    feature_cache: str = setting(
        "", "A folder for features of the first part, if it is frozen; '' computes them anew.", place="folder"
    )
    log_every: int = setting(20, "Outer steps to a line of the log.", least=1)
    eval_every: int = setting(100, "Outer steps between validations.", least=1)
    eval_batches: int = setting(4, "Meta-batches of source validation.", least=1, most=100_000)
    checkpoint_every: int = setting(100, "Outer steps between checkpoints.", least=1)


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, and how. Lists are comma-separated."""

    model: BackboneSpec = BackboneSpec()
    faces: FacesSpec = FacesSpec()
    episodes: EpisodeSpec = EpisodeSpec()
    learner: LearnerSpec = LearnerSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    adapt: AdaptSpec = AdaptSpec()
    run: RunSpec = RunSpec()

    @property
    def network(self) -> BackboneSpec:
        """The whole backbone: with a class for outliers where the objective synthesises them."""
        return dataclasses.replace(self.model, num_classes=3 if self.objective.name == "fakeradar" else 2)

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the flag."""
        # What knows the names needs JAX, and `--help` does not.
        from metaforge.backbones import choice
        from metaforge.learners import LEARNERS
        from metaforge.training import augmented, batch_size

        check_settings(self)
        if self.learner.name not in LEARNERS:
            raise InputError(f"--learner.name={self.learner.name}: known: {', '.join(LEARNERS)}.")
        model, run = self.model, self.run
        try:
            choice.check(model)
        except InputError as error:
            raise InputError(f"--model.{error}") from None
        self._check_objective()
        self._check_schedule()
        self._check_words()
        batch_size.check(self)
        augmented.check(self)
        if model.convolution != "auto" and model.backbone != "conv4":
            raise InputError(f"--model.convolution={model.convolution}: for conv4. Leave it out.")
        if not run.iterations and self.adapt.rule != "discriminant":
            raise InputError("--run.iterations=0: nothing is learned. Give 1 or more, or --adapt.rule=discriminant.")
        if self.adapt.rule == "discriminant":
            said = "--adapt.rule=discriminant: "
            if LEARNERS[self.learner.name].adapts_itself:
                raise InputError(f"{said}{self.learner.name} adapts as it has learned to. Leave it out.")
            if model.normalisation == "episode":
                raise InputError(f"{said}with --model.normalisation=episode no embedding stays as it is. Leave it out.")
            if model.head != "linear":
                raise InputError(f"{said}its head is linear, and --model.head={model.head}. Leave one of them out.")
        for name in ("eval_every", "checkpoint_every"):
            if getattr(run, name) % run.log_every:
                raise InputError(
                    f"--run.{name}={getattr(run, name)}: give a multiple of --run.log_every={run.log_every}."
                )

    def _check_objective(self) -> None:
        """What one objective has says nothing to another."""
        usual = ObjectiveSpec()
        for owner, names in OPTIONS.items():
            for name in names:
                value = getattr(self.objective, name)
                if owner != self.objective.name and value != getattr(usual, name):
                    raise InputError(f"--objective.{name}={value:g}: for {owner}. Leave it out.")

    def _check_schedule(self) -> None:
        """A warm-up is the beginning of a cosine, of which something must be left."""
        learner, steps = self.learner, self.run.iterations
        if learner.warmup and learner.schedule != "cosine":
            raise InputError(f"--learner.warmup={learner.warmup}: for --learner.schedule=cosine. Give both, or none.")
        if learner.schedule == "cosine":
            for name in ("decay_epochs", "outer_decay"):
                value, usual = getattr(learner, name), getattr(LearnerSpec(), name)
                # No epochs are what a cosine has anyway.
                if value not in (usual, 0):
                    raise InputError(f"--learner.{name}={value:g}: for --learner.schedule=steps. Leave it out.")
        if learner.warmup and learner.warmup >= steps:
            raise InputError(
                f"--learner.warmup={learner.warmup}: of --run.iterations={steps} no step is left for the cosine. "
                "Give fewer."
            )

    def _check_words(self) -> None:
        """Captions are read by one part, learned from by another and come from a third: all or none."""
        from metaforge.learners import LEARNERS

        objective, text, captions = self.objective, self.model.text != NO_TEXT, self.faces.captions
        given = {
            f"--objective.name={objective.name}": objective.name == "image_text",
            f"--model.text={self.model.text}": text,
            f"--faces.captions={captions}": bool(captions),
        }
        if any(given.values()) and not all(given.values()):
            there = next(flag for flag, on in given.items() if on)
            raise InputError(
                f"{there}: captions need all of --objective.name=image_text, --model.text=small and --faces.captions. "
                "Give them, or leave it out."
            )
        if text and LEARNERS[self.learner.name].own_head:
            raise InputError(
                f"--learner.name={self.learner.name}: its head sees features, and no captions. Leave --model.text out."
            )
        if text and self.run.feature_cache:
            raise InputError(f"--run.feature_cache={self.run.feature_cache}: not with --model.text. Leave one out.")
        if text and self.faces.prepared and captions == "exact":
            raise InputError("--faces.captions=exact: of prepared images nothing is known. Give a file of captions.")
        if text and not self.faces.prepared and captions != "exact":
            raise InputError(f"--faces.captions={captions}: forgeries that are made here have captions=exact.")


PAPER = change(
    Config(),
    {
        "model.image_size": 84,
        "model.width": 64,
        "model.normalisation": "episode",
        "episodes.queries": 15,
        "run.iterations": 3000,
        "learner.inner_lr": 0.01,
        "adapt.optimizer": "adam",
        "adapt.lr": 1e-4,
        "adapt.steps": 10,
        "run.log_every": 10,
        "run.eval_every": 150,
        "run.checkpoint_every": 150,
    },
)
"""The published setting: Conv4 with 64 filters and batch statistics, 3,000 iterations of 4 tasks, Adam at 1e-3 divided
by 10 every 150 epochs, first order, one inner step, fine-tuning at 1e-4. The rest is open in the paper."""

DEMO = change(
    Config(),
    {
        "model.image_size": 32,
        "faces.variants": 6,
        "faces.holdout": "swap",
        "run.baseline": False,
        "run.iterations": 200,
    },
)
"""What `make demo` trains, three learners times three seeds, in about the time that a reader waits."""

FINE_TUNED = change(
    Config(),
    {
        "learner.name": "erm",
        "model.image_size": 160,
        "model.backbone": "efficientnet_lite0",
        "model.weights": "imagenet",
        "model.normalisation": "frozen",
        "learner.trainable": "^(block15|top|head)",
        "learner.adaptable": "^head/",
        "run.feature_cache": "runs/features",
        "faces.acquisitions": "wild",
        "faces.variants": 8,
        "episodes.lead": "self_blend",
        "episodes.shots": 10,
        "run.iterations": 1000,
        "learner.average": 0.99,
        "run.baseline": False,
    },
)
"""ImageNet's EfficientNet-Lite0 at 160 pixels, of which the last block, the top and the head are trained and the head
adapts, on matched pairs of all forgery methods with self-blending in every meta-batch. On faces from elsewhere "strong"
is the better one."""

STRONG = change(
    FINE_TUNED,
    {
        "model.image_size": 224,
        "model.levels": "2,4,6,8,10,12,14",
        "learner.trainable": "^head/",
        "adapt.rule": "discriminant",
        "faces.variants": 4,
        "episodes.lead": "",
        "run.iterations": 0,
        "learner.average": 0.0,
    },
)
"""Meant for strangers' photographs: means and deviations of ImageNet's EfficientNet-Lite0 at several depths, which stay
as they are, under a discriminant in closed form; matched pairs of all forgery methods, framed, treated and compressed
as strangers' images are. What was chosen, and on what, is in docs/strong.md."""

PRESETS = {"default": Config(), "paper": PAPER, "demo": DEMO, "fine_tuned": FINE_TUNED, "strong": STRONG}
