"""Features, subclusters and outliers in the two widest directions of the features, at the end of training.

    python -m paper_figures.outlier_map --runs=runs/fakeradar/swap/full-seed0 --out=outlier_map.png

Dots are training images, crosses the centres of subclusters, triangles synthetic outliers. Two directions of many: what
is apart may look near.
"""

import zipfile

import numpy as np

from metaforge.commands import launch, start
from metaforge.errors import InputError
from paper_figures._fakeradar import KINDS
from paper_figures._figure import BESIDE, OfRuns, page
from paper_figures._runs import find_runs


def draw(options: OfRuns) -> str:
    """Draws the figure of the first run."""
    run = find_runs(options.runs)[0]
    try:
        with np.load(run / "outliers.npz", allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        rows, kind, names = found["features"], found["kind"], found["names"].tolist()
        centers, outliers = found["centers"], found["outliers"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"runs: '{run}' has no readable outliers.npz ({error}). Choose a finished run of 'full'."
        ) from None
    middle = rows.mean(0)
    basis = np.linalg.svd(rows - middle, full_matrices=False)[2][:2].T
    flat = lambda points: ((points - middle) @ basis).T
    share = np.var((rows - middle) @ basis, axis=0).sum() / np.var(rows - middle, axis=0).sum()
    with page("outlier_map", options, size=(5.2, 3.6)) as axes:
        axes.grid(visible=False)
        for index, name in enumerate(names):
            axes.scatter(*flat(rows[kind == index]), s=4, color=KINDS[index % len(KINDS)], lw=0, label=name, alpha=0.6)
        axes.scatter(*flat(outliers), s=14, marker="^", facecolor="none", edgecolor="#cc0000", lw=0.6, label="outlier")
        axes.scatter(*flat(centers), s=55, marker="X", color="white", edgecolor="black", lw=0.9, label="centre")
        axes.set(xlabel="first direction", ylabel="second direction")
        axes.legend(**BESIDE, markerscale=1.3, title=f"{share:.0%} of the variance")
    return f"Wrote {options.out}: {len(rows)} features, {len(centers)} centres, {len(outliers)} outliers of '{run}'."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, draw, doc=__doc__ or "", options=OfRuns())


if __name__ == "__main__":
    start(main)
