"""Every number that decides what is said of a pair, in one place.

The method publishes none. These are round values near those that people chose who are not judged (`docs/captions.md`
says how, and what comes out when each is halved or doubled).

References:
    Sun et al., *Towards General Visual-Linguistic Face Forgery Detection*, CVPR 2025 (the stages, regions and cues).
"""

from dataclasses import dataclass, fields

from metaforge.errors import InputError


@dataclass(frozen=True)
class Thresholds:
    """What decides. A measured value must exceed its threshold to count.

    Attributes:
        noise: of the mask: robust standard deviations above the median difference outside the face.
        least: of the mask: grey levels, in [0, 255], that a pixel must differ by however quiet the pair is.
        closing: of the mask: gaps up to about twice this share of the shorter side are closed.
        near: of the mask: the largest difference is looked for within this share of the shorter side.
        half: of the mask: a pixel differs by more than this share of it.
        area: of the mask: a smaller connected part, as a share of the image, is taken for noise.
        region: share of a region's pixels that the mask must cover.
        excess: of an answer: how many times the rest of the face a mask must differ if no part can be named.
        excess_named: likewise if a part is named and no type; without landmarks, if a type is.
        colour: CIE76 distance of mean colours; 2.3 is just noticeable.
        blur: octaves by which the variance of the Laplacian falls; 1 is half of it.
        structure: 1 - the correlation of windows.
        texture: octaves by which the GLCM contrast rises; 1 is twice the contrast.
        boundary: octaves by which the gradient across the outline rises.
        exchanged: octaves by which detail rises where the structure differs, before a pair may be exchanged.
        shifted: a shift, a turn or another scale explains a pair if it leaves less than this share of the difference.
        likeness: correlation of gradients outside the face, below which two images may be unpaired.
        unlike: grey levels that a tenth of the pixels outside the face must differ by for that.

    Raises:
        InputError: for a value that is not a positive number.

    Example:
        >>> Thresholds(noise=8.0).noise, Thresholds().colour
        (8.0, 3.0)

    References:
        Mahy, Van Eycken and Oosterlinck, *Evaluation of Uniform Color Spaces Developed after the Adoption of CIELAB and
        CIELUV*, Color Research and Application, 1994 (a just noticeable difference of 2.3).
    """

    noise: float = 4.0
    least: float = 4.0
    closing: float = 0.02
    near: float = 0.03
    half: float = 0.5
    area: float = 0.001
    region: float = 0.25
    excess: float = 3.5
    excess_named: float = 2.0
    colour: float = 3.0
    blur: float = 1.0
    structure: float = 0.07
    texture: float = 0.3
    boundary: float = 0.5
    exchanged: float = 0.3
    shifted: float = 0.5
    likeness: float = 0.5
    unlike: float = 16.0

    def __post_init__(self) -> None:
        """Holds that all are positive numbers."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise InputError(f"thresholds: {field.name} is {value}. Give a positive number.")
