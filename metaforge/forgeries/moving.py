"""A photograph that moves as a face before a camera does: it shifts, turns, comes nearer, and the light changes."""

import numpy as np
from jaxtyping import Float64

from metaforge.data.crops import apply_crop
from metaforge.forgeries.base import Face, Frame, Surroundings

FRAMES_A_SECOND = 25
"""Of the films that are made."""

REACH = {"across": 0.05, "down": 0.04, "nearer": 0.06, "turn": 0.09, "gain": 0.07, "offset": 6.0}
"""How far each part of the motion goes at most: shifts and nearness in sides of the crop, turns in radians (5 degrees),
light as a factor and in grey levels."""

PACE = (0.1, 0.5)
"""Swings a second, least and most."""


def moving(rng: np.random.Generator, face: Face, frames: int) -> list[Face]:
    """The frames of a film: the face cut anew for each, with its landmarks where they lie then.

    Every part of the motion is a sum of two swings with drawn phases and paces. A whole film is mirrored or not, and
    what lies beyond the photograph continues its border. Nothing in the face moves against the rest: nobody blinks.

    Args:
        rng: draws the motion.
        face: in its usual crop; with surroundings, these come into view.
        frames: how many.

    Returns:
        Faces whose images have the size of the first, `FRAMES_A_SECOND` to a second.

    Example:
        >>> face = Face(np.zeros((32, 32, 3), np.uint8), np.full((3, 2), 15.5, np.float32), "a.png", "a")
        >>> film = moving(np.random.default_rng(0), face, 3)
        >>> film[2].image.shape, bool(np.abs(film[1].landmarks - film[0].landmarks).max() < 0.5)
        ((32, 32, 3), True)
    """
    flipped = bool(rng.random() < 0.5)
    swings = {name: reach * _swing(rng, frames) for name, reach in REACH.items()}
    size = face.image.shape[0]
    image, usual = face.around or Surroundings(face.image, Frame(0, 0, size))
    room = int(np.ceil(0.25 * usual.side))
    padded = np.pad(image, ((room, room), (room, room), (0, 0)), mode="edge")
    film = []
    for number in range(frames):
        now = {name: float(swing[number]) for name, swing in swings.items()}
        onto = _transform(usual, room, size, now)
        cut = apply_crop(padded, onto, size) * (1 + now["gain"]) + now["offset"]
        cut = np.clip(np.rint(cut), 0, 255).astype(np.uint8)
        marks, frame = _landmarks(face, usual, room, onto), _frame(usual, room, onto, size)
        if flipped:
            cut = np.ascontiguousarray(cut[:, ::-1])
            frame = frame._replace(left=size - frame.left - frame.side)
            marks = None if marks is None else np.column_stack([size - 1 - marks[:, 0], marks[:, 1]])
        marks = None if marks is None else marks.astype(np.float32)
        film.append(face._replace(image=cut, landmarks=marks, frame=frame, around=None))
    return film


def _swing(rng: np.random.Generator, frames: int) -> Float64[np.ndarray, " frames"]:
    """A smooth way within [-1, 1]."""
    phases, paces = rng.uniform(0, 2 * np.pi, 2), rng.uniform(*PACE, 2)
    seconds = np.arange(frames) / FRAMES_A_SECOND
    return np.sin(2 * np.pi * np.outer(seconds, paces) + phases).mean(axis=1)


def _transform(usual: Frame, room: int, size: int, now: dict[str, float]) -> Float64[np.ndarray, "2 3"]:
    """From a frame's pixels to those of the padded photograph."""
    scale = usual.side * (1 - now["nearer"]) / size
    cosine, sine = scale * np.cos(now["turn"]), scale * np.sin(now["turn"])
    turn = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([usual.left + (0.5 + now["across"]) * usual.side, usual.top + (0.5 + now["down"]) * usual.side])
    return np.column_stack([turn, middle + room - turn @ [size / 2, size / 2]])


def _landmarks(face: Face, usual: Frame, room: int, onto: np.ndarray) -> np.ndarray | None:
    if face.landmarks is None:
        return None
    inside = np.array([usual.left, usual.top]) + (face.landmarks + 0.5) * usual.side / face.image.shape[0]
    return np.linalg.solve(onto[:, :2], (inside + room - onto[:, 2]).T).T - 0.5


def _frame(usual: Frame, room: int, onto: np.ndarray, size: int) -> Frame:
    """Where the usual crop lies in the frame, as if that were not turned."""
    side = usual.side / np.linalg.norm(onto[:, 0])
    middle = np.array([usual.left, usual.top]) + usual.side / 2 + room
    across, down = np.linalg.solve(onto[:, :2], middle - onto[:, 2])
    return Frame(float(across - side / 2), float(down - side / 2), float(side))
