"""What a rule of adaptation is: from a trained model, a labelled support set and query images to logits."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
