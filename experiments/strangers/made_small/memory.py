"""Prints the most memory that a process takes, in MB, that loads a model into ONNX Runtime and scores 16 images."""

import resource
import sys

import numpy as np


def main(path: str, size: int) -> None:
    """Called with the model's file and the side of its images."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    session.run(None, {"images": np.zeros((16, size, size, 3), np.uint8)})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
