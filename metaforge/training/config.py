"""The settings of a training run: every hyper-parameter of the DAML paper, and which of them it leaves open."""

import dataclasses

from metaforge.backbones import choice
from metaforge.bounds import MOST_FLOAT, check_bounds
from metaforge.commands import setting
from metaforge.core.weighting import WEIGHTINGS
from metaforge.errors import InputError
from metaforge.learners import LEARNERS


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, and how. Lists are comma-separated."""

    learner: str = setting("daml", "What learns.", choices=LEARNERS)
    seed: int = setting(0, "Initial parameters and the stream of episodes.", most=2**32 - 1)
    baseline: bool = setting(True, "Whether to train ERM on the same images too, in WORKDIR/erm.")

    faces: str = setting("lfw", "Real faces: 'lfw' (embedded) or a folder of photographs.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting("", "An .npz of landmarks; default: landmarks*.npz in the folder, if any.", place="read")
    data: str = setting("", "Prepared data sets instead: folders of experiments.prepare.", place="read")
    frames: int = setting(0, "Frames of each video, spread evenly, of prepared data; 0 for all.")
    memory_gb: float = setting(8.0, "The most that a split's images may take in memory.", above=0)
    methods: str = setting("all", "Source forgery methods, or 'all' but the held-out ones.")
    holdout: str = setting("", "Methods never trained or selected on.")
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied: each makes a domain of every method.")
    variants: int = setting(6, "Forged pairs of each face and domain.", least=1, most=10_000)
    split_seed: int = setting(0, "How people are split into train, validation and test.", most=2**32 - 1)

    image_size: int = setting(
        32, "Side of the face crops, in pixels, at least 16.", open_in_paper=True, least=1, most=4096
    )
    backbone: str = setting("conv4", "What looks at the images (paper: Conv4).", choices=choice.BACKBONES)
    variant: str = setting("ViT-B/16", "clip: its size.", choices=choice.VARIANTS)
    weights: str = setting(
        "", "'imagenet' for efficientnet_lite0, a safetensors file for clip; '' for random.", place="read"
    )
    trains: str = setting("", "Which parameters outer steps move, a pattern of paths; '' for all.")
    keeps: str = setting(
        "", "A folder for features of the first part, if it never moves; '' computes them anew.", place="folder"
    )
    width: int = setting(32, "conv4: filters in each convolution; 64 in the paper.", least=1, most=65_536)
    normalisation: str = setting(
        "support",
        "Whose statistics normalise an image; 'frozen' is efficientnet_lite0's own, and clip has 'none' only.",
        choices=("support", "episode", "group", "none", "frozen"),
    )

    objective: str = setting(
        "cross_entropy", "What inner and outer loop minimise.", choices=("cross_entropy", "fakeradar")
    )
    neck: int = setting(0, "Size of an affine map before the head, 0 for none; outliers want about 32.", most=65_536)
    head: str = setting("linear", "What turns features into logits.", choices=("linear", "quadratic", "mlp"))
    outlier_mode: str = setting("safe", "fakeradar: how its recipe is read.", choices=("safe", "literal"))
    outliers: int = setting(16, "fakeradar: outliers in every batch (paper: 16).", least=1, most=100_000)
    refresh_every: int = setting(50, "fakeradar: outer steps between refreshes of clusters and outliers.", least=1)

    tasks: int = setting(4, "Domains in a meta-batch (paper: 4).", least=1, most=10_000)
    lead: str = setting("", "Source methods that are in every meta-batch.")
    shots: int = setting(5, "Support images per class.", open_in_paper=True, least=1, most=100_000)
    queries: int = setting(10, "Query images per class.", open_in_paper=True, least=1, most=100_000)
    fake_share: float = setting(
        0.5, "Share of fakes in a support set of training.", open_in_paper=True, above=0, below=1
    )
    iterations: int = setting(600, "Outer steps; 3,000 in the paper.", least=1)
    inner_lr: float = setting(0.1, "alpha of eq. 2, of plain descent.", open_in_paper=True, above=0, most=MOST_FLOAT)
    inner_steps: int = setting(1, "Steps of adaptation while training (paper: 1).", least=1, most=10_000)
    order: str = setting("first", "Order of the outer gradient (paper: first).", choices=("first", "second", "mixed"))
    adapts: str = setting("", "Which parameters inner steps move, a pattern of paths; '' for all.")
    rates: str = setting("parameter", "meta_sgd: a learned rate per what.", choices=("parameter", "array"))
    multi_step_iterations: int = setting(90, "maml_plus_plus: outer steps over which earlier inner steps fade.")
    second_order_from: int = setting(0, "maml_plus_plus: the outer step from which the gradient is exact.")
    per_step: str = setting("", "maml_plus_plus: parameters with a copy for each inner step, a pattern of paths.")
    temperature: float = setting(1.0, "protonet: what squared distances are divided by (paper: 1).", above=0)
    l2: float = setting(1.0, "ridge, r2d2: the penalty, for r2d2 the first one.", above=0)
    penalty: float = setting(1.0, "mldg, ltw, coral, irm: what the other term counts beside the plain loss.")
    group_rate: float = setting(0.01, "group_dro: how fast weights of domains move.")
    weighting: str = setting("", "What tasks count, for learners that leave it open.", choices=("", *WEIGHTINGS))
    outer_optimizer: str = setting("adam", "The outer rule (paper: Adam).", choices=("adam", "sgd"))
    outer_lr: float = setting(1e-3, "beta of eq. 4 and 5, Adam (paper: 1e-3).", above=0, most=MOST_FLOAT)
    outer_decay: float = setting(0.1, "Factor on outer_lr every decay_epochs (paper: 0.1).", above=0)
    decay_epochs: int = setting(150, "Epochs between decays (paper: 150); 0 for never.")
    epoch_iterations: int = setting(10, "Outer steps that count as one epoch.", open_in_paper=True, least=1)
    average: float = setting(0.0, "Decay of an average of the parameters that replaces them; 0 for none.", below=1)
    reduction: str = setting("sum", "How the outer loss runs over tasks (paper: sum).", choices=("sum", "mean"))
    detach: bool = setting(False, "DAML: hold the weight constant in the gradient.", open_in_paper=True)
    normalize: bool = setting(False, "DAML: divide the weights by their mean.")
    grad_steps: int = setting(0, "Last inner steps that an exact gradient sees; 0 for all.", most=10_000)
    remat: str = setting("none", "What an exact gradient computes again.", choices=("none", "steps", "sqrt"))
    strategy: str = setting("auto", "How tasks run (the numbers agree).", choices=("auto", "vmap", "scan", "unroll"))
    convolution: str = setting(
        "auto", "How convolutions run (the numbers agree).", choices=("auto", "lax", "patches", "winograd")
    )
    precision: str = setting("float32", "Of convolutions and products.", choices=("float32", "bfloat16"))
    devices: int = setting(1, "Devices that share the tasks; 0 for all.", most=1_000_000)

    finetune_optimizer: str = setting(
        "sgd", "Rule of meta-test adaptation.", choices=("sgd", "adam"), open_in_paper=True
    )
    finetune_lr: float = setting(0.0, "Its rate (paper: 1e-4); 0 chooses on source validation.")
    finetune_steps: int = setting(0, "Its steps; 0 chooses on source validation.", open_in_paper=True, most=1_000_000)

    log_every: int = setting(20, "Outer steps to a row of the log.", least=1)
    eval_every: int = setting(100, "Outer steps between validations.", least=1)
    eval_batches: int = setting(4, "Meta-batches of source validation.", least=1, most=100_000)
    checkpoint_every: int = setting(100, "Outer steps between checkpoints.", least=1)

    def check(self) -> None:
        """Raises `InputError` for what cannot work, naming the field."""
        check_bounds(self, prefix="config.")
        for field in dataclasses.fields(self):
            value, choices = getattr(self, field.name), field.metadata["choices"]
            if choices and value not in choices:
                raise InputError(f"--config.{field.name}={value}: known: {', '.join(choices)}.")
        names = ("image_size", "normalisation", "variant", "weights", "precision")
        try:
            choice.check(self.backbone, **{name: getattr(self, name) for name in names})
        except InputError as error:
            raise InputError(f"--config.{error}") from None
        if self.convolution != "auto" and self.backbone != "conv4":
            raise InputError(f"--config.convolution={self.convolution}: for conv4. Leave it out.")
        for name in ("eval_every", "checkpoint_every"):
            if getattr(self, name) % self.log_every:
                raise InputError(
                    f"--config.{name}={getattr(self, name)}: give a multiple of log_every={self.log_every}."
                )


LATER = ("backbone", "variant", "weights", "trains", "keeps", "average", "lead")
"""Settings that runs made before there was a choice do not mention; their defaults are what those runs did."""

PAPER = Config(
    image_size=84,
    width=64,
    normalisation="episode",
    queries=15,
    iterations=3000,
    inner_lr=0.01,
    finetune_optimizer="adam",
    finetune_lr=1e-4,
    finetune_steps=10,
    log_every=10,
    eval_every=150,
    checkpoint_every=150,
)
"""The published setting: Conv4 with 64 filters and batch statistics, 3,000 iterations of 4 tasks, Adam at 1e-3 divided
by 10 every 150 epochs, first order, one inner step, fine-tuning at 1e-4. The rest is open in the paper."""

DEMO = Config(image_size=24, variants=12, holdout="swap", baseline=False, iterations=300)
"""What `make demo` trains, three learners times three seeds; the embedded photographs have 25 pixels. Of 500 steps the
last 200 raised the AUC on source validation by at most 0.013."""

STRONG = Config(
    learner="erm",
    image_size=160,
    backbone="efficientnet_lite0",
    weights="imagenet",
    normalisation="frozen",
    trains="^(block15|top|head)",
    adapts="^head/",
    keeps="runs/features",
    acquisitions="varied",
    variants=8,
    lead="self_blend",
    shots=10,
    iterations=1000,
    average=0.99,
    baseline=False,
)
"""Meant for real deepfakes: ImageNet's EfficientNet-Lite0 at 160 pixels, of which the last block, the top and the head
are trained and the head adapts; matched pairs of all forgery methods, self-blending in every meta-batch, treated as
images are on their way; the average of the parameters. What was chosen, and on what, is in docs/strong.md."""

PRESETS = {"default": Config(), "paper": PAPER, "demo": DEMO, "strong": STRONG}
