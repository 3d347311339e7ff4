"""Draws test videos: a real photograph's face that wanders over a textured ground, as H.264 in an MP4 file."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

GROWN = 3  # times the embedded faces of 25 pixels are enlarged for a clip of 96
UNCLEAR = (5, 10, 14, 22, 29, 31, 33, 60)  # of the 100, those that are hard to find once they are compressed
LFW = [number for number in range(1, 101) if number not in UNCLEAR]
IDENTITIES = 1 + len(LFW)


def face_clip(path, *, seed=0, frames=24, size=96, crf=23, identity=0, fake=None):
    """Writes an MP4 of `face_frames`, compressed as hard as `crf` says (23 and 40 are FaceForensics++'s c23 and c40).

    Returns the path.
    """
    drawn = face_frames(seed=seed, frames=frames, size=size, identity=identity, fake=fake)
    return write_video(path, drawn, crf=crf)


def face_frames(*, seed=0, frames=24, size=96, identity=0, fake=None):
    """The frames before they are compressed: uint8 RGB, shape `(frames, size, size, 3)`.

    `seed` draws the ground and the way that the face takes; `identity` 0 is the astronaut, 1 to 92 are embedded faces
    of LFW. `fake` takes a frame and gives one of the same shape and type; of that only the face is taken over, so the
    ground of a real clip and of its fakes is the same to the bit until they are compressed.
    """
    rng = np.random.default_rng(seed)
    ground = _ground(rng, size)
    face = _face(identity, size)
    shape = _oval(face.shape[0])
    room = size - face.shape[0]
    phase, pace = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.6, 1.2, 2)
    clip = []
    for time in np.linspace(0, 2, frames):
        top, left = np.rint(room * (0.5 + 0.5 * np.sin(phase + pace * time))).astype(int)
        place = np.s_[top : top + face.shape[0], left : left + face.shape[1]]
        frame = ground.copy()
        frame[place] = np.rint(shape * face + (1 - shape) * frame[place])
        if fake is not None:
            changed = fake(frame.copy())
            inside = shape[..., 0] > 0.5
            frame[place][inside] = changed[place][inside]
        clip.append(frame)
    return np.stack(clip)


def write_video(path, frames, *, crf=23, rate=25, codec="libx264", pixels="yuv420p", **options):
    """Encodes frames of any size, uint8 RGB; further options go to the codec. Returns the path."""
    import av

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        # One thread: starting more costs more than these few pixels do, and the bytes depend on their number.
        stream.options = (
            {"crf": str(crf), "preset": "veryfast", "threads": "1", **options} if "264" in codec else options
        )
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def _face(identity, size):
    from skimage import data  # both ship inside the wheel

    if identity == 0:
        photo = data.astronaut()[30:200, 140:310]
    else:
        grey = data.lfw_subset()[LFW[identity - 1] - 1]
        low, high = np.percentile(grey, [2, 98])
        photo = np.clip((grey - low) / (high - low), 0, 1)[..., None] * [235, 205, 185]  # skin, evenly lit
    side = round(size * 25 * GROWN / 96 / 2) * 2
    return np.asarray(Image.fromarray(photo.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC))


def _ground(rng, size):
    """Smooth noise in colour: coarse patches with finer ones on them."""
    layers = [
        rng.integers(low, high, (cells, cells, 3), dtype=np.uint8) for cells, low, high in ((3, 20, 160), (24, 70, 110))
    ]
    return np.mean([np.asarray(Image.fromarray(layer).resize((size, size)), float) for layer in layers], axis=0).astype(
        np.uint8
    )


def _oval(side):
    """How much of each pixel is face: 1 in an upright, rather square oval, 0 around it, with a soft edge."""
    y, x = np.abs((np.indices((side, side)) + 0.5) / side * 2 - 1)
    return np.clip((1 - (x**4 + y**4) ** 0.25) * 8, 0, 1)[..., None]


def scene(frames, size, *people, ground=0):
    """Frames, uint8 RGB, of people on a ground.

    `size` is height and width; each of `people` is an identity, the side of its picture, and a function of the frame's
    number that gives the left and the upper edge, or `None` where it is away; later ones stand in front. `ground` is a
    seed, and another one is another place.
    """
    behind = _ground(np.random.default_rng(ground), max(size))[: size[0], : size[1]]
    clip = np.repeat(behind[None], frames, axis=0)
    for identity, side, path in people:
        photo, shape = _face(identity, 96 * side // (25 * GROWN)), _oval(side)
        photo = np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC))
        for number in range(frames):
            if (place := path(number)) is None:
                continue
            left, top = (round(value) for value in place)
            low, high = np.maximum([left, top], 0), np.minimum([left + side, top + side], size[::-1])
            if (high > low).all():
                inside = np.s_[low[1] : high[1], low[0] : high[0]]
                seen = np.s_[low[1] - top : high[1] - top, low[0] - left : high[0] - left]
                mixed = shape[seen] * photo[seen] + (1 - shape[seen]) * clip[number][inside]
                clip[number][inside] = np.rint(mixed)
    return clip
