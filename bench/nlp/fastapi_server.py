"""The usual way in Python: FastAPI, transformers and PyTorch, one text a request. POST /embed {"text": "…"}.

    python fastapi_server.py --model FOLDER --port 8100
"""

import argparse

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModel, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True, help="folder with PyTorch weights")
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()

tokenizer = AutoTokenizer.from_pretrained(arguments.model)
model = AutoModel.from_pretrained(arguments.model).eval()
app = FastAPI()


class Request(BaseModel):
    text: str


@app.post("/embed")
def embed(request: Request) -> dict[str, list[list[float]]]:
    encoded = tokenizer([request.text], return_tensors="pt", truncation=True, padding=True)
    with torch.no_grad():
        hidden = model(**encoded).last_hidden_state
    mask = encoded["attention_mask"].unsqueeze(-1).float()
    pooled = (hidden * mask).sum(1) / mask.sum(1)
    return {"embeddings": torch.nn.functional.normalize(pooled, dim=1).tolist()}


uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning")
