"""The same by LitServe, as its pages advise: decoding, batching and scoring in a process beside the one of HTTP.

python -m experiments.serving.litserve_server FILE PORT
"""

import io
import json
import sys
from typing import Any

import litserve  # pyright: ignore[reportMissingImports]
import numpy as np
import onnxruntime
from fastapi import Request
from PIL import Image

from metaforge.data.face_crops import face_crops


class Detector(litserve.LitAPI):
    """Reads pictures one by one, and scores what waits together."""

    def setup(self, device: str) -> None:
        """Opens the model in the process that scores."""
        self.session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
        self.about = json.loads(self.session.get_modelmeta().custom_metadata_map["metaforge"])

    def decode_request(self, request: Request) -> list[np.ndarray]:
        """The faces of a picture."""
        size, crop = self.about["image_size"], self.about["crop"]
        form: Any = request
        image = Image.open(io.BytesIO(form["file"].file.read())).convert("RGB")
        if form.get("crops") == "true":
            return [np.asarray(image.resize((size, size)))]
        return [face.image for face in face_crops(np.asarray(image), size=size, crop=crop)]

    def batch(self, inputs: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """Pictures have any number of faces, so they are stacked when they are scored."""
        return inputs

    def predict(self, x: list[list[np.ndarray]]) -> list[float | None]:
        """The most suspicious face of each picture."""
        images = [face for faces in x for face in faces]
        if not images:
            return [None] * len(x)
        (logits,) = self.session.run(["logit"], {"images": np.stack(images)})
        scores = iter((0.5 * (1 + np.tanh(0.5 * np.clip(logits, -87.3, 16.6)))).tolist())  # type: ignore[arg-type]
        return [max((next(scores) for _ in faces), default=None) for faces in x]

    def unbatch(self, output: list[float | None]) -> list[float | None]:
        """One for each picture."""
        return output

    def encode_response(self, output: float | None) -> dict[str, float | None]:
        """As the plain server says it."""
        return {"p_fake": output}


if __name__ == "__main__":
    made = Detector(max_batch_size=16, batch_timeout=0.002, api_path="/v1/predict")
    server = litserve.LitServer(made, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False)
