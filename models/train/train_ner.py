"""Trains the recogniser of named entities and prints its figures on held-out sentences.

    python -B models/train/train_ner.py --vader vaderSentiment-0.5.zip --wikigold wikigold.conll.txt
        [--check] [--trained] [--float32]

The float32 model is kept in .millrace/models/ner; `--trained` takes it from there instead of training again, and
`--float32` also writes onnx/model.onnx there.
"""

import fine_tuning
import minilm
import numpy as np
import torch
import vader
from artifacts import LARGE, command_line, publish, rounded, write_large
from bert_graph import AXES, Graph, as_stored, dense, encoder, serialize
from entities import LABELS, TYPES, Teacher, read_wikigold, score
from transformers import BertConfig, BertForTokenClassification

NAME = "ner"

LAYERS = 4
PIECES = 8_500
POSITIONS = 256
LONGEST_IN_TRAINING = 128
EPOCHS = 3
RATE = 1.5e-4
# The labels of people count more than those of the teacher.
GOLD_COPIES = 3
# PyTorch leaves this label out of the loss.
IGNORED = -100

# None of these is in the training texts. The card says which of them the model gets wrong.
EXAMPLES = (
    "Apple Inc. is located in Cupertino, California.",
    "Barack Obama was born in Hawaii and worked for Microsoft in Seattle.",
    "Angela Merkel met Emmanuel Macron in Berlin on Tuesday.",
    "Tim Cook runs Apple.",
    "The United Nations has its headquarters in New York.",
    "Yesterday John Smith flew from London to Tokyo with Lufthansa.",
    "The German composer wrote it in Vienna.",
    "IBM and Siemens opened an office in Munich.",
    "Maria Sklodowska-Curie studied at the University of Paris.",
    "The band played songs from Abbey Road at Wembley Stadium.",
    "The meeting is at three o'clock.",
    "Zoë Müller moved from Zürich to São Paulo in 2019.",
)


def split(sentences):
    """The last fifth of wikigold is held out: its articles follow each other, so at most one is on both sides."""
    at = len(sentences) * 4 // 5
    return sentences[:at], sentences[at:]


def labels_of_pieces(encoding, labels):
    """The number of the label of each piece: those that continue a word continue its entity."""
    numbers, previous = [], None
    for word in encoding.word_ids:
        if word is None:
            numbers.append(IGNORED)
        else:
            label = labels[word]
            numbers.append(LABELS.index(label.replace("B-", "I-") if word == previous else label))
        previous = word
    return numbers


def train(sentences, folder):
    fine_tuning.fix_randomness()
    pieces = fine_tuning.chosen_pieces([" ".join(words) for words, _ in sentences], PIECES)
    weights, config = fine_tuning.smaller_encoder(pieces, LAYERS, POSITIONS)
    weights = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    config |= {
        "architectures": ["BertForTokenClassification"],
        "id2label": {str(i): label for i, label in enumerate(LABELS)},
        "label2id": {label: i for i, label in enumerate(LABELS)},
    }
    tokenizer_json = fine_tuning.smaller_tokenizer(pieces)
    model = fine_tuning.with_head(BertForTokenClassification, weights, config)
    tokenizer = minilm.tokenizer(tokenizer_json, LONGEST_IN_TRAINING)
    encodings = tokenizer.encode_batch([words for words, _ in sentences], is_pretokenized=True)
    examples = [
        (encoding, labels_of_pieces(encoding, labels))
        for encoding, (_, labels) in zip(encodings, sentences, strict=True)
    ]

    def loss(batch):
        inputs = minilm.inputs([encoding for encoding, _ in batch])
        targets = torch.full(inputs["input_ids"].shape, IGNORED)
        for row, (_, numbers) in enumerate(batch):
            targets[row, : len(numbers)] = torch.tensor(numbers)
        return model(**{k: torch.from_numpy(v) for k, v in inputs.items()}, labels=targets).loss

    fine_tuning.train(model, examples, lambda example: len(example[0].ids), loss, EPOCHS, RATE)
    fine_tuning.save(folder, model, config, tokenizer_json, POSITIONS)


def graph_of(weights, config, int8):
    """The bytes of the graph: the last hidden state and the classes of each piece."""
    graph = Graph(int8)
    hidden = encoder(graph, fine_tuning.encoder_weights(weights), config)
    dense(graph, hidden, weights, "classifier")
    return serialize(graph, NAME, "logits", AXES, len(LABELS))


def reference(weights, config):
    """transformers' model with these weights."""
    model = BertForTokenClassification(BertConfig(**config, attn_implementation="eager"))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model.eval()


