"""Tests with KServe's Python client, over REST and gRPC."""

import asyncio

import grpc
import httpx
import numpy as np
import pytest
from kserve import InferInput, InferRequest, InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from samples import SAMPLES, same

# KServe does not support BF16, nor FP16 in JSON.
BINARY_SAMPLES = [sample for sample in SAMPLES if sample[1] != "BF16"]
JSON_SAMPLES = [sample for sample in BINARY_SAMPLES if sample[1] != "FP16"]


def rest(server, send):
    """Returns the result of `send`, which gets a client and the server's address."""

    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
        try:
            return await send(client, f"http://{server.http}")
        finally:
            await client.close()

    return asyncio.run(run())


def over_grpc(server, send):
    async def run():
        async with InferenceGRPCClient(server.grpc) as client:
            return await send(client)

    return asyncio.run(run())


def request_of(model: str, datatype: str, row: np.ndarray, binary: bool) -> InferRequest:
    given = InferInput("x", list(row.shape), datatype)
    given.set_data_from_numpy(row, binary_data=binary)
    wanted = [RequestedOutput("y", {"binary_data": binary})]
    return InferRequest(model, [given], request_id="7", request_outputs=wanted)


def test_health_over_rest(server):
    async def send(client, url):
        assert await client.is_server_live(url) is True
        assert await client.is_server_ready(url) is True
        assert await client.is_model_ready(url, "iris") is True
        assert await client.is_model_ready(url, "no-such-model") is False

    rest(server, send)


@pytest.mark.parametrize("model, datatype, row", BINARY_SAMPLES)
def test_rest_in_binary(server, model, datatype, row):
    request = request_of(model, datatype, row, binary=True)
    response = rest(server, lambda client, url: client.infer(url, request, model_name=model))
    assert response.id == "7"
    assert response.model_name == model
    assert same(response.outputs[0].as_numpy(), row)


@pytest.mark.parametrize("model, datatype, row", JSON_SAMPLES)
def test_rest_in_json(server, model, datatype, row):
    request = request_of(model, datatype, row, binary=False)
    response = rest(server, lambda client, url: client.infer(url, request, model_name=model))
    assert same(response.outputs[0].as_numpy(), row)


def test_rest_refusal(server):
    request = request_of("no-such-model", "FP32", np.zeros((1, 3), "float32"), binary=False)
    with pytest.raises(httpx.HTTPStatusError, match="no-such-model.*404"):
        rest(server, lambda client, url: client.infer(url, request, model_name="no-such-model"))


def test_health_over_grpc(server):
    async def send(client):
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("iris")

    over_grpc(server, send)


@pytest.mark.parametrize("model, datatype, row", BINARY_SAMPLES)
def test_grpc_raw(server, model, datatype, row):
    request = request_of(model, datatype, row, binary=True)
    response = over_grpc(server, lambda client: client.infer(request))
    assert response.id == "7"
    assert same(response.outputs[0].as_numpy(), row)


@pytest.mark.parametrize("model, datatype, row", JSON_SAMPLES)
def test_grpc_typed(server, model, datatype, row):
    request = request_of(model, datatype, row, binary=False)
    response = over_grpc(server, lambda client: client.infer(request))
    assert same(response.outputs[0].as_numpy(), row)


def test_grpc_refusal(server):
    request = request_of("no-such-model", "FP32", np.zeros((1, 3), "float32"), binary=True)
    with pytest.raises(grpc.RpcError) as caught:
        over_grpc(server, lambda client: client.infer(request))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
