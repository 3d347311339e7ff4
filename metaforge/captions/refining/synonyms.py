"""One table of the words by which a text names a region or a type; all that reads texts reads this.

Words stand between commas, in lower case; `*` is any ending. A word of `ELSEWHERE` or `OTHERWISE` names what no raw
annotation says: a text that has one says too much.
"""

import re
from typing import NamedTuple

from metaforge.face_regions import GROUPS, REGIONS


class Noun(NamedTuple):
    """Words for a part of the face.

    Attributes:
        words: the words.
        regions: the regions that they stand for.
        either: whether they stand for one of the two sides, and the text must say which.
    """

    words: str
    regions: tuple[str, ...]
    either: bool = False


NOUNS: tuple[Noun, ...] = (
    Noun("forehead", GROUPS["forehead"]),
    Noun("eyebrows, brows", GROUPS["brows"]),
    Noun("eyebrow, brow", GROUPS["brows"], either=True),
    Noun("eyes, eyelids, eyelashes, lashes, eyeballs, pupils, irises, eye sockets, ocular, periocular", GROUPS["eyes"]),
    Noun("eye, eyelid, eyeball, pupil, iris, eye socket", GROUPS["eyes"], either=True),
    Noun("nose, nasal, nostril, nostrils", GROUPS["nose"]),
    Noun("cheeks, cheekbones", GROUPS["cheeks"]),
    Noun("cheek, cheekbone", GROUPS["cheeks"], either=True),
    Noun("mouth, lip, lips, teeth, tooth, oral", GROUPS["mouth"]),
    # As in the raw sentence, the jaw is both sides of it.
    Noun("jaw, jaws, jawline, jaw-line, jaw line, mandible", GROUPS["jaw"]),
    Noun("chin", GROUPS["chin"]),
)

AREAS: dict[str, tuple[str, ...]] = {
    "whole face, entire face, full face, complete face, all of the face, all over the face, every part of the face, "
    "throughout the face, across the face, face as a whole, face in its entirety, whole image, entire image, "
    "all regions, all parts, all features, every region, every part, every feature, everywhere": tuple(REGIONS),
    "left half of the face, left side of the face, left part of the face": tuple(
        name for name in REGIONS if name.startswith("left_")
    ),
    "right half of the face, right side of the face, right part of the face": tuple(
        name for name in REGIONS if name.startswith("right_")
    ),
    "upper half of the face, upper part of the face, upper third of the face, top of the face, upper face": (
        "forehead", *GROUPS["brows"], *GROUPS["eyes"],
    ),
    "lower half of the face, lower part of the face, lower third of the face, bottom of the face, lower face": (
        "mouth", *GROUPS["jaw"], "chin",
    ),
    "middle of the face, centre of the face, center of the face, midface, mid-face, central face": (
        "nose", *GROUPS["cheeks"],
    ),
}  # fmt: skip
"""Words for several regions at once. A text that uses them means all of these."""

