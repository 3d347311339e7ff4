"""A contact sheet of annotated pairs: real, forged, how far they differ, the mask that is found, the true one, words.

python -m experiments.captions.sheet --out=captions.png
python -m experiments.captions.sheet --out=captions.png --rows=12 --seed=3
"""

import dataclasses
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import refuse_as_png, whole_file

FOUND, TRUE = (230, 90, 0), (0, 110, 200)
"""The colours of the two masks."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    out: str = setting(..., "The PNG to write.", place="file")
    rows: int = setting(6, "Pairs.", least=1, most=100)
    size: int = setting(160, "Side of the faces in pixels.", least=48, most=1024)
    seed: int = setting(0, "Another seed, other pairs.", most=2**32 - 1)


def run(options: Options) -> Any:
    """Draws the sheet, an image; pairs come in the order in which `experiments.captions` judges them."""
    # What computes is imported where it is used, so that --help answers at once.
    import textwrap

    import numpy as np
    from PIL import Image, ImageDraw

    from experiments.captions.config import Config
    from experiments.captions.pairs import known_pairs
    from metaforge.captions import annotate, sentence

    check_bounds(options)
    people = min(102, max(4, 2 * options.rows))
    pairs = known_pairs(Config(size=options.size, each=1, people=people, seed=options.seed))[1][: options.rows]
    size, head, words = options.size, 16, 330
    sheet = Image.new("RGB", (5 * size + words, head + len(pairs) * size), "white")
    draw = ImageDraw.Draw(sheet)
    for place, title in enumerate(("real", "forged", "difference, eight-fold", "mask found", "true mask", "words")):
        draw.text((place * size + 4, 2), title, fill="black")
    for row, pair in enumerate(pairs):
        found = annotate(pair.real, pair.fake, pair.landmarks)
        none = np.zeros(pair.mask.shape)
        soft = np.clip(8 * (none if found.soft is None else found.soft), 0, 255).astype(np.uint8)
        shown = [
            pair.real, pair.fake, np.repeat(soft[..., None], 3, axis=2),
            _tinted(pair.real, none > 0 if found.mask is None else found.mask, FOUND),
            _tinted(pair.real, pair.mask, TRUE),
        ]  # fmt: skip
        top = head + row * size
        for place, image in enumerate(shown):
            sheet.paste(Image.fromarray(image), (place * size, top))
        truth = f"True: {pair.part}, {pair.change}. {pair.coding}."
        lines = [*textwrap.wrap(sentence(found), 50), "", *textwrap.wrap(truth, 50)]
        draw.multiline_text((5 * size + 8, top + 8), "\n".join(lines), fill="black")
    return sheet


def _tinted(image: Any, mask: Any, colour: tuple[int, int, int]) -> Any:
    """A grey image, half of it coloured where the mask is."""
    import numpy as np

    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return np.where(mask[..., None], 0.5 * grey + 0.5 * np.array(colour), grey).astype(np.uint8)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        refuse_as_png(options.out)
        sheet = run(options)
        with whole_file(options.out, new=True) as made:
            sheet.save(made)
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
