"""Draws the regions of a face and the 68 points on a London face, and compares the points with hand-marked ones.

    python -m docs.draw_regions
    python -m docs.draw_regions --marked=LONDON_FACES    # folders of photographs with landmarks_xy_resized.npz beside

Call it in the root of the repository; it writes `docs/figures/face_regions.png`. The comparison needs the extra `faces`
and the set's templates of 189 points (webmorph's), which are not shipped.
"""

import dataclasses
from pathlib import Path

import numpy as np

from metaforge.commands import launch, start
from metaforge.data.embedded_faces import london_faces
from metaforge.face_regions import GROUPS, MESH_TO_68, REGIONS
from metaforge.settings import setting

SHOWN = "010_neutral"
OUT = Path(__file__).parent / "figures" / "face_regions.png"
PALETTE = ("#0072b2", "#56b4e9", "#009e73", "#d55e00", "#e69f00", "#f0e442", "#cc79a7", "#999999")

# Of the 68 points those that were marked by hand too: the points of the template, or the middle of two.
MARKED: dict[str, dict[int, tuple[int, ...]]] = {
    "jaw": {4: (125,), 5: (126,), 6: (127,), 7: (128,), 8: (129,)},
    "brows": {17: (71,), 18: (72,), 19: (73,), 20: (74,), 21: (75, 76)},
    "nose": {27: (51, 57), 28: (52, 58), 29: (53, 59), 30: (54, 60), 32: (64, 170), 33: (55,)},
    "eyes": {36: (18,), 38: (20, 21), 39: (22,), 42: (23,), 45: (27,)},
    "lips": {48: (87,), 49: (88,), 50: (89,), 51: (90,), 52: (91,), 53: (92,), 54: (93,),
             55: (108,), 56: (107,), 57: (106,), 58: (105,), 59: (104,)},
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options:
    """With what to compare."""

    marked: str = setting("", "A folder of photographs and their hand-marked landmarks; no comparison without.")


def draw() -> None:
    """Writes the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    (one,) = (face for face in london_faces() if face.name == SHOWN)
    mesh = one.face.mesh - 0.5  # pixels are drawn around whole numbers
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
    titles = ("The mesh, 468 points", "The 68 points", "The regions")
    for panel, title in zip(panels, titles, strict=True):
        panel.imshow(one.image)
        panel.set_title(title, fontsize=11)
        panel.set_xlim(mesh[:, 0].min() - 8, mesh[:, 0].max() + 8)
        panel.set_ylim(mesh[:, 1].max() + 6, mesh[:, 1].min() - 6)
        panel.axis("off")
    panels[0].scatter(*mesh.T, s=3, color="#f0e442", linewidths=0)
    points = mesh[MESH_TO_68]
    panels[1].scatter(*points.T, s=8, color="#f0e442", linewidths=0)
    for number, (x, y) in enumerate(points):
        panels[1].text(x + 0.6, y - 0.4, str(number), fontsize=5.5, color="white")
    for (group, parts), colour in zip(GROUPS.items(), PALETTE, strict=True):
        for part in parts:
            outline = mesh[list(REGIONS[part].mesh)]
            panels[2].fill(*outline.T, facecolor=colour, alpha=0.45, edgecolor="white", linewidth=0.8)
        x, y = mesh[list(REGIONS[parts[0]].mesh)].mean(axis=0)
        panels[2].text(x, y, group, fontsize=8, color="white", ha="center", va="center", weight="bold")
    figure.savefig(OUT, dpi=110, metadata={"Software": None})
    plt.close(figure)


def compare(folder: Path) -> str:
    """How far the points are from those that were marked by hand, in distances between the eyes, as a table."""
    from metaforge.data.detection import find_face
    from metaforge.data.images import read_image

    marked = np.load(folder / "landmarks_xy_resized.npz", allow_pickle=False)
    errors: dict[str, list[float]] = {name: [] for name in MARKED}
    photographs = 0
    for key in marked.files:
        path = folder / f"{key.replace('__', '/')}.jpg"
        if not path.is_file() or (face := find_face(read_image(path))) is None or face.mesh is None:
            continue
        photographs += 1
        points, hand = face.mesh[MESH_TO_68], marked[key]
        between = float(np.linalg.norm(hand[0] - hand[1]))  # the middles of the pupils
        for name, pairs in MARKED.items():
            for point, template in pairs.items():
                errors[name].append(float(np.linalg.norm(points[point] - hand[list(template)].mean(axis=0))) / between)
    lines = ["| part | points | mean | 95th percentile |", "|---|---|---|---|"]
    every = [error for each in errors.values() for error in each]
    for name, found in [*errors.items(), ("all", every)]:
        count = len(found) // photographs
        lines.append(f"| {name} | {count} | {np.mean(found):.3f} | {np.percentile(found, 95):.3f} |")
    return f"{photographs} photographs\n\n" + "\n".join(lines)


def run(options: Options) -> str:
    """Draws, and compares if there is something to compare with."""
    draw()
    if options.marked:
        print(compare(Path(options.marked)))
    return f"Wrote {OUT.relative_to(OUT.parents[2])}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, run, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
