"""Tests with Cohere's Python client."""

import cohere
import pytest

QUERY = "What is the capital of France?"
DOCUMENTS = ["Paris is the capital of France.", "Berlin is in Germany.", "Bananas are yellow."]


@pytest.fixture(scope="module")
def client(nlp):
    return cohere.Client(api_key="unused", base_url=nlp, timeout=30)


def test_rerank(client):
    response = client.rerank(model="reranker", query=QUERY, documents=DOCUMENTS, top_n=2)
    assert response.id.startswith("req_")
    scores = [each.relevance_score for each in response.results]
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    assert all(each.document is None for each in response.results)


def test_rerank_of_the_second_version(nlp):
    client = cohere.ClientV2(api_key="unused", base_url=nlp, timeout=30)
    response = client.rerank(model="reranker", query=QUERY, documents=DOCUMENTS, top_n=2)
    assert response.id.startswith("req_")
    assert response.meta.tokens.input_tokens > 0
    scores = [each.relevance_score for each in response.results]
    assert len(scores) == 2 and scores == sorted(scores, reverse=True)
    with pytest.raises(cohere.errors.NotFoundError) as unknown:
        client.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS)
    assert unknown.value.body["code"] == "MODEL_NOT_FOUND"
    assert "'rerank-v3.5'" in unknown.value.body["message"]
    with pytest.raises(cohere.errors.BadRequestError) as empty:
        client.rerank(model="reranker", query=QUERY, documents=[])
    assert "documents has 0 elements" in empty.value.body["message"]


def test_documents(client):
    documents = [{"text": text} for text in DOCUMENTS]
    response = client.rerank(query=QUERY, documents=documents, return_documents=True)
    assert sorted(each.index for each in response.results) == [0, 1, 2]
    assert all(each.document.text == DOCUMENTS[each.index] for each in response.results)


def test_embeddings_rank_too(client):
    response = client.rerank(model="embedder", query=DOCUMENTS[1], documents=DOCUMENTS)
    scores = [each.relevance_score for each in response.results]
    assert scores == sorted(scores, reverse=True) and all(-1 <= score <= 1 for score in scores)


def test_errors(client):
    with pytest.raises(cohere.errors.NotFoundError) as unknown:
        client.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS)
    assert unknown.value.body["error"]["code"] == "MODEL_NOT_FOUND"
    with pytest.raises(cohere.errors.BadRequestError):
        client.rerank(query=QUERY, documents=[])