TYPES: dict[str, str] = {
    "colour": (
        "colour*, color*, discolour*, discolor*, hue, hues, tint*, tinge, tinged, tone, tones, tonal, shade, shades, "
        "saturat*, desaturat*, oversaturat*, chroma*, pigment*, complexion, redden*, redder, pale, paler, pallor, "
        "bright*, dark*, luminance, lightness, lighter, white balance, yellowish, bluish, greenish, pinkish, reddish, "
        "warmer, cooler, red, green, blue, yellow, orange, purple, pink, grey*, gray*, white, whiter, black, tan, "
        "tanned, faded, vivid, dull"
    ),
    "blur": (
        "blur*, smooth*, oversmooth*, soft, softer, soften*, softness, unsharp, sharpness, less sharp, out of focus, "
        "defocus*, haze, hazy, fuzz*, smear*, smudg*, loss of detail, loss of details, loss of fine detail, lack of "
        "detail, loses detail, detail is lost, details are lost, detail is missing, details are missing, washed out, "
        "washed-out, resolution, indistinct, foggy, muddy, waxy, plastic*, airbrushed"
    ),
    "structure": (
        "structur*, restructur*, shape, shapes, reshaped, misshapen, geometr*, deform*, distort*, warp*, malform*, "
        "misalign*, anatom*, proportion*, disproportion*, ssim, displac*, stretched, squeezed, skewed, twist*, bent, "
        "crooked, lopsided, tilted, enlarged, shrunk, swollen, bigger, smaller, larger, wider, narrower, thicker, "
        "thinner, elongated, moved, shifted, rotated, melted, bulg*, duplicated"
    ),
    "texture": (
        "textur*, grain*, noise, noisy, noisier, rough, rougher, roughness, roughened, coarse*, pore, pores, granul*, "
        "pattern, patterns, glcm, speckl*, mottl*, sharpen*, oversharpen*, sharper, bumpy, scaly, gritty, stippl*, "
        "spots, spotted"
    ),
    "boundary": (
        "boundar*, border, borders, edge, edges, seam, seams, blend*, unblended, outlin*, contour, contours, "
        "transition, transitions, halo, halos, haloes, stitch*, cut-out, cutout, fring*, line, lines, perimeter, "
        "margin, margins, rim, join, joins, junction"
    ),
}
"""Words for the five cues of `metaforge.captions.CUES`."""

ELSEWHERE = (
    "ear, ears, earlobe, earlobes, hair, hairline, neck, throat, shoulder, shoulders, background, backdrop, beard, "
    "moustache, mustache, tongue, temple, temples, scalp, philtrum, glasses, clothing, clothes, collar, septum, "
    "dimple, dimples, jowl, jowls, gums, nasolabial, sclera, head, skull, body"
)
"""Places that no region covers, or covers alone."""

OTHERWISE = (
    "lighting, illuminat*, shadow*, reflection, reflections, specular, symmetr*, asymmetr*, expression, expressions, "
    "smil*, gaze, makeup, make-up, cosmetics, wrinkl*, scar, scars, compress*, jpeg, pixelat*, swap*, gan, gans, "
    "diffusion, reenact*, morph*, lip-sync*, ai-generated, ai generated, generative, age, ages, ageing, aging, gender, "
    "identity, flicker*, temporal*, motion, blink*, watermark, watermarks, logo, logos, perspective, seamless*, "
    "re-enact*, generated, synthesis*, synthesiz*, rendered, cgi, photoshop*, filter, filters, filtered, inpaint*, "
    "pasted, spliced, splicing, composite*, clone*, transplant*, glow*, shiny, gloss*, matte, crisp*"
)
"""What no cue measures, and how a face was made, which no pair tells."""

CHANGED = (
    "forg*, fake, faked, fakery, manipulat*, tamper*, altered, alteration, alterations, change, changes, changed, "
    "edit, edits, edited, editing, modif*, affected, touched, doctored, retouch*, differ*, deviat*, synthetic, "
    "artefact, artefacts, artifact, artifacts, inconsisten*, deepfake, deepfakes, suspicious, unusual, wrong"
)
"""Words by which a text says that something was forged."""

UNCHANGED = (
    "untouched, unaffected, unaltered, unchanged, unmodified, unedited, untampered, unmanipulated, intact, pristine, "
    "authentic, genuine, real, legitimate, trustworthy, natural, normal, original"
)
"""Words by which a text says that it was not."""


def any_of(listed: str) -> str:
    r"""Words between commas as a regular expression that matches one of them, the longest that fits.

    Example:
        >>> any_of("jaw, tint*, jaw-line")
        'jaw\\-line|tint[a-z]*|jaw'
    """
    longest_first = sorted(listed.split(", "), key=len, reverse=True)
    return "|".join(re.escape(word).replace(r"\*", "[a-z]*").replace(r"\ ", " ") for word in longest_first)


def whole(pattern: str) -> re.Pattern:
    """A regular expression that matches whole words.

    Example:
        >>> bool(whole(any_of(ELSEWHERE)).search("the ears")), bool(whole(any_of(ELSEWHERE)).search("appears"))
        (True, False)
    """
    return re.compile(rf"(?<![\w-])(?:{pattern})(?!\w)")
