"""What one writes in an afternoon: FastAPI and ONNX Runtime.  python -m experiments.serving.plain_server FILE PORT."""

import io
import json
import sys
from typing import Annotated

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Form, UploadFile
from PIL import Image

from metaforge.data.face_crops import face_crops

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["metaforge"])
size, crop = about["image_size"], about["crop"]
app = FastAPI()


def read(file: UploadFile, crops: bool) -> list[np.ndarray]:
    """The faces of a picture."""
    image = Image.open(io.BytesIO(file.file.read())).convert("RGB")
    if crops:
        return [np.asarray(image.resize((size, size)))]
    return [face.image for face in face_crops(np.asarray(image), size=size, crop=crop)]


def score(images: list[np.ndarray]) -> list[float]:
    """Probabilities, not calibrated."""
    (logits,) = session.run(["logit"], {"images": np.stack(images)})
    return (0.5 * (1 + np.tanh(0.5 * np.clip(logits, -87.3, 16.6)))).tolist()  # type: ignore[arg-type]


@app.post("/v1/predict")
def predict(file: UploadFile, crops: Annotated[bool, Form()] = False) -> dict:
    """The most suspicious face; what is no `async` function runs in one of FastAPI's threads."""
    faces = read(file, crops)
    return {"p_fake": max(score(faces)) if faces else None}


@app.post("/v1/predict/batch")
def batch(files: list[UploadFile]) -> dict:
    """The same of many crops at once."""
    return {"results": [{"p_fake": one} for one in score([face for file in files for face in read(file, True)])]}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
