"""Every number that decides what is said of a pair, in one place.

The method publishes none. These were set from what each unit means and before anything was measured with them;
`docs/captions.md` says what comes out when each is halved or doubled.

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
        area: of the mask: a smaller connected part, as a share of the image, is taken for noise.
        region: share of a region's pixels that the mask must cover.
        colour: CIE76 distance of mean colours; 2.3 is just noticeable.
        blur: octaves by which the variance of the Laplacian falls; 1 is half of it.
        structure: 1 - SSIM.
        texture: octaves by which the GLCM contrast rises; 1 is twice the contrast.
        boundary: octaves by which the gradient across the outline rises.
        shifted: a shift explains a pair if it leaves less than this share of the median difference.
        likeness: correlation of gradients outside the face, below which two images may be unpaired.
        unlike: grey levels that a tenth of the pixels outside the face must differ by for that.

    Raises:
        InputError: for a value that is not a positive number.

    Example:
        >>> Thresholds(noise=8.0).noise, Thresholds().colour
        (8.0, 2.3)

    References:
        Mahy, Van Eycken and Oosterlinck, *Evaluation of Uniform Color Spaces Developed after the Adoption of CIELAB and
        CIELUV*, Color Research and Application, 1994 (a just noticeable difference of 2.3).
    """

    noise: float = 6.0
    least: float = 3.0
    closing: float = 0.02
    area: float = 0.001
    region: float = 0.25
    colour: float = 2.3
    blur: float = 1.0
    structure: float = 0.1
    texture: float = 0.5
    boundary: float = 0.5
    shifted: float = 0.5
    likeness: float = 0.5
    unlike: float = 16.0

    def __post_init__(self) -> None:
        """Holds that all are positive numbers."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise InputError(f"thresholds: {field.name} is {value}. Give a positive number.")
