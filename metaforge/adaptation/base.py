"""What a rule of adaptation is: from a trained model, a labelled support set and query images to logits."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from metaforge.adaptation.selection import grid
from metaforge.types import Batch, Params


class AdaptationRule(NamedTuple):
    """What one does with a trained model where it has not been. All rules are interchangeable.

    Attributes:
        apply: `apply(params, support, query) -> logits`, one task: the model's parameters, a support `Batch`, and query
            images `(queries, ...)`, to logits `(len(steps), queries, classes)`. Query labels are not given.
        steps: the numbers of steps after which the queries are scored; `(0,)` for a rule that takes none.
        uses_labels: whether it looks at the support set's labels.
        transductive: whether the rule lets a query image's logits depend on the other query images. A model with
            `normalisation="episode"` does so under every rule.
    """

    apply: Callable[[Params, Batch, Any], Any]
    steps: tuple[int, ...] = (0,)
    uses_labels: bool = True
    transductive: bool = False


class Entry(NamedTuple):
    """A rule in the table `RULES`: how it is made, and what programs must know of it before it is.

    Attributes:
        make: its factory. What it takes is read from its signature; `rule` gives it the arguments that bear these
            names.
        cites: the names under which `metaforge.citation` knows it.
        knob: the one number that is chosen on source validation: a "rate" of its optimizer, the strength of its
            "penalty", or "" where there is nothing to choose.
        unit: of the knob, around which it is tried; `None` for the learner's inner rate.
        uses_support: whether it looks at the support set at all; to a rule that does not, shots make no difference.
        uses_labels: whether it looks at the support set's labels.
        uses_source: whether it takes a prior that is fitted on source images (`metaforge.adaptation.gaussian`).
    """

    make: Callable[..., AdaptationRule]
    cites: tuple[str, ...] = ()
    knob: Literal["", "rate", "penalty"] = ""
    unit: float | None = None
    uses_support: bool = True
    uses_labels: bool = True
    uses_source: bool = False

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of the arguments that are still to be given."""
        fixed = getattr(self.make, "keywords", {})
        return tuple(name for name in inspect.signature(self.make).parameters if name not in fixed)

    @property
    def takes_steps(self) -> bool:
        """Whether it takes steps, and is judged after any number of them."""
        return "steps" in self.takes

    def knobs(self, inner_lr: float) -> tuple[float, ...]:
        """What is tried of its knob, for a learner with this inner rate; a single 0 where it has none."""
        if not self.knob:
            return (0.0,)
        return grid(inner_lr if self.unit is None else self.unit)

    def rule(self, given: Mapping[str, Any]) -> AdaptationRule:
        """The rule, made of those of the arguments `given` that it takes."""
        return self.make(**{name: given[name] for name in self.takes if name in given})
