"""A contact sheet of forged films: a row a method, with frames of the real film, of the forged one, and what differs.

python -m experiments.show_films --out=films.png
python -m experiments.show_films --out=films.png --image_size=128 --columns=6 --every=2
"""

import dataclasses
from pathlib import Path
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.settings import setting
from metaforge.whole import new_png


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    out: str = setting(..., "The PNG to write.", place="file")
    faces: str = setting("london", "Real faces: 'london' or 'lfw' (embedded), or a folder.", place="read")
    image_size: int = setting(112, "Side of the frames, in pixels, an even number.", least=16, most=4096)
    columns: int = setting(4, "Frames of each film that are shown.", least=1, most=100)
    every: int = setting(4, "Of so many frames one is shown.", least=1, most=1000)
    coded: bool = setting(True, "Whether as H.264, or before it is coded.")
    seed: int = setting(0, "Another seed, other films.", most=2**32 - 1)


def run(options: Options) -> Any:
    """Draws the sheet, an image. What differs is shown four-fold, on grey."""
    # What computes is imported where it is used, so that --help answers at once.
    import tempfile

    import numpy as np
    from einops import rearrange
    from PIL import Image, ImageDraw

    from metaforge.data.faces import load_faces, split_people
    from metaforge.data.film_clips import read_clips
    from metaforge.forgeries import FORGERIES
    from metaforge.forgeries.films import film_pairs, write_h264

    check_bounds(options)
    faces = load_faces(options.faces, size=options.image_size, around=True).faces
    people = split_people(faces, seed=0)["train"]
    frames, size, label = 1 + (options.columns - 1) * options.every, options.image_size, 100
    rows: dict[str, np.ndarray] = {}
    for name in FORGERIES:
        pairs = film_pairs(people, methods=[name], variants=1, frames=frames, seed=options.seed, fit_faces=people)
        pair = next(pairs)
        films = [pair.real, pair.fake]
        if options.coded:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "film.mp4")
                for place, film in enumerate(films):
                    write_h264(path, film, pair.crf)
                    films[place] = read_clips(path, np.array([0]), frames=frames, size=size)[0]
        apart = 128 + 4 * (films[1].astype(np.int16) - films[0])
        films.append(np.clip(apart, 0, 255).astype(np.uint8))
        rows[name] = np.concatenate([film[:: options.every] for film in films])
    head = 16
    sheet = Image.new("RGB", (label + 3 * options.columns * size, head + len(rows) * size), "white")
    draw = ImageDraw.Draw(sheet)
    for place, title in enumerate(("real", "forged", "forged less real, four-fold")):
        draw.text((label + place * options.columns * size + 4, 2), title, fill="black")
    for place, (name, film) in enumerate(rows.items()):
        draw.text((4, head + place * size + size // 2 - 6), name, fill="black")
        strip = rearrange(film, "frame height width rgb -> height (frame width) rgb")
        sheet.paste(Image.fromarray(strip), (label, head + place * size))
    return sheet


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        new_png(options.out, lambda: run(options))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options())


if __name__ == "__main__":
    start(main)
