"""Trains the classifier of sentiment and prints its figures on held-out texts.

    python -B models/train/train_sentiment.py --vader vaderSentiment-0.5.zip [--check] [--trained] [--float32]

The float32 model is kept in .millrace/models/sentiment; `--trained` takes it from there instead of training again, and
`--float32` also writes onnx/model.onnx there.
"""

import hashlib

import fine_tuning
import minilm
import numpy as np
import torch
import vader
from artifacts import LARGE, command_line, publish, rounded, write_large
from bert_graph import AXES, Graph, as_stored, dense, encoder, serialize
from transformers import BertConfig, BertForSequenceClassification

NAME = "sentiment"
LABELS = ["NEGATIVE", "NEUTRAL", "POSITIVE"]
# Ratings from -4 to 4 that are closer to zero than this are neutral.
NEUTRAL_BELOW = 0.5

LAYERS = 3
PIECES = 13_000
POSITIONS = 256
LONGEST_IN_TRAINING = 64
EPOCHS = 2
RATE = 1e-4

# None of these is in the training texts. The card says which of them the model gets wrong.
EXAMPLES = (
    "This product is amazing!",
    "I love this phone, it is fantastic!",
    "What a wonderful day!",
    "Absolutely brilliant acting, a joy to watch.",
    "Not bad at all, I quite enjoyed it.",
    "Thank you so much for your help :)",
    "The meeting is at three o'clock.",
    "The package contains a cable and a manual.",
    "The museum opens at nine and closes at five.",
    "She moved to Berlin in 2019.",
    "This is the worst movie I have ever seen.",
    "The food was terrible and the staff were rude.",
    "I am not happy with the service.",
    "It broke after two days, very disappointing.",
    "I do not like it.",
    "The battery lasts only an hour, and the screen is dim.",
    "Oh great, another delay.",
    "The plot is thin, but the songs are lovely.",
    "Nothing about this hotel was worth the price.",
    "I expected to hate it and could not stop watching.",
)


def label_of(row):
    if abs(row.rating) < NEUTRAL_BELOW:
        return 1
    return 2 if row.rating > 0 else 0


def is_held_out(row):
    """A seventh of the documents, chosen by their names."""
    return hashlib.sha256(row.document.encode()).digest()[0] % 7 == 0


def train(rows, folder):
    fine_tuning.fix_randomness()
    pieces = fine_tuning.chosen_pieces([row.text for row in rows], PIECES)
    weights, config = fine_tuning.smaller_encoder(pieces, LAYERS, POSITIONS)
    config |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(i): label for i, label in enumerate(LABELS)},
        "label2id": {label: i for i, label in enumerate(LABELS)},
    }
    tokenizer_json = fine_tuning.smaller_tokenizer(pieces)
    model = fine_tuning.with_head(BertForSequenceClassification, weights, config)
    encodings = minilm.tokenizer(tokenizer_json, LONGEST_IN_TRAINING).encode_batch([row.text for row in rows])
    examples = [(encoding, label_of(row)) for encoding, row in zip(encodings, rows, strict=True)]

    def loss(batch):
        inputs = minilm.inputs([encoding for encoding, _ in batch])
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return model(**tensors, labels=torch.tensor([label for _, label in batch])).loss

    fine_tuning.train(model, examples, lambda example: len(example[0].ids), loss, EPOCHS, RATE)
    fine_tuning.save(folder, model, config, tokenizer_json, POSITIONS)


def graph_of(weights, config, int8):
    """The bytes of the graph: the last hidden state of [CLS], a dense layer with tanh, and the classes."""
    graph = Graph(int8)
    hidden = encoder(graph, fine_tuning.encoder_weights(weights), config)
    first = graph.add("Gather", hidden, graph.constant("first", 0, np.int64), axis=1)
    pooled = graph.add("Tanh", dense(graph, first, weights, "bert.pooler.dense"))
    dense(graph, pooled, weights, "classifier")
    return serialize(graph, NAME, "logits", AXES[:1], len(LABELS))


def reference(weights, config):
    """transformers' model with these weights."""
    model = BertForSequenceClassification(BertConfig(**config, attn_implementation="eager"))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model.eval()


def print_figures(form, logits, rows):
    """How often the label is right: in all, by source, and where people were sure."""
    predicted, expected = logits.argmax(axis=1), np.array([label_of(row) for row in rows])
    right = predicted == expected
    print(f"{form}: {right.sum()} of {len(rows)} held-out texts right, accuracy {right.mean():.4f}")
    for source in vader.SOURCES:
        chosen = np.array([row.source == source for row in rows])
        print(f"  {source}: {right[chosen].mean():.4f} of {chosen.sum()}")
    sure = np.array([abs(row.rating) >= 1 for row in rows])
    opposite = np.abs(predicted - expected) == 2
    print(f"  rated 1 or more from zero: {right[sure].mean():.4f} of {sure.sum()}, opposite {opposite[sure].mean():.4f}")
    for i, label in enumerate(LABELS):
        counts = ", ".join(f"{(predicted[expected == i] == j).sum()} {other}" for j, other in enumerate(LABELS))
        print(f"  {label}: {counts}")


def export(rows, folder, arguments):
    """Prints the figures of the held-out rows, and publishes the int8 form."""
    weights, config = fine_tuning.load(folder)
    exact_bytes, int8_bytes = (graph_of(weights, config, int8) for int8 in (False, True))
    exact, model = minilm.session(exact_bytes), minilm.session(int8_bytes)
    tokenizer = minilm.tokenizer((folder / "tokenizer.json").read_bytes(), POSITIONS)
    encodings = tokenizer.encode_batch([row.text for row in rows])
    few = encodings[:128]
    for form, graph, its_weights in (("float32", exact, weights), ("int8", model, as_stored(weights))):
        expected = minilm.torch_outputs(reference(its_weights, config), few)
        difference = minilm.largest_difference(minilm.run(graph, few), expected, few)
        print(f"{form} graph and transformers with its weights differ by at most {difference:.1e}")
    before, after = (np.stack(minilm.run(graph, encodings)) for graph in (exact, model))
    print_figures("float32", before, rows)
    print_figures("int8", after, rows)
    same = (before.argmax(axis=1) == after.argmax(axis=1)).mean()
    print(f"int8 and float32 give the same label for {same:.4f}")

    examples = tokenizer.encode_batch(list(EXAMPLES))
    logits = minilm.run(model, examples)
    for text, row in zip(EXAMPLES, logits, strict=True):
        scores = np.exp(row) / np.exp(row).sum()
        print(f"  {LABELS[row.argmax()]} {scores.max():.3f} {text}")
    fixture = {
        "model": NAME,
        "rows": [
            {"text": text, "input_ids": encoding.ids, "label": LABELS[row.argmax()], "logits": rounded(row)}
            for text, encoding, row in zip(EXAMPLES, examples, logits, strict=True)
        ],
    }
    files = fine_tuning.served_files(NAME, folder, int8_bytes)
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)
    if arguments.float32:
        write_large(f"{NAME}/onnx/model.onnx", exact_bytes)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--vader", required=True, help="the path of vaderSentiment-0.5.zip")
    parser.add_argument("--trained", action="store_true", help="use the model of an earlier run")
    parser.add_argument("--float32", action="store_true", help="also write the float32 graph")
    arguments = parser.parse_args()
    rows = vader.read(arguments.vader)
    folder = LARGE / NAME
    if not arguments.trained:
        train([row for row in rows if not is_held_out(row)], folder)
    export([row for row in rows if is_held_out(row)], folder, arguments)


if __name__ == "__main__":
    main()