def labels_of_words(logits, encoding, count):
    """The label of each word is that of its first piece. An I- that continues nothing counts as B-."""
    labels = ["O"] * count
    for i in range(len(encoding.ids) - 1, -1, -1):
        if encoding.word_ids[i] is not None:
            labels[encoding.word_ids[i]] = LABELS[logits[i].argmax()]
    for i, label in enumerate(labels):
        if label.startswith("I-") and (i == 0 or labels[i - 1][2:] != label[2:]):
            labels[i] = f"B-{label[2:]}"
    return labels


def entities_of(text, logits, encoding):
    """The entities of a text as [start, end, type] in characters, as the pipeline of transformers merges them with
    the aggregation `simple`: a piece continues the entity before it unless it has another type or is a B-.
    """
    entities, previous = [], "O"
    for row, (start, end), special in zip(logits, encoding.offsets, encoding.special_tokens_mask, strict=False):
        label = "O" if special else LABELS[row.argmax()]
        if label != "O" and label[0] == "I" and previous[2:] == label[2:]:
            entities[-1][1] = end
        elif label != "O":
            entities.append([start, end, label[2:]])
        previous = label
    return [{"text": text[start:end], "label": kind, "start": start, "end": end} for start, end, kind in entities]


def export(held_out, folder, arguments):
    """Prints the figures of the held-out sentences, and publishes the int8 form."""
    weights, config = fine_tuning.load(folder)
    exact_bytes, int8_bytes = (graph_of(weights, config, int8) for int8 in (False, True))
    exact, model = minilm.session(exact_bytes), minilm.session(int8_bytes)
    tokenizer = minilm.tokenizer((folder / "tokenizer.json").read_bytes(), POSITIONS)
    encodings = tokenizer.encode_batch([words for words, _ in held_out], is_pretokenized=True)
    few = encodings[:64]
    for form, graph, its_weights in (("float32", exact, weights), ("int8", model, as_stored(weights))):
        expected = minilm.torch_outputs(reference(its_weights, config), few)
        difference = minilm.largest_difference(minilm.run(graph, few), expected, few)
        print(f"{form} graph and transformers with its weights differ by at most {difference:.1e}")
    results = [minilm.run(graph, encodings) for graph in (exact, model)]
    for form, logits in zip(("float32", "int8"), results, strict=True):
        predicted = [
            labels_of_words(row, encoding, len(words))
            for row, encoding, (words, _) in zip(logits, encodings, held_out, strict=True)
        ]
        print_figures(form, predicted, [labels for _, labels in held_out])
    same = np.concatenate([
        (a.argmax(axis=1) == b.argmax(axis=1))[: len(encoding.ids)]
        for a, b, encoding in zip(*results, encodings, strict=True)
    ])
    print(f"int8 and float32 give the same label for {same.mean():.4f} of {same.size} pieces")

    examples = tokenizer.encode_batch(list(EXAMPLES))
    rows = []
    for text, encoding, padded in zip(EXAMPLES, examples, minilm.run(model, examples), strict=True):
        logits = padded[: len(encoding.ids)]
        entities = entities_of(text, logits, encoding)
        print(f"  {text} {[(entity['text'], entity['label']) for entity in entities]}")
        rows.append({"text": text, "input_ids": encoding.ids, "logits": rounded(logits, 4), "entities": entities})
    fixture = {"model": NAME, "rows": rows}
    files = fine_tuning.served_files(NAME, folder, int8_bytes)
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)
    if arguments.float32:
        write_large(f"{NAME}/onnx/model.onnx", exact_bytes)


def print_figures(form, predicted, expected):
    print("{}: precision {:.4f}, recall {:.4f}, F1 {:.4f}".format(form, *score(predicted, expected)))
    for kind in TYPES:
        of_kind = [[[label if label.endswith(kind) else "O" for label in labels] for labels in side] for side in (predicted, expected)]
        print("  {}: precision {:.4f}, recall {:.4f}, F1 {:.4f}".format(kind, *score(*of_kind)))


def main():
    parser = command_line(__doc__)
    parser.add_argument("--vader", required=True, help="the path of vaderSentiment-0.5.zip")
    parser.add_argument("--wikigold", required=True, help="the path of wikigold.conll.txt")
    parser.add_argument("--trained", action="store_true", help="use the model of an earlier run")
    parser.add_argument("--float32", action="store_true", help="also write the float32 graph")
    arguments = parser.parse_args()
    gold, held_out = split(read_wikigold(arguments.wikigold))
    teacher = Teacher()
    taught = [teacher.label_words(words) for words, _ in held_out]
    print("teacher: precision {:.3f}, recall {:.3f}, F1 {:.3f}".format(*score(taught, [labels for _, labels in held_out])), flush=True)
    folder = LARGE / NAME
    if not arguments.trained:
        texts = [row.text for row in vader.read(arguments.vader) if row.source == "nytEditorialSnippets"]
        train(teacher.label_texts(texts) + gold * GOLD_COPIES, folder)
    export(held_out, folder, arguments)


if __name__ == "__main__":
    main()
