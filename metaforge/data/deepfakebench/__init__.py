r"""DeepfakeBench's data set files, in and out: the JSON that the field's harnesses exchange prepared data by.

    {data set: {label: {"train" | "val" | "test": {video: {"label": ..., "frames": [...], "masks": [...]}}}}}

FaceForensics++ has one level more, the compression, between split and video. Paths occur with "/" and with "\\", below
a folder that each user has elsewhere. This reads and writes the format, and none of the harness's code.
"""

from metaforge.data.deepfakebench._overlap import overlapping_splits
from metaforge.data.deepfakebench._read import read_deepfakebench
from metaforge.data.deepfakebench._write import write_deepfakebench

__all__ = ["overlapping_splits", "read_deepfakebench", "write_deepfakebench"]
