"""Tests with Hugging Face's Python client, which speaks to servers of text-embeddings-inference."""

import asyncio

import httpx
import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

TEXTS = ["What is the capital of France?", "Paris is the capital of France."]


@pytest.fixture(scope="module", params=["", "/embed"])
def client(nlp, request):
    return InferenceClient(model=nlp + request.param, timeout=30)


def expected(nlp, **body):
    """The vectors that our own form has."""
    return np.array(httpx.post(f"{nlp}/embed", json=body).json()["embeddings"], dtype="float32")


def test_one_text(client, nlp):
    vector = client.feature_extraction(TEXTS[0])
    assert vector.shape == (1, 24)
    assert np.array_equal(vector, expected(nlp, text=TEXTS[0]))


def test_several_texts(client, nlp):
    assert np.array_equal(client.feature_extraction(TEXTS), expected(nlp, texts=TEXTS))


def test_options(client, nlp):
    given = {"normalize": True, "prompt_name": "query", "dimensions": 12}
    vector = client.feature_extraction(TEXTS[0], **given)
    assert np.array_equal(vector, expected(nlp, text=TEXTS[0], **given))
    assert abs(np.linalg.norm(vector) - 1) < 1e-6
    long = "a long text " * 100
    cut = client.feature_extraction(long, truncate=True, truncation_direction="right")
    assert np.array_equal(cut, expected(nlp, text=long, truncate=True))


def test_errors(client):
    with pytest.raises(HfHubHTTPError, match='"question".*query') as refused:
        client.feature_extraction("a", prompt_name="question")
    assert refused.value.response.status_code == 400


def test_asynchronous_client(nlp):
    async def run():
        async with AsyncInferenceClient(model=nlp, timeout=30) as client:
            sent = [client.feature_extraction(text) for text in TEXTS * 10]
            return np.concatenate(await asyncio.gather(*sent))

    wanted = np.concatenate([expected(nlp, texts=TEXTS)] * 10)
    assert np.abs(asyncio.run(run()) - wanted).max() < 1e-5


def test_rerank(nlp):
    """The client has no method for this form, so its request is made by hand."""
    body = {"query": TEXTS[0], "texts": [TEXTS[1], "Berlin is in Germany.", "a"], "return_text": True}
    response = httpx.post(f"{nlp}/rerank", json=body)
    assert response.status_code == 200, response.text
    ranked = response.json()
    assert sorted(each["index"] for each in ranked) == [0, 1, 2]
    scores = [each["score"] for each in ranked]
    assert scores == sorted(scores, reverse=True) and all(0 < score < 1 for score in scores)
    assert all(each["text"] == body["texts"][each["index"]] for each in ranked)
    raw = httpx.post(f"{nlp}/rerank", json={**body, "raw_scores": True}).json()
    logits = np.array([each["score"] for each in raw])
    assert np.allclose(1 / (1 + np.exp(-logits)), scores, atol=1e-5)
