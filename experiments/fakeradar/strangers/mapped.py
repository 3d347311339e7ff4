"""A model's features, subclusters and outliers, for the map that `paper_figures.outlier_map` draws."""

import jax
import numpy as np

from experiments.fakeradar.strangers.folds import Given
from experiments.fakeradar.strangers.training import Trained, programs
from experiments.strangers.features import Table
from metaforge.runs import Run
from metaforge.whole import write_arrays

IMAGES = 300
"""Images of each kind, at most; of methods that nobody has seen, all together."""
OUTLIERS = 150


def write(
    recipe, methods: list[str], trained: Trained, table: Table, features, known: Given, without: str, folder
) -> None:
    """Where a model of the row "full" puts images that it was trained on, and those of the left-out collection.

    Args:
        recipe: of outliers.
        methods: that were trained on.
        trained: the model.
        table: all images.
        features: the same, on the device.
        known: what was trained on.
        without: the collection that was left out.
        folder: where to; a run directory of its own.
    """
    made = programs(recipe, "full", 1 + len(methods))
    seen = np.asarray(made.look(trained.params, known, features).embeddings)
    names = ["real", *methods, "real, unknown", "unseen method"]
    rows = np.asarray(known.rows)[np.asarray(known.where)]
    kind = np.asarray(known.kind)[np.asarray(known.where)]
    strange = (table.collection == without) & ~np.isin(table.kind, methods)
    groups = [rows[kind == number] for number in range(1 + len(methods))]
    groups += [np.flatnonzero(strange & (table.label == label)) for label in (0, 1)]
    some = [group[np.linspace(0, len(group) - 1, min(len(group), IMAGES)).astype(int)] for group in groups]
    drawn = made.sample(jax.random.key(0), trained.outliers, OUTLIERS)
    place = Run(folder, {"row": "full", "left_out": without}).directory
    write_arrays(
        place / "outliers.npz",
        compressed=True,
        features=seen[np.concatenate(some)],
        kind=np.repeat(np.arange(len(names)), [len(each) for each in some]),
        names=np.array(names),
        centers=np.asarray(trained.outliers.centers)[np.asarray(trained.outliers.clusters.active)],
        outliers=np.asarray(drawn.features)[np.asarray(drawn.where)],
    )
