"""A sheet of explained images: the forged image, the exact mask, the map that is found, Grad-CAM, and the sentence.

python -m experiments.explaining.sheet --run=runs/explaining --out=explaining.png

Only people of the collection --collection are shown, which has to allow that, and of those none whom the head was
fitted to or calibrated on. The head is the one that ships: it knows these methods, but not these people.
"""

import dataclasses
from pathlib import Path
from typing import Any

from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import new_png

FOUND, TRUE, CAM = (230, 90, 0), (0, 110, 200), (130, 60, 170)
"""The colours of the map, the true mask and Grad-CAM."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    run: str = setting(..., "A finished run of experiments.explaining.", place="read")
    out: str = setting(..., "The PNG to write.", place="file")
    collection: str = setting("london", "The collection whose people may be shown.")
    rows: int = setting(6, "Images.", least=1, most=100)


def draw(options: Options) -> Any:
    """Draws the sheet: judged images of one person after the other, every fourth real or forged everywhere."""
    # What computes is imported where it is used, so that --help answers at once.
    import textwrap

    import numpy as np
    from PIL import Image, ImageDraw

    from experiments.explaining.config import Config
    from experiments.explaining.features import table
    from experiments.explaining.mapping import cams_of, grown
    from metaforge.runs import read_config
    from metaforge.screening import explain, load_detector

    config = Config(**(read_config(options.run) or {}))
    detector = load_detector(Path(options.run) / "detector")
    size = detector.image_size
    seen = table(config, detector, Path(options.run) / "features.npz", say=print)
    mine = [place for place, row in enumerate(seen.shown) if seen.about["collection"][row] == options.collection]
    people = list(dict.fromkeys(str(seen.about["person"][seen.shown[place]]) for place in mine))
    chosen: list[int] = []
    for turn in range(min(options.rows, len(mine))):
        # One person after the other, each time another of their images, and every fourth of another kind.
        person = people[turn % len(people)]
        of_part = turn % 4 != 3
        left = [place for place in mine if place not in chosen
                and seen.about["person"][seen.shown[place]] == person]  # fmt: skip
        wanted = [place for place in left if bool(seen.about["part"][seen.shown[place]]) == of_part]
        chosen += (wanted[turn // len(people) :] or wanted or left)[:1]
    words, head = 400, 16
    sheet = Image.new("RGB", (4 * size + words, head + len(chosen) * size), "white")
    pen = ImageDraw.Draw(sheet)
    for place, title in enumerate(("image", "exact mask", "evidence, if forged", "Grad-CAM, last map", "words")):
        pen.text((place * size + 4, 2), title, fill="black")
    for turn, place in enumerate(chosen):
        image, mask, row = seen.images[place], seen.masks[place], seen.shown[place]
        found = explain(detector, image, crop="whole")
        heat = grown(np.asarray(cams_of(detector, image)[-1])[0], size)
        shown = [image, tinted(image, mask, TRUE), tinted(image, found.map, FOUND),
                 tinted(image, heat / max(heat.max(), 1e-9), CAM)]  # fmt: skip
        top = head + turn * size
        for column, one in enumerate(shown):
            sheet.paste(Image.fromarray(one), (column * size, top))
        part, method = str(seen.about["part"][row]), str(seen.about["method"][row]).removeprefix("part: ")
        truth = f"True: {part.replace('_', ' ')}, {method}." if part else f"True: {method or 'real'}."
        likely = sorted(found.regions.items(), key=lambda each: -each[1])[:3]
        first = ", ".join(f"{name.replace('_', ' ')} {p:.2f}" for name, p in likely)
        lines = [*textwrap.wrap(found.sentence, 58), "", *textwrap.wrap(f"Highest: {first}.", 58), "", truth,
                 f"JPEG {seen.about['quality'][row]}."]  # fmt: skip
        pen.multiline_text((4 * size + 8, top + 8), "\n".join(lines), fill="black")
    return sheet


def tinted(image: Any, mask: Any, colour: tuple[int, int, int]) -> Any:
    """A grey image, coloured by up to three fifths where a mask is."""
    import numpy as np

    share = 0.6 * np.clip(mask, 0, 1)[..., None]
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return ((1 - share) * grey + share * np.array(colour)).astype(np.uint8)


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        new_png(options.out, lambda: draw(options))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main, heavy=True)
