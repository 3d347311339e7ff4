"""What a study compares: how a model is trained, and what is done with it where nobody has been."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from metaforge.errors import InputError
from metaforge.settings import change
from metaforge.training.config import Config


class Method(NamedTuple):
    """How a model is trained, and what adapts it.

    Attributes:
        learner: how the model is trained.
        rule: what adapts it, a name in `metaforge.adaptation.RULES`.
        settings: settings of the learner, and `normalisation`, in which its training differs from the others', and
            `outer_rate`, `inner_rate` and `longer`, factors on their `outer_lr`, `inner_lr` and `iterations`.
        inner_rates: factors on `inner_lr` with which it is trained in turn; source validation chooses one model.
    """

    learner: str
    rule: str
    settings: Mapping[str, Any] = MappingProxyType({})
    inner_rates: tuple[float, ...] = (1.0,)

    def trained(self, config: Config) -> Config:
        """How its model is trained, where the study's models are trained by `config`."""
        own = dict(self.settings)
        learner = config.learner
        changes = {
            "learner.name": self.learner,
            "learner.outer_lr": own.pop("outer_rate", 1.0) * learner.outer_lr,
            "learner.inner_lr": own.pop("inner_rate", 1.0) * learner.inner_lr,
            "run.iterations": own.pop("longer", 1) * config.run.iterations,
        }
        if "normalisation" in own:
            changes["model.normalisation"] = own.pop("normalisation")
        return change(config, changes | {f"learner.{name}": value for name, value in own.items()})

    @property
    def candidates(self) -> tuple["Method", ...]:
        """Itself at each of its inner rates: what source validation chooses from."""
        rates = [{} if rate == 1 else {"inner_rate": rate} for rate in self.inner_rates]
        return tuple(_of(self.learner, self.rule, **self.settings, **rate) for rate in rates)

    @property
    def model(self) -> str:
        """The name of the model of a method with one inner rate; methods of one model share its training."""
        return "-".join([self.learner, *(f"{name}={value}" for name, value in sorted(self.settings.items()))])


def _of(learner: str, rule: str = "all", **settings: Any) -> Method:
    return Method(learner, rule, MappingProxyType(settings))


class Methods(dict[str, Method]):
    """The methods by name; a learner that has none of its own is trained as `Config` says and adapted as it adapts."""

    def __missing__(self, name: str) -> Method:
        """The method of a learner that has none of its own."""
        from metaforge.learners import LEARNERS  # needs JAX, which --help does not wait for

        entry = LEARNERS[name]
        return _of(name, "own" if entry.adapts_itself else "head" if entry.adapts == "^head/" else "all")


METHODS = Methods(
    {
        "erm": _of("erm", "none"),
        "erm+finetune": _of("erm"),
        "erm+finetune:long": _of("erm", longer=5),
        "erm+head": _of("erm", "head"),
        "erm+logistic": _of("erm", "logistic"),
        "erm+ridge": _of("erm", "ridge"),
        "erm+whitened": _of("erm", "whitened"),
        "erm+discriminant": _of("erm", "discriminant"),
        "erm+nearest": _of("erm", "nearest"),
        "erm+prototypes": _of("erm", "prototypes"),
        "erm+bn": _of("erm", "bn"),
        "erm+bn_query": _of("erm", "bn_query"),
        "erm+tent": _of("erm", "tent"),
        "group_dro": _of("group_dro"),
        "coral": _of("coral"),
        "irm": _of("irm"),
        "mldg": _of("mldg", order="second"),
        "ltw": _of("ltw"),
        "maml": _of("maml", order="second"),
        "fomaml": _of("fomaml"),
        "daml": _of("daml"),
        "partial": _of("maml", "part", order="second", adaptable="Normalise"),
        "partial:norms": _of("maml", "part", order="second", adaptable="_norm|^head"),
        "anil": _of("anil", "head", order="second"),
        "reptile": _of("reptile", inner_steps=5),
        "meta_sgd": _of("meta_sgd", "own", order="second"),
        "maml_plus_plus": _of("maml_plus_plus", "own", inner_steps=3, per_step="Normalise_.*(scale|bias)"),
        "imaml": _of("imaml", "own", inner_steps=16),
        "protonet": _of("protonet", "own"),
        "ridge": _of("ridge", "own"),
        "r2d2": _of("r2d2", "own"),
        "uniform": _of("fomaml", weighting="uniform"),
        "through": _of("fomaml", weighting="through"),
        "detached": _of("fomaml", weighting="detached"),
        "normalised": _of("fomaml", weighting="normalised"),
        "softmax": _of("fomaml", weighting="softmax"),
        "focal": _of("fomaml", weighting="focal"),
        "uniform:half_rate": _of("fomaml", weighting="uniform", outer_rate=0.5),
        "maml:second": _of("maml", order="second"),
        "maml:first": _of("maml", order="first"),
        "maml:mixed": _of("maml", order="mixed"),
        "maml:five_first": _of("maml", order="first", inner_steps=5),
        "maml:five_second": _of("maml", order="second", inner_steps=5),
    }
)
for _kind in ("support", "episode", "group", "none"):
    METHODS[f"maml:{_kind}"] = _of("maml", normalisation=_kind)
    METHODS[f"erm+finetune:{_kind}"] = _of("erm", normalisation=_kind)
