"""Draws what happens to a photograph of a stranger and to its fake: a London face, alike under every treatment.

    python -m docs.draw_treatments

Call it in the root of the repository, with the extra `video`; it writes `docs/figures/treatments.png`.
"""

import dataclasses
from pathlib import Path

import numpy as np

from metaforge.commands import launch, start
from metaforge.data.faces import load_faces
from metaforge.forgeries.base import Face, Forged
from metaforge.forgeries.framing import framed
from metaforge.forgeries.synthesis import make
from metaforge.forgeries.treatments import TREATMENTS, Treatment
from metaforge.forgeries.wild import journey

SHOWN, DONOR, SIZE = "010_neutral", "003_neutral", 160
OUT = Path(__file__).parent / "figures" / "treatments.png"
# Draws that show their treatments clearly.
FRAMINGS, ONE, JOURNEYS = (3, 10), 9, (0, 3, 5)


@dataclasses.dataclass(frozen=True)
class Options:
    """Nothing to choose."""


def pairs() -> list[tuple[str, Forged]]:
    """What is shown, with its heading: a face swap as it is, framed anew, under each treatment, and all together."""
    faces = {face.name: face for face in load_faces("london", size=SIZE, around=True).faces}
    face, donor = faces[SHOWN], faces[DONOR]
    shown = [("untreated", _forged(face, donor))]
    for seed in FRAMINGS:
        moved, drawn = framed(np.random.default_rng(seed), face)
        shown.append((f"framing: {drawn['framing'][0]:.2f} times the side", _forged(moved, donor)))
    for name, draw in TREATMENTS.items():
        treatment = draw(np.random.default_rng(ONE))
        shown.append((_heading(name, treatment.drawn), _treated(_forged(face, donor), [treatment])))
    for seed in JOURNEYS:
        rng = np.random.default_rng(seed)
        moved, steps = framed(rng, face)[0], journey(rng)
        names = [next(iter(step.drawn)).replace("first_", "2 x ") for step in steps]
        shown.append((", ".join(["wild: framing", *names]), _treated(_forged(moved, donor), steps)))
    return shown


def _forged(face: Face, donor: Face) -> Forged:
    return make("swap", []).forge(np.random.default_rng(0), face, donor)


def _treated(pair: Forged, steps: list[Treatment]) -> Forged:
    for step in steps:
        pair = pair._replace(real=step.apply(pair.real), fake=step.apply(pair.fake))
    return pair


def _heading(name: str, drawn: dict) -> str:
    said = list(drawn.values())
    if name.startswith("video"):
        return "H.264: CRF " + ", then ".join(f"{crf} ({frames} frames)" for crf, frames, *_ in said)
    if name.startswith("photograph"):
        return "JPEG: quality " + ", then ".join(f"{quality} ({kept})" for quality, kept, *_ in said)
    values = said[0] if isinstance(said[0], list) else said[:1]
    return f"{name}: {', '.join(map(str, values))}"


def run(options: Options) -> str:
    """Writes the figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = pairs()
    figure, panels = plt.subplots(-(-len(shown) // 4), 4, figsize=(11, 6.9), layout="constrained")
    for panel in panels.flat:
        panel.axis("off")
    for panel, (heading, pair) in zip(panels.flat, shown, strict=False):
        panel.imshow(np.concatenate([pair.real, pair.fake], axis=1), interpolation="antialiased")
        panel.set_title(heading, fontsize=7)
    figure.savefig(OUT, dpi=100, metadata={"Software": None})
    plt.close(figure)
    return f"Wrote {OUT.relative_to(OUT.parents[2])}."


def main(argv: list[str]) -> int:
    """The command."""
    return launch(argv, run, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
