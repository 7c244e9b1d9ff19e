"""The texts that people rated for VADER, read from the source package vaderSentiment-0.5.zip.

    pip download --no-deps --no-binary :all: vaderSentiment==0.5

C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", 2014;
MIT licence. Each text has the mean of twenty ratings from -4 (extremely negative) to 4 (extremely positive).
"""

import html
import io
import tarfile
import zipfile
from typing import NamedTuple

ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
SOURCES = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")


class Rated(NamedTuple):
    text: str
    rating: float
    source: str
    # The document that the text was cut from: texts of one document never lie on both sides of a split.
    document: str


def read(package):
    """All rated texts in the order of the files. package: the path of vaderSentiment-0.5.zip."""
    with zipfile.ZipFile(package) as outer, tarfile.open(fileobj=io.BytesIO(outer.read(ARCHIVE))) as inner:
        return [row for source in SOURCES for row in rows_of(inner, source)]


def rows_of(archive, source):
    raw = archive.extractfile(f"hutto_ICWSM_2014/{source}_GroundTruth.txt").read()
    for line in raw.decode("utf-8", errors="replace").split("\n"):
        identity, _, rest = line.rstrip("\r").partition("\t")
        rating, _, text = rest.partition("\t")
        if text.strip():
            yield Rated(html.unescape(text.strip()), float(rating), source, f"{source}/{identity.split('_')[0]}")
