"""The limit: tokenizers (Rust) and ONNX Runtime (C++) in threads, without a server, each at its best batch.

Prints the texts per second that the threads embed. Both libraries leave Python's lock while they work, so Python costs
little beside a batch of 64 texts.
"""

import argparse
import json
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", type=Path, required=True, help="ONNX file of an encoder")
parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
parser.add_argument("--texts", type=Path, required=True, help="JSON list of texts")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--longest", action="store_true", help="pad every batch to the longest text of all")
arguments = parser.parse_args()

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
names = {each.name for each in session.get_inputs()}
texts: list[str] = json.loads(arguments.texts.read_text())
tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
tokenizer.no_truncation()
length = max(len(each.ids) for each in tokenizer.encode_batch(texts)) if arguments.longest else None
tokenizer.enable_padding(length=length)


def embed(batch: list[str]) -> np.ndarray:
    encoded = tokenizer.encode_batch(batch)
    mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
    feeds = {
        "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    (hidden, *_) = session.run(None, {name: feed for name, feed in feeds.items() if name in names})
    weights = mask[:, :, None].astype(np.float32)
    pooled = (hidden * weights).sum(1) / weights.sum(1)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def work(thread: int, until: float, counts: list[int]) -> None:
    at = thread * arguments.batch
    while time.perf_counter() < until:
        batch = [texts[(at + i) % len(texts)] for i in range(arguments.batch)]
        embed(batch)
        counts[thread] += len(batch)
        at += arguments.threads * arguments.batch


def measure(seconds: float) -> float:
    counts = [0] * arguments.threads
    started = time.perf_counter()
    threads = [
        threading.Thread(target=work, args=(i, started + seconds, counts))
        for i in range(arguments.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


measure(1)
print(json.dumps({"texts_per_second": measure(arguments.seconds)}))
