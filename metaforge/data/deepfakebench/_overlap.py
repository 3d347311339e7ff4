"""Splits that hold the same videos, as the harness's own files do, taken apart."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal


def overlapping_splits(
    rows: Iterable[Mapping[str, Any]], *, people: Literal["keep", "apart"] = "keep"
) -> tuple[list[dict[str, Any]], list[str]]:
    """Takes videos that are in the test split out of the others, and those of validation out of train.

    In the harness's own files the validation split of Celeb-DF and DFDC's preview *is* the test split, all videos of
    Celeb-DF are in train, and some sets are in all three splits. What is left may still show one person in two splits,
    which training refuses.

    Args:
        rows: as `read_deepfakebench` gives them.

    Other Arguments:
        people: "keep" their names; or name them "apart", by split ("celeb_df/id0@train") but for the test split, as the
            catalogue of Celeb-DF does with disjoint="video". Training on people of the test split is then allowed, as
            in most published results: say so beside every score.

    Returns:
        The rows that are left, and the videos that were taken out of a split.

    Example:
        >>> where = [("v", "train"), ("w", "train"), ("v", "test")]
        >>> rows = [{"video": video, "split": split, "identity": "a"} for video, split in where]
        >>> left, taken = overlapping_splits(rows, people="apart")
        >>> [(row["video"], row["split"], row["identity"]) for row in left], taken
        ([('w', 'train', 'a@train'), ('v', 'test', 'a')], ['v'])
    """
    rows, order = list(rows), {"test": 0, "validation": 1, "train": 2}
    home: dict[str, str] = {}
    for row in rows:
        held = home.setdefault(row["video"], row["split"])
        if order[row["split"]] < order[held]:
            home[row["video"]] = row["split"]
    taken = sorted({row["video"] for row in rows if home[row["video"]] != row["split"]})
    left = [dict(row) for row in rows if home[row["video"]] == row["split"]]
    if people == "apart":
        for row in (row for row in left if row["split"] != "test"):
            mark = f"@{row['split']}"
            for who in ("identity", "donor"):
                if row.get(who):
                    row[who] = row[who].removesuffix(mark) + mark
    return left, taken
