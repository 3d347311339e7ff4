"""A contact sheet of annotated pairs: real, forged, how far they differ, the mask that is found, the true one, words.

python -m experiments.captions.sheet --out=captions.png
python -m experiments.captions.sheet --out=captions.png --rows=12 --seed=3
python -m experiments.captions.sheet --out=captions_failures.png --worst

With --worst they are those of `experiments.captions` whose regions are told worst, with what was missed and why.
"""

import dataclasses
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import new_png

TRUE = (0, 110, 200)
"""The colour of the true mask."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    out: str = setting(..., "The PNG to write.", place="file")
    rows: int = setting(6, "Pairs.", least=1, most=100)
    size: int = setting(160, "Side of the faces in pixels.", least=48, most=1024)
    worst: bool = setting(False, "Draw the judged pairs that are told worst, one of each change in turn.")
    seed: int = setting(0, "Another seed, other pairs.", most=2**32 - 1)


def run(options: Options) -> Any:
    """Draws the sheet, an image; pairs come in the order in which `experiments.captions` judges them."""
    # What computes is imported where it is used, so that --help answers at once.
    from experiments.captions.config import Config
    from experiments.captions.failing import why, worst
    from experiments.captions.pairs import known_pairs
    from metaforge.captions import annotate, sentence
    from metaforge.captions.drawing import TITLES, contact_sheet, pair_panels, tinted

    check_bounds(options)
    usual = Config(size=options.size, seed=options.seed)
    few = dataclasses.replace(usual, each=1, people=min(102, max(4, 2 * options.rows)))
    pairs = known_pairs(usual if options.worst else few)[1]
    pairs = pairs if options.worst else pairs[: options.rows]
    annotations = [annotate(pair.real, pair.fake, pair.landmarks) for pair in pairs]
    places = worst(pairs, annotations, options.rows) if options.worst else range(len(pairs))
    rows = []
    for place in places:
        pair, found = pairs[place], annotations[place]
        panels = [*pair_panels(pair.real, pair.fake, found), tinted(pair.real, pair.mask, TRUE)]
        strength, edge = pair.parameters["strength"], pair.parameters["edge"]
        true = f"True: {pair.part}, {pair.change} {strength:.1f}, edge {edge:.1f}. {pair.coding}."
        rows.append((panels, [sentence(found), true, *(why(pair, found) if options.worst else ())]))
    return contact_sheet(rows, size=options.size, titles=(*TITLES, "true mask"))


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        new_png(options.out, lambda: run(options))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
