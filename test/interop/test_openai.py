"""Tests with OpenAI's Python client."""

import base64

import httpx
import numpy as np
import openai
import pytest

TEXTS = ["What is the capital of France?", "Paris is the capital of France.", "日本の首都は東京です。👩‍🚀"]


@pytest.fixture(scope="module")
def client(nlp):
    with openai.OpenAI(base_url=f"{nlp}/v1", api_key="unused", max_retries=0) as opened:
        yield opened


def vectors(response):
    assert [each.index for each in response.data] == list(range(len(response.data)))
    return np.array([each.embedding for each in response.data], dtype="float32")


def expected(nlp, texts, **options):
    """The vectors that our own form has."""
    body = httpx.post(f"{nlp}/embed", json={"texts": texts, **options}).json()
    return np.array(body["embeddings"], dtype="float32"), body["usage"]["tokens"]


def test_embeddings(client, nlp):
    response = client.embeddings.create(model="embedder", input=TEXTS)
    wanted, tokens = expected(nlp, TEXTS)
    assert np.array_equal(vectors(response), wanted)
    assert response.object == "list"
    assert response.model == "embedder"
    assert response.usage.prompt_tokens == response.usage.total_tokens == tokens


def test_encodings(client, nlp):
    wanted, _ = expected(nlp, TEXTS)
    numbers = client.embeddings.create(model="embedder", input=TEXTS, encoding_format="float")
    assert np.array_equal(vectors(numbers), wanted)
    texts = client.embeddings.create(model="embedder", input=TEXTS, encoding_format="base64")
    decoded = [np.frombuffer(base64.b64decode(each.embedding), dtype="<f4") for each in texts.data]
    assert np.array_equal(decoded, wanted)


def test_one_text_and_dimensions(client, nlp):
    wanted, _ = expected(nlp, TEXTS[:1], dimensions=8)
    response = client.embeddings.create(model="embedder", input=TEXTS[0], dimensions=8, user="me")
    assert vectors(response).shape == (1, 8)
    assert np.array_equal(vectors(response), wanted)


def test_many_texts(client):
    response = client.embeddings.create(model="embedder", input=[f"Text {i}" for i in range(1000)])
    assert vectors(response).shape == (1000, 24)


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert names == ["embedder", "reranker", "sentiment"]
    model = client.models.retrieve("embedder")
    assert (model.id, model.object) == ("embedder", "model")
    with pytest.raises(openai.NotFoundError, match="'embedder'"):
        client.models.retrieve("gpt-4")


def test_errors(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    assert unknown.value.code == "MODEL_NOT_FOUND"
    assert unknown.value.type == "invalid_request_error"
    assert "'text-embedding-3-small'" in unknown.value.message
    with pytest.raises(openai.BadRequestError, match="text-classification") as wrong:
        client.embeddings.create(model="sentiment", input="a")
    assert wrong.value.code == "WRONG_TASK"
    with pytest.raises(openai.BadRequestError, match="ids of tokens"):
        client.embeddings.create(model="embedder", input=[1, 2, 3])
    with pytest.raises(openai.BadRequestError, match="0 elements"):
        client.embeddings.create(model="embedder", input=[])
    with pytest.raises(openai.BadRequestError, match="dimensions") as many:
        client.embeddings.create(model="embedder", input="a", dimensions=1000)
    assert many.value.param == "dimensions"


def test_routes_that_there_are_not(client):
    with pytest.raises(openai.NotFoundError, match="POST /v1/embeddings") as chat:
        client.chat.completions.create(model="a", messages=[{"role": "user", "content": "a"}])
    assert (chat.value.code, chat.value.param) == ("ROUTE_NOT_FOUND", None)


def test_many_at_once(nlp):
    """Requests of an asynchronous client share batches, and each gets its own vector."""
    import asyncio

    texts = [f"{text} {i}" for i in range(20) for text in TEXTS]

    async def run():
        async with openai.AsyncOpenAI(base_url=f"{nlp}/v1", api_key="unused") as client:
            sent = [client.embeddings.create(model="embedder", input=text) for text in texts]
            return np.concatenate([vectors(response) for response in await asyncio.gather(*sent)])

    wanted, _ = expected(nlp, texts)
    assert np.abs(asyncio.run(run()) - wanted).max() < 1e-5
