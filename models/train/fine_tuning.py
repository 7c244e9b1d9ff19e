"""Makes a smaller copy of the pretrained encoder, and trains it with a head.

Everything here is deterministic on one machine: one process, one thread, and fixed seeds. On another processor PyTorch adds in another order, and the trained weights differ.
"""

import json
import math
import random
import time
from collections import Counter

import minilm
import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import BertConfig

SEED = 0
BATCH = 32
# Batches are cut from so many texts in the order of their lengths, so that little of a batch is padding.
SORTED_TOGETHER = 20 * BATCH


def fix_randomness():
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    # Sums depend on how they are divided among threads.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    # Nothing reads memory before it is written; filling it would only take time.
    torch.utils.deterministic.fill_uninitialized_memory = False


def chosen_pieces(texts, size):
    """The pieces of a smaller vocabulary, in their old order, as {piece: old id}.

    Kept are the special tokens, the letters, digits and punctuation alone, so that every word of them can still be
    spelled, and then the pieces that are the most frequent in the texts. Pieces that are left out are spelled with
    shorter ones.
    """
    tokenizer = minilm.tokenizer()
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    counts = Counter(i for encoding in tokenizer.encode_batch(texts) for i in encoding.ids)
    kept = {
        i for piece, i in vocabulary
        if piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") or is_common_letter(piece)
    }
    # The old order is roughly by frequency, and breaks ties.
    ranked = sorted((i for _, i in vocabulary if i not in kept), key=lambda i: (-counts[i], i))
    unused = {i for piece, i in vocabulary if piece.startswith("[unused")}
    kept.update([i for i in ranked if i not in unused][: size - len(kept)])
    return {piece: i for piece, i in vocabulary if i in kept}


def is_common_letter(piece):
    letter = piece.removeprefix("##")
    return len(letter) == 1 and ord(letter) < 0x250


def smaller_tokenizer(pieces):
    """The bytes of a tokenizer.json that has only these pieces, numbered in their order."""
    description = json.loads((minilm.PACKAGE / "tokenizer.json").read_text())
    ids = {piece: i for i, piece in enumerate(pieces)}
    description["model"]["vocab"] = ids
    for token in description["added_tokens"]:
        token["id"] = ids[token["content"]]
    for token in description["post_processor"]["special_tokens"].values():
        token["ids"] = [ids[piece] for piece in token["tokens"]]
    description["padding"] = None
    description["truncation"] = None
    return (json.dumps(description, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def smaller_encoder(pieces, layers, positions):
    """(weights, configuration) of the lowest layers of the pretrained encoder with these pieces and positions.

    The weights are named as those of a transformers `BertModel`.
    """
    weights = {
        name: value
        for name, value in minilm.weights().items()
        if not name.startswith("encoder.layer.") or int(name.split(".")[2]) < layers
    }
    del weights["embeddings.position_ids"]
    words, places = (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position"))
    weights[words] = weights[words][list(pieces.values())]
    weights[places] = weights[places][:positions]
    configuration = {
        "num_hidden_layers": layers,
        "vocab_size": len(pieces),
        "max_position_embeddings": positions,
    }
    return weights, minilm.config() | configuration


def with_head(model_class, weights, config):
    """A model of transformers with these weights in its encoder, and a new head.

    The embeddings of words are not trained, so that words which the training texts lack keep their places among the others.
    """
    # The exact sums of `eager` do not depend on which fused kernel PyTorch finds.
    model = model_class(BertConfig(**config, attn_implementation="eager"))
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    missing = model.bert.load_state_dict(state, strict=False).missing_keys
    if missing:
        raise ValueError(f"the pretrained encoder has no {missing}")
    model.bert.embeddings.word_embeddings.weight.requires_grad = False
    return model


def batches(rows, length):
    """Shuffled batches of rows of similar length. length: the number of tokens of a row."""
    rows = random.sample(rows, len(rows))
    groups = [sorted(rows[i : i + SORTED_TOGETHER], key=length) for i in range(0, len(rows), SORTED_TOGETHER)]
    made = [group[i : i + BATCH] for group in groups for i in range(0, len(group), BATCH)]
    random.shuffle(made)
    return made


def train(model, rows, length, loss, epochs, rate):
    """AdamW with a learning rate that rises for a tenth of the steps and then falls to zero.

    loss: computes the loss of a batch of rows.
    """
    steps = epochs * math.ceil(len(rows) / BATCH)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + epochs, pct_start=0.1)
    began, step, recent = time.monotonic(), 0, []
    model.train()
    for _ in range(epochs):
        for batch in batches(rows, length):
            value = loss(batch)
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            step, recent = step + 1, [*recent[-99:], value.item()]
            if step % 100 == 0:
                print(f"step {step} of {steps}: loss {np.mean(recent):.3f}, {time.monotonic() - began:.0f} s", flush=True)
    model.eval()


def save(folder, model, config, tokenizer_json, longest):
    """Writes the trained float32 model into a folder that transformers loads. longest: the most tokens of a text."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.numpy() for name, value in model.state_dict().items() if value.ndim > 0}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_bytes(as_json(config))
    (folder / "tokenizer.json").write_bytes(tokenizer_json)
    settings = json.loads((minilm.PACKAGE / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_bytes(as_json(settings | {"model_max_length": longest}))
    (folder / "special_tokens_map.json").write_bytes((minilm.PACKAGE / "special_tokens_map.json").read_bytes())


def load(folder):
    """(weights, configuration) of a saved model."""
    return load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())


def served_files(name, folder, graph):
    """The files of the models folder: {path: bytes}. folder: of the saved model; graph: the bytes of the int8 graph."""
    copied = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    files = {f"{name}/{file}": (folder / file).read_bytes() for file in copied}
    return files | {f"{name}/onnx/model_int8.onnx": graph}


def encoder_weights(weights):
    """Of a model with a head, the weights that belong to its encoder, named as those of the encoder alone."""
    return {name.removeprefix("bert."): value for name, value in weights.items() if name.startswith("bert.")}


def as_json(value):
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
