"""What learns and by which rates, as plain settings; each learner takes those that its signature names."""

import dataclasses

from metaforge.bounds import MOST_FLOAT
from metaforge.settings import setting

WEIGHTINGS = ("uniform", "through", "detached", "normalised", "detached_normalised", "softmax", "focal")
"""The task weightings that have a name."""


@dataclasses.dataclass(frozen=True)
class LearnerSpec:
    """The learner and its hyper-parameters; those that it does not take change nothing."""

    name: str = setting("daml", "What learns; an unknown name lists all that there are.")
    inner_lr: float = setting(0.1, "alpha of eq. 2, of plain descent.", open_in_paper=True, above=0, most=MOST_FLOAT)
    inner_steps: int = setting(1, "Steps of adaptation while training (paper: 1).", least=1, most=10_000)
    order: str = setting("first", "Order of the outer gradient (paper: first).", choices=("first", "second", "mixed"))
    adaptable: str = setting("", "Which parameters inner steps change, a pattern of paths; '' for all.")
    trainable: str = setting("", "Which parameters outer steps train, a pattern of paths; '' for all.")
    rates: str = setting("parameter", "meta_sgd: a learned rate per what.", choices=("parameter", "array"))
    multi_step_iterations: int = setting(90, "maml_plus_plus: outer steps over which earlier inner steps fade.")
    second_order_from: int = setting(0, "maml_plus_plus: the outer step from which the gradient is exact.")
    per_step: str = setting("", "maml_plus_plus: parameters with a copy for each inner step, a pattern of paths.")
    proximal: float = setting(
        2.0, "imaml: lambda, how strongly adaptation is held near its start (paper: 2).", above=0, most=MOST_FLOAT
    )
    cg_steps: int = setting(5, "imaml: steps of conjugate gradient (paper: 5).", most=10_000)
    temperature: float = setting(1.0, "protonet: what squared distances are divided by (paper: 1).", above=0)
    l2: float = setting(1.0, "ridge, r2d2: the penalty, for r2d2 the first one.", above=0)
    penalty: float = setting(1.0, "mldg, ltw, coral, irm: what the other term counts beside the plain loss.")
    group_rate: float = setting(0.01, "group_dro: how fast weights of domains move.")
    weighting: str = setting("", "What tasks count, for learners that leave it open.", choices=("", *WEIGHTINGS))
    outer_optimizer: str = setting("adam", "The outer rule (paper: Adam).", choices=("adam", "sgd"))
    outer_lr: float = setting(1e-3, "beta of eq. 4 and 5, Adam (paper: 1e-3).", above=0, most=MOST_FLOAT)
    schedule: str = setting(
        "steps", "outer_lr: divided every decay_epochs, or a cosine down to 0.", choices=("steps", "cosine")
    )
    warmup: int = setting(0, "cosine: outer steps over which outer_lr is reached first, in a line.")
    outer_decay: float = setting(0.1, "Factor on outer_lr every decay_epochs (paper: 0.1).", above=0)
    decay_epochs: int = setting(150, "Epochs between decays (paper: 150); 0 for never.")
    epoch_iterations: int = setting(10, "Outer steps that count as one epoch.", open_in_paper=True, least=1)
    average: float = setting(0.0, "Decay of an average of the parameters that replaces them; 0 for none.", below=1)
    reduction: str = setting("sum", "How the outer loss runs over tasks (paper: sum).", choices=("sum", "mean"))
    detach: bool = setting(False, "DAML: hold the weight constant in the gradient.", open_in_paper=True)
    normalize: bool = setting(False, "DAML: divide the weights by their mean.")
    grad_steps: int = setting(0, "Last inner steps that an exact gradient sees; 0 for all.", most=10_000)
    remat: str = setting("none", "What an exact gradient computes again.", choices=("none", "steps", "sqrt"))
