"""From scores of frames to scores of videos: one for every (data set, method, video), by a named rule.

A table says whether its AUC is of frames or of videos, and of videos by which rule: a detector's numbers differ between
them by ten points. What a video is decides as much. In FaceForensics++ four forgeries of one pair share the name
"000_003", and code that groups by that name alone averages the four into one.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from metaforge.errors import InputError
from metaforge.evaluation._rows import checked

GROUPINGS = ("video", "dfb_compat")
"""What `video_scores` may take for a video."""


class VideoScores(NamedTuple):
    """One row for every video, sorted by its key.

    Every video is a cluster of its own to `bootstrap`: `np.arange(len(labels))`, or `keys[:, 2]` where videos of one
    name, forged by several methods, belong together.

    Attributes:
        scores: the probability of fake, float64, shape `(..., videos)`.
        labels: 0 (real) or 1 (fake), int32, shape `(videos,)`.
        keys: text, shape `(videos, 3)`: data set, method and video.
    """

    scores: np.ndarray
    labels: np.ndarray
    keys: np.ndarray


def video_scores(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    dataset: ArrayLike,
    method: ArrayLike,
    video: ArrayLike,
    rule: str = "mean",
    grouping: str = "video",
) -> VideoScores:
    """The score of every video from those of its frames. The order of the frames does not matter, not even in rounding.

    - `rule="mean"`: the mean over frames.
    - `rule="max"`: the highest of the frames; one bad frame decides, and longer videos score higher.
    - `rule="confident"`: the rule of the winning entry of the Deepfake Detection Challenge. If more than 11 frames,
      and more than `frames // 2.5`, are above 0.8, their mean; else, if more than 0.9 of the frames are below 0.2, the
      mean of those; else the mean of all.

    `grouping="dfb_compat"` counts as DeepfakeBench does, to explain the difference to its tables; never report it. A
    video is then the last part of its path alone, so that videos of one name in several data sets or methods become
    one, and it is fake if all of its frames are. In FaceForensics++ this makes 280 of 700 test videos and gives a
    detector that sees only some of the methods credit for all.

    Args:
        scores: the probability of fake of every frame, in [0, 1], shape `(..., frames)`.
        labels: 0 (real) or 1 (fake), shape `(frames,)`; the same for all frames of a video.
        dataset: text, shape `(frames,)`, or one text for all: the data set.
        method: likewise: how the video was forged; "" may stand for none.
        video: likewise: its name, which the data set and the method make unique.
        rule: "mean", "confident" or "max".
        grouping: "video", or "dfb_compat" for comparison only.

    Returns:
        `VideoScores`; with "dfb_compat", data set and method are "".

    Raises:
        InputError: if the frames of one video have different labels, a column is not text or of another length, a
            frame has no video, a rule is unknown, or the scores are no probabilities.

    Example:
        >>> found = video_scores(
        ...     [0.2, 0.4, 0.9, 0.7], [0, 0, 1, 1], dataset="FF++", method=["", "", "swap", "swap"],
        ...     video=["000", "000", "000_003", "000_003"],
        ... )
        >>> found.scores.round(3).tolist(), found.labels.tolist(), found.keys[1].tolist()
        ([0.3, 0.8], [0, 1], ['FF++', 'swap', '000_003'])

    References:
        Seferbekov, *DFDC 1st place solution*, 2020 ("confident"); Yan et al., *DeepfakeBench*, 2023.
    """
    rows = checked(labels, scores, None, probabilities="video_scores")
    if rule not in RULES or grouping not in GROUPINGS:
        raise InputError(
            f"video_scores: unknown rule {rule!r} or grouping {grouping!r}. "
            f"Known: {', '.join(RULES)}; {', '.join(GROUPINGS)}."
        )
    columns = {"dataset": dataset, "method": method, "video": video}
    columns = {name: _texts(name, column, len(rows.fake)) for name, column in columns.items()}
    if "" in columns["video"]:
        raise InputError("video_scores: a frame has no video. Name the video of every frame.")
    keys, which = _numbered(zip(*columns.values(), strict=True), len(rows.fake))
    if grouping == "dfb_compat":
        names = (("", "", re.split(r"[/\\]", name.rstrip("/\\"))[-1]) for _, _, name in keys)
        keys, merged = _numbered(names, len(keys))
        which = merged[which]

    frames = np.bincount(which)
    fakes = np.bincount(which, weights=rows.fake)
    mixed = np.flatnonzero((fakes > 0) & (fakes < frames))
    if mixed.size and grouping == "video":
        raise InputError(
            f"video_scores: the video {keys[mixed[0]]} (data set, method, video) has real and fake frames. "
            "Give its two parts different names, or mend the labels."
        )
    # Sorted by score within each video, sums are rounded alike whatever the order of the table.
    order = np.lexsort((rows.scores, np.broadcast_to(which, rows.scores.shape)), axis=-1)
    values = RULES[rule](np.take_along_axis(rows.scores, order, -1), frames)
    return VideoScores(values, (fakes == frames).astype(np.int32), np.array(keys, np.dtypes.StringDType()))


def _texts(name: str, column: ArrayLike, rows: int) -> list[str]:
    values = np.asarray(column)
    texts = [values.item()] * rows if values.ndim == 0 else values.tolist()
    if values.shape not in ((), (rows,)) or not all(issubclass(kind, str) for kind in set(map(type, texts))):
        raise InputError(
            f"video_scores: the column {name} must be text of shape ({rows},), and it is {values.dtype} of shape "
            f"{values.shape}. Give the name of every frame's {name}."
        )
    return texts


def _numbered(names: Iterable[Hashable], rows: int) -> tuple[list, np.ndarray]:
    """The different names, sorted, and the place among them of every row's, int64, shape `(rows,)`."""
    numbers: dict = defaultdict(itertools.count().__next__)
    first_seen = np.fromiter(map(numbers.__getitem__, names), np.int64, rows)  # a loop in C: a million takes a second
    ordered = sorted(numbers)
    place = np.empty(len(ordered), np.int64)
    place[[numbers[name] for name in ordered]] = np.arange(len(ordered))
    return ordered, place[first_seen]


# The rules take scores `(..., all frames)`, video after video, and the number of `frames` of each.


def _sum(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, np.cumsum(frames) - frames, axis=-1, dtype=np.float64)


def _mean(scores: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return _sum(scores, frames) / frames


def _max(scores: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(scores, np.cumsum(frames) - frames, axis=-1)


def _confident(scores: np.ndarray, frames: np.ndarray) -> np.ndarray:
    high, low = scores > 0.8, scores < 0.2
    highs, lows = _sum(high, frames), _sum(low, frames)
    mean_of_highs = _sum(scores * high, frames) / np.maximum(highs, 1)
    mean_of_lows = _sum(scores * low, frames) / np.maximum(lows, 1)
    surely_fake = (highs > frames // 2.5) & (highs > 11)
    surely_real = lows > 0.9 * frames
    return np.select([surely_fake, surely_real], [mean_of_highs, mean_of_lows], _mean(scores, frames))


RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "confident": _confident,
    "max": _max,
}
"""How the scores of frames become one, by name."""
