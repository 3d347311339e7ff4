"""The rules of adaptation by name, as commands and studies know them."""

import functools

from metaforge.adaptation._discriminant import discriminant, whitened
from metaforge.adaptation._frozen import linear_probe, nearest_neighbour, prototypes
from metaforge.adaptation._gradient import fine_tune, unadapted
from metaforge.adaptation._learned import learned
from metaforge.adaptation._unlabelled import bn_adapt, tent
from metaforge.adaptation.base import Entry

_on = functools.partial

RULES: dict[str, Entry] = {
    "none": Entry(unadapted, uses_support=False, uses_labels=False),
    "all": Entry(_on(fine_tune, adaptable=""), knob="rate"),
    "head": Entry(_on(fine_tune, adaptable="^head/"), knob="rate"),
    "part": Entry(fine_tune, cites=("partial",), knob="rate"),
    "own": Entry(learned),
    "logistic": Entry(_on(linear_probe, kind="logistic"), cites=("linear_probe",), knob="penalty", unit=1.0),
    "ridge": Entry(_on(linear_probe, kind="ridge"), cites=("linear_probe",), knob="penalty", unit=1.0),
    "nearest": Entry(_on(nearest_neighbour, metric="cosine"), cites=("nearest_neighbour",)),
    "prototypes": Entry(_on(prototypes, metric="euclidean"), cites=("prototypes",)),
    "whitened": Entry(whitened, cites=("whitened",), knob="penalty", unit=1.0),
    "discriminant": Entry(discriminant, cites=("discriminant",), uses_source=True),
    "bn": Entry(_on(bn_adapt, statistics="support"), cites=("bn_adapt",), uses_labels=False),
    "bn_query": Entry(_on(bn_adapt, statistics="query"), cites=("bn_adapt",), uses_support=False, uses_labels=False),
    "tent": Entry(tent, cites=("tent",), knob="rate", unit=1e-3, uses_support=False, uses_labels=False),
}
"""The rules by name; a new one is a line here. Nothing is done; steps on all parameters, on the head, on a part; what
the learner does itself; classifiers on frozen features, and those in closed form; the target's statistics; entropy
minimisation."""
