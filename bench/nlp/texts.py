"""Writes texts of known lengths as a JSON list: `python texts.py --tokenizer tokenizer.json --lengths 64 > texts.json`.

`--lengths mixed` draws them as texts of people are spread: most are short, some are long (log-normal, 8 to 256 tokens).
"""

import argparse
import json
import random

from tokenizers import Tokenizer

WORDS = (
    "the service answered every request in time because its queue was short and all of the models were warm "
    "people write about weather trains music cooking gardens rivers bridges and the price of bread in the morning "
    "a small team measured how long each step takes before they changed one line of the code"
).split()

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--tokenizer", required=True)
parser.add_argument("--lengths", default="64", help="tokens of each text with special ones, or mixed")
parser.add_argument("--count", type=int, default=512)
arguments = parser.parse_args()

tokenizer = Tokenizer.from_file(arguments.tokenizer)
tokenizer.no_truncation()
tokenizer.no_padding()
random.seed(0)


def length() -> int:
    if arguments.lengths != "mixed":
        return int(arguments.lengths)
    return min(max(round(random.lognormvariate(3.2, 0.8)), 8), 256)


def text(tokens: int) -> str:
    words: list[str] = []
    while len(tokenizer.encode(" ".join(words)).ids) < tokens:
        words.append(random.choice(WORDS))
    return " ".join(words)


print(json.dumps([text(length()) for _ in range(arguments.count)]))
