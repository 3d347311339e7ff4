"""Prints the most memory that a process takes, in MB, that loads a model into ONNX Runtime and scores 16 images.

By Linux's own account of this program: `getrusage` would count what the process was before it became this one, which is
all of who started it.
"""

import sys
from pathlib import Path

import numpy as np


def main(path: str, size: int) -> None:
    """Called with the model's file and the side of its images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    session.run(None, {"images": np.zeros((16, size, size, 3), np.uint8)})
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    print(next(float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
