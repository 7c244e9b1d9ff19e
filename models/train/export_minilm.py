"""Exports all-MiniLM-L6-v2, the encoder of sentences, and prints how close its int8 form is to the float32 original.

    python -B models/train/export_minilm.py --vader vaderSentiment-0.5.zip [--check] [--float32] [--per-token]

`--float32` also writes onnx/model.onnx in float32, 90 MB, into .millrace/models/minilm, and `--per-token`
onnx/model_quantized.onnx, which multiplies integers and has a scale for each token.
"""

import minilm
import numpy as np
import torch
import vader
from artifacts import command_line, publish, rounded, write_large
from bert_graph import AXES, Graph, TokenQuantized, as_stored, encoder, serialize
from transformers import BertConfig, BertModel

NAME = "minilm"
# The files of the package that are served unchanged.
COPIED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)
FIXTURE_TEXTS = (
    "A man is eating food.",
    "Someone is having a meal.",
    "Quantum computers use qubits.",
    "How do I reset my password?",
    "I cannot log in to my account any more, because I have forgotten the secret word that I chose when I signed up.",
    "Zürich, naïve café – 東京 🙂",
)


def graph_of(weights, config, graph):
    encoder(graph, weights, config)
    return serialize(graph, NAME, "last_hidden_state", AXES, config["hidden_size"])


def embed(model, encodings):
    """The mean of the last hidden state of each text, with length 1: float32 [texts, 384]."""
    means = np.stack([
        hidden[: len(encoding.ids)].mean(axis=0)
        for hidden, encoding in zip(minilm.run(model, encodings), encodings, strict=True)
    ])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def reference(weights, config):
    """transformers' model with these weights."""
    model = BertModel(BertConfig(**config, attn_implementation="eager"), add_pooling_layer=False)
    state = {name: torch.from_numpy(value) for name, value in weights.items() if not name.startswith("pooler.")}
    model.load_state_dict(state, strict=False)
    return model.eval()


def evaluate(rows, vectors):
    """How often the nearest other sentence is from the same article: (share, indices of the nearest)."""
    documents = np.array([row.document for row in rows])
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1)
    nearest = similarity.argmax(axis=1)
    return np.mean(documents[nearest] == documents), nearest


def main():
    parser = command_line(__doc__)
    parser.add_argument("--vader", required=True, help="the path of vaderSentiment-0.5.zip")
    parser.add_argument("--float32", action="store_true", help="also write the float32 model")
    parser.add_argument("--per-token", action="store_true", help="also write the model with a scale for each token")
    arguments = parser.parse_args()

    weights, config = minilm.weights(), minilm.config()
    exact_bytes, bytes8 = (graph_of(weights, config, Graph(int8)) for int8 in (False, True))
    exact, model = minilm.session(exact_bytes), minilm.session(bytes8)

    rows = [row for row in vader.read(arguments.vader) if row.source == "nytEditorialSnippets"]
    encodings = minilm.tokenizer().encode_batch([row.text for row in rows])
    few = encodings[:64]
    for label, graph, its_weights in (("float32", exact, weights), ("int8", model, as_stored(weights))):
        expected = minilm.torch_outputs(reference(its_weights, config), few)
        difference = minilm.largest_difference(minilm.run(graph, few), expected, few)
        print(f"{label} graph and transformers with its weights differ by at most {difference:.1e}")
    before, after = embed(exact, encodings), embed(model, encodings)
    cosine = (before * after).sum(axis=1)
    print(f"cosine of int8 and float32, {len(rows)} sentences: mean {cosine.mean():.5f}, least {cosine.min():.5f}")
    for label, vectors in (("float32", before), ("int8", after)):
        share, _ = evaluate(rows, vectors)
        print(f"{label}: the nearest sentence is from the same article for {share:.4f}")
    same = np.mean(evaluate(rows, before)[1] == evaluate(rows, after)[1])
    print(f"int8 and float32 have the same nearest sentence for {same:.4f}")

    files = {f"{NAME}/{name}": (minilm.PACKAGE / name).read_bytes() for name in COPIED}
    files[f"{NAME}/onnx/model_int8.onnx"] = bytes8
    examples = minilm.tokenizer().encode_batch(list(FIXTURE_TEXTS))
    fixture = {
        "model": NAME,
        "rows": [
            {"text": text, "input_ids": encoding.ids, "float32": a, "int8": b}
            for text, encoding, a, b in zip(
                FIXTURE_TEXTS, examples, rounded(embed(exact, examples)), rounded(embed(model, examples)), strict=True
            )
        ],
    }
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)
    if arguments.float32:
        write_large(f"{NAME}/onnx/model.onnx", exact_bytes)
    if arguments.per_token:
        per_token = graph_of(weights, config, TokenQuantized(int8=True))
        write_large(f"{NAME}/onnx/model_quantized.onnx", per_token)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
