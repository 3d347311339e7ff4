"""A refiner without a network: the raw annotation in one of many wordings, drawn by the record's name."""

import hashlib
import random
from collections.abc import Iterable, Iterator

from metaforge.captions.refining.answers import Answer, Refiner
from metaforge.captions.refining.prompt import Guide, Prompt
from metaforge.face_regions import GROUPS, REGIONS

_FORGED = (
    "Forged: {where}{share}; {how}.",
    "{where} {was} forged{share}: {how}.",
    "{where} {was} altered{share}; there {how}.",
    "The forgery covers {where}{share}; {how}.",
    "The forged image differs from the real one at {where}{share}: {how}.",
    "This face was manipulated at {where}{share}; {how}.",
    "Traces of forgery are found at {where}{share}: {how}.",
    "What was forged is {where}{share}; {how}.",
)
_WHOLE = "the whole face", "the entire face", "all of the face"
_PARTS = {
    "mouth": ("the mouth", "the mouth region"),
    "nose": ("the nose", "the nose region"),
    "eyes": ("the eyes", "both eyes"),
    "brows": ("the brows", "the eyebrows", "both brows"),
    "cheeks": ("the cheeks", "both cheeks"),
    "forehead": ("the forehead",),
    "chin": ("the chin", "the chin region"),
    "jaw": ("the jaw", "the jawline"),
}
_TYPES = {
    "colour": ("the colour differs", "the colour is off", "the hue deviates", "the colours are changed"),
    "blur": ("detail is blurred", "the image is blurrier", "sharpness is lost", "detail is smeared"),
    "structure": ("the structure is changed", "structures are deformed", "the shapes are distorted"),
    "texture": ("the texture is rougher", "the texture is coarser", "the image is grainier"),
    "boundary": ("the boundary shows", "the edge of the forgery shows", "a seam is visible"),
}
_NO_TYPES = "no cue exceeds its threshold", "no cue stands out", "none of the cues is strong"
_SHARES = ", {:.1f} % of the image", " ({:.1f} % of the image)", " ({:.1f} % of the picture)"
_IDENTICAL = (
    "No forgery found: the two images are identical.",
    "The two images are identical, and nothing was forged.",
    "There is no sign of forgery: both images are the same.",
    "The images match in every pixel; no forgery is there.",
)
_NOISE = (
    "No forgery found: the two images differ by no more than their noise.",
    "There is no sign of forgery: the images differ by no more than noise.",
    "What differs between the images is no more than noise, so no forgery was found.",
)


def template(*, seed: int = 0, share: bool = True) -> Refiner:
    """A refiner that says exactly what the raw annotation says, in varied words; asks nobody.

    The wording follows from the seed and the record's id alone, so that neither their order nor the number of workers
    changes it.

    Other Arguments:
        seed: another seed, other wordings.
        share: whether the share of the image is said. Without it captions of like forgeries are more often equal.

    Example:
        >>> from metaforge.captions.refining.prompt import SCHEMA, Pair
        >>> guide = Guide("forged", ("left_eye", "mouth"), ("blur",), 0.04, "", ())
        >>> prompts = [Prompt(name, Pair("r.png", "f.png", None), guide, "", SCHEMA) for name in "ac"]
        >>> for answer in template().refine(prompts):
        ...     print(answer.text)
        The forgery covers the mouth and the left eye (4.0 % of the image); detail is smeared.
        The forged image differs from the real one at the mouth and the left eye, 4.0 % of the image: sharpness is lost.
    """
    name = f"template, seed {seed}"

    def refine(prompts: Iterable[Prompt]) -> Iterator[Answer]:
        for prompt in prompts:
            # Python's own hash differs from process to process.
            drawn = hashlib.sha256(f"{seed}:{prompt.id}".encode("utf-8", "surrogatepass")).digest()
            yield Answer(prompt.id, worded(prompt.annotation, random.Random(drawn), share=share), "", {}, name)

    return Refiner(name, refine)


def worded(guide: Guide, rng: random.Random, *, share: bool = True) -> str:
    """One wording of a raw annotation.

    Args:
        guide: of a pair that was compared.
        rng: which.

    Other Arguments:
        share: whether the share of the image is said.

    Example:
        >>> worded(Guide("identical", (), (), None, "", ()), random.Random(1))
        'The two images are identical, and nothing was forged.'
    """
    if guide.answer in ("identical", "noise"):
        return rng.choice(_IDENTICAL if guide.answer == "identical" else _NOISE)
    frame, (where, was) = rng.choice(_FORGED), _where(guide, rng)
    said = rng.choice(_SHARES).format(100 * guide.share) if share and guide.share is not None else ""
    how = _listed([rng.choice(_TYPES[name]) for name in guide.types]) if guide.types else rng.choice(_NO_TYPES)
    text = frame.format(where=where, was=was, share=said, how=how)
    return text[0].upper() + text[1:]


def _where(guide: Guide, rng: random.Random) -> tuple[str, str]:
    """The parts in words, and whether they were or it was."""
    regions = set(guide.regions)
    if regions == set(REGIONS):
        return rng.choice(_WHOLE), "was"
    named = []
    for group, sides in GROUPS.items():
        there = [side for side in sides if side in regions]
        if len(there) == len(sides):
            named.append(rng.choice(_PARTS[group]))
        else:
            named += [f"the {side.replace('_', ' ')}" for side in there]
    if not named:
        known = any(row["step"] == "region" for row in guide.derivation)
        return "a part of the face" if known else "a part of the image", "was"
    rng.shuffle(named)
    return _listed(named), "were" if len(named) > 1 or named[0].endswith("s") else "was"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
