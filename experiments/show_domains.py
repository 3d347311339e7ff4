"""A contact sheet of the forgery domains: real, forged and mask, for a few faces of each.

python -m experiments.show_domains --out=domains.png
python -m experiments.show_domains --out=domains.png --faces.folder=FOLDER --model.image_size=128
"""

import dataclasses
from typing import Any

from metaforge.bounds import check_bounds
from metaforge.commands import launch, start
from metaforge.errors import InputError
from metaforge.places import refuse_inside
from metaforge.settings import setting
from metaforge.training.config import Config
from metaforge.whole import refuse_as_png, whole_file


@dataclasses.dataclass(frozen=True)
class Options:
    """What to draw."""

    out: str = setting(..., "The PNG to write.", place="file")
    columns: int = setting(4, "Faces of each domain.", least=1, most=1000)


def run(options: Options, config: Config) -> Any:
    """Draws the sheet, an image: a row a domain, for each face real, forged, mask."""
    # What computes is imported where it is used, so that --help answers at once.
    import numpy as np
    from einops import rearrange, repeat
    from PIL import Image, ImageDraw

    from metaforge.data.faces import split_people
    from metaforge.forgeries import forge_pairs
    from metaforge.training import build

    config.check()
    check_bounds(options)
    if config.faces.prepared:
        raise InputError("--faces.prepared: only photographs are forged here, by --faces.folder. Leave it out.")
    people = split_people(build.faces(config).faces, seed=config.faces.split_seed)["train"]
    names = [n for group in build.methods(config) for n in group]
    acquisitions = tuple(build.treatments(config))
    size, label, gap = max(config.model.image_size, 64), 130, 6
    rows: dict[str, list] = {}
    # One face of each person: a swap is between two.
    each = list({face.identity: face for face in people[::-1]}.values())[::-1]
    shown = each[: max(options.columns, 2)]
    for pair in forge_pairs(shown, methods=names, acquisitions=acquisitions, variants=1, seed=0, fit_faces=people):
        rows.setdefault(pair.domain, []).append(pair.forged)
    width = label + options.columns * (3 * size + gap)
    head = 16
    sheet = Image.new("RGB", (width, head + len(rows) * (size + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for place in range(3 * min(options.columns, len(shown))):
        x = label + place // 3 * (3 * size + gap) + place % 3 * size
        draw.text((x + 4, 2), ("real", "forged", "mask")[place % 3], fill="black")
    for top, (domain, forged) in enumerate(rows.items()):
        y = head + top * (size + gap)
        draw.text((4, y + size // 2 - 6), domain, fill="black")
        for column, one in enumerate(forged[: options.columns]):
            mask = repeat(np.round(one.mask * 255).astype(np.uint8), "height width -> height width rgb", rgb=3)
            strip = rearrange([one.real, one.fake, mask], "tile height width rgb -> height (tile width) rgb")
            enlarged = Image.fromarray(strip).resize((3 * size, size), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (label + column * (3 * size + gap), y))
    return sheet


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        refuse_as_png(options.out)
        refuse_inside("out", options.out, config.faces.folder, of="faces.folder")
        sheet = run(options, config)
        with whole_file(options.out, new=True) as made:
            sheet.save(made)
        return f"Wrote {options.out}: a row a domain; for each face real, forged, mask."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main)