for _name in ("maml", "fomaml", "daml", "partial", "anil", "reptile", "meta_sgd", "maml_plus_plus", "mldg", "ltw"):
    METHODS[f"{_name}:tuned"] = METHODS[_name]._replace(inner_rates=(1.0, 0.1))


class Study(NamedTuple):
    """A question: its methods, and the budgets at which they are judged.

    Attributes:
        methods: names in `METHODS`, the baseline among them.
        baseline: what the others are compared with.
        shots: labelled images a class.
        steps: steps of adaptation; 0 is the support set's statistics alone.
        question: what it asks.
    """

    methods: tuple[str, ...]
    baseline: str
    shots: tuple[int, ...]
    steps: tuple[int, ...]
    question: str


_LEARNED = (
    "maml", "fomaml", "daml", "partial", "anil", "reptile", "meta_sgd", "maml_plus_plus", "protonet", "ridge", "r2d2",
    "mldg", "ltw", "group_dro", "coral", "irm",
)  # fmt: skip
_KINDS = ("support", "episode", "group", "none")

STUDIES: dict[str, Study] = {
    "leave_one_out": Study(
        (
            *(name for name in METHODS if name.startswith("erm") and ":" not in name), "erm+finetune:long", *_LEARNED,
            "maml:tuned", "fomaml:tuned", "daml:tuned", "anil:tuned", "reptile:tuned",
        ),
        "erm+finetune", (5,), (0, 1, 5, 10), "Which method wins on a kind of forgery that was held out?",
    ),
    "shots_by_steps": Study(
        ("erm+finetune", "erm+head", "anil", "maml", "daml"), "erm+finetune", (1, 5, 10), (0, 1, 5),
        "What are more shots and more steps worth?",
    ),
    "task_weighting": Study(
        ("uniform", "uniform:half_rate", "through", "detached", "normalised", "softmax", "focal", "group_dro"),
        "uniform", (5,), (0, 1, 5, 10), "Does difficulty-awareness itself help, or the size of the step?",
    ),
    "normalisation": Study(
        tuple(f"{name}:{kind}" for name in ("maml", "erm+finetune") for kind in _KINDS), "erm+finetune:support",
        (5,), (0, 1, 5, 10), "Whose statistics should normalise an image?",
    ),
    "what_adapts": Study(
        (
            "erm+finetune", "erm+head", "erm+logistic", "erm+ridge", "erm+prototypes", "anil", "fomaml", "maml",
            "partial:norms", "protonet", "r2d2",
        ),
        "erm+finetune", (5, 20), (0, 1, 5, 10), "On cached features of a large backbone: what should adapt?",
    ),
    "order": Study(
        (
            "erm+finetune", "maml:first", "maml:second", "maml:mixed", "maml:five_first",
            "maml:five_second",
        ),
        "maml:first", (5,), (0, 1, 5, 10), "What does the exact outer gradient buy?",
    ),
}  # fmt: skip


def chosen(names: str, study: Study, normalisation: str) -> tuple[str, ...]:
    """The methods asked for, "all" for the study's; the baseline comes along.

    Only under "support" do a target's statistics change anything; otherwise their rules are "none" under another name.

    Raises:
        InputError: for an unknown one, one that is named twice, or one that is another under a second name.
    """
    # What computes, which --help does not wait for.
    from metaforge.learners import LEARNERS
    from metaforge.training import build

    known = tuple(dict.fromkeys((*METHODS, *LEARNERS)))
    asked = study.methods if names == "all" else tuple(build.named("methods", names, known))
    same = [name for name in asked if METHODS[name].rule in ("bn", "bn_query") and normalisation != "support"]
    if same and names != "all":
        raise InputError(
            f"--methods: with --model.normalisation={normalisation} no statistics are lent, and '{same[0]}' is 'erm' "
            "under another name. Leave it out."
        )
    asked = tuple(name for name in asked if name not in same)
    return asked if study.baseline in asked else (study.baseline, *asked)
