"""Tests with Triton's Python client over HTTP."""

import asyncio
import json
import time

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, aio
from tritonclient.utils import InferenceServerException

from samples import ANY_BYTES, JSON_SAMPLES, SAMPLES, check_at_once, same
from server import TOP

FLOWER = np.array([[5.1, 3.5, 1.4, 0.2]], dtype=np.float32)


def inputs_of(name: str, datatype: str, row: np.ndarray, **binary) -> list[InferInput]:
    return [InferInput(name, row.shape, datatype).set_data_from_numpy(row, **binary)]


def flower(**binary) -> list[InferInput]:
    return inputs_of("features", "FP32", FLOWER, **binary)


def refusal(call, *arguments, **options) -> InferenceServerException:
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **options)
    return caught.value


def test_health(http):
    assert http.is_server_live()
    assert http.is_server_ready()
    assert http.is_model_ready("iris")
    assert http.is_model_ready("iris", "v2.0")
    assert not http.is_model_ready("iris", "9")
    assert not http.is_model_ready("no-such-model")


def test_metadata(http):
    about = http.get_server_metadata()
    assert about["name"] == "millrace"
    assert {"binary_tensor_data", "classification", "statistics"} <= set(about["extensions"])
    model = http.get_model_metadata("iris", "v1.0")
    assert model["platform"] == "onnxruntime_onnx"
    assert model["versions"] == ["v1.0", "v2.0"]
    assert model["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}]


def test_config(http):
    config = http.get_model_config("labelled")
    assert config["max_batch_size"] == 8
    assert config["input"][0] == {"name": "features", "data_type": "TYPE_FP32", "dims": [4]}


def test_statistics_grow_by_the_requests_sent(http):
    def successes() -> int:
        [stats] = http.get_inference_statistics("labelled", "1")["model_stats"]
        return stats["inference_stats"]["success"]["count"]

    before = successes()
    for _ in range(3):
        http.infer("labelled", flower())
    assert successes() == before + 3
    names = [stats["name"] for stats in http.get_inference_statistics()["model_stats"]]
    assert {"iris", "labelled"} <= set(names)


@pytest.mark.parametrize("model, datatype, row", SAMPLES)
def test_datatype_in_binary(http, model, datatype, row):
    result = http.infer(model, inputs_of("x", datatype, row))
    assert result.get_output("y")["datatype"] == datatype
    assert "data" not in result.get_output("y")
    assert same(result.as_numpy("y"), row)


def test_any_bytes(http):
    inputs = inputs_of("x", "BYTES", ANY_BYTES)
    assert http.infer("identity-string", inputs).as_numpy("y").tolist() == ANY_BYTES.tolist()
    outputs = [InferRequestedOutput("y", binary_data=False)]
    with pytest.raises(InferenceServerException, match="not UTF-8"):
        http.infer("identity-string", inputs, outputs=outputs)


@pytest.mark.parametrize("model, datatype, row", JSON_SAMPLES)
def test_datatype_in_json(http, model, datatype, row):
    inputs = inputs_of("x", datatype, row, binary_data=False)
    outputs = [InferRequestedOutput("y", binary_data=False)]
    result = http.infer(model, inputs, outputs=outputs)
    assert len(result.get_output("y")["data"]) == 3
    assert same(result.as_numpy("y"), row)


@pytest.mark.parametrize("model, datatype, row", JSON_SAMPLES)
@pytest.mark.parametrize("binary_in", [True, False])
def test_datatype_with_different_forms_in_request_and_response(http, model, datatype, row, binary_in):
    inputs = inputs_of("x", datatype, row, binary_data=binary_in)
    outputs = [InferRequestedOutput("y", binary_data=not binary_in)]
    assert same(http.infer(model, inputs, outputs=outputs).as_numpy("y"), row)


@pytest.mark.parametrize("model, datatype, row", SAMPLES)
def test_no_rows(http, model, datatype, row):
    got = http.infer(model, inputs_of("x", datatype, row[:0])).as_numpy("y")
    assert got.shape == (0, 3)


@pytest.mark.parametrize("binary", [True, False])
def test_nan_and_infinities(http, binary):
    row = np.array([[np.nan, np.inf, -np.inf]], dtype=np.float32)
    inputs = inputs_of("x", "FP32", row, binary_data=binary)
    outputs = [InferRequestedOutput("y", binary_data=binary)]
    got = http.infer("identity-float32", inputs, outputs=outputs).as_numpy("y")
    np.testing.assert_array_equal(got, row)


@pytest.mark.parametrize("first, second", [(True, False), (False, True)])
def test_several_tensors_in_mixed_forms(http, first, second):
    a = np.array([[0.5, 1.5]], dtype=np.float32)
    b = np.array([[2, 3]], dtype=np.int64)
    inputs = [
        *inputs_of("a", "FP32", a, binary_data=first),
        *inputs_of("b", "INT64", b, binary_data=second),
    ]
    outputs = [
        InferRequestedOutput("product", binary_data=first),
        InferRequestedOutput("sum", binary_data=second),
    ]
    result = http.infer("two-in-two-out", inputs, outputs=outputs)
    assert result.as_numpy("product").tolist() == [[6]]
    assert result.as_numpy("sum").tolist() == [[2.5, 4.5]]


def test_parameters_of_a_request(http):
    result = http.infer(
        "iris",
        flower(),
        model_version="v2.0",
        request_id="a/b ü",
        priority=1,
        timeout=30_000_000,
        headers={"X-Request-Id": "mine"},
        query_params={"trace": "1"},
        parameters={"mine": "text", "count": 3},
    )
    about = result.get_response()
    assert about["id"] == "a/b ü"
    assert about["model_version"] == "v2.0"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies(http, coding):
    row = np.arange(3000, dtype=np.int32).reshape(-1, 3)
    result = http.infer(
        "identity-int32",
        inputs_of("x", "INT32", row),
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    np.testing.assert_array_equal(result.as_numpy("y"), row)


def test_classification(http):
    outputs = [InferRequestedOutput("probabilities", class_count=2)]
    [row] = http.infer("labelled", flower(), outputs=outputs).as_numpy("probabilities")
    score, index, label = row[0].decode().split(":")
    assert (index, label) == ("0", "setosa")
    assert float(score) > 0.9
    assert len(row) == 2


def test_many_at_once(http):
    waiting = []
    for number in range(50):
        row = np.full((1, 3), number, dtype=np.int64)
        waiting.append(http.async_infer("identity-int64", inputs_of("x", "INT64", row)))
    for number, response in enumerate(waiting):
        assert response.get_result().as_numpy("y").tolist() == [[number] * 3]


def test_asyncio(server):
    async def send():
        async with aio.InferenceServerClient(server.http) as client:
            assert await client.is_model_ready("iris")
            await check_at_once(client, inputs_of)
            with pytest.raises(InferenceServerException, match="no-such-model"):
                await client.infer("no-such-model", flower())

    asyncio.run(send())


def test_bodies_without_a_connection(server):
    body, length = InferenceServerClient.generate_request_body(flower(), request_id="7")
    assert json.loads(body[:length])["id"] == "7"
    with InferenceServerClient(server.http) as client:
        headers = {"Inference-Header-Content-Length": length}
        response = client._post("v2/models/iris/infer", body, headers, None)
        content, split = response.read(), response.get("Inference-Header-Content-Length")
    result = InferenceServerClient.parse_response_body(content, header_length=split)
    assert result.get_response()["id"] == "7"


def test_repository(http):
    def state(name: str) -> str | None:
        [entry] = [each for each in http.get_model_repository_index() if each["name"] == name]
        return entry.get("state")

    assert state("static-batch") is None
    http.load_model("static-batch")
    assert state("static-batch") == "READY"
    assert http.is_model_ready("static-batch")
    http.unload_model("static-batch")
    assert not http.is_model_ready("static-batch")
    # The model is unloaded after its last request.
    assert state("static-batch") in ("UNLOADING", "UNAVAILABLE")
    refusal(http.load_model, "no-such-model")


def test_load_with_a_model_in_the_request(http):
    config = json.dumps({"backend": "onnxruntime", "max_batch_size": 4})
    model = (TOP / "test/fixtures/models/identity-int8.onnx").read_bytes()
    http.load_model("brought", config=config, files={"file:1/model.onnx": model})
    try:
        assert http.get_model_config("brought")["max_batch_size"] == 4
        row = np.array([[1, 2, 3]], dtype=np.int8)
        assert same(http.infer("brought", inputs_of("x", "INT8", row)).as_numpy("y"), row)
    finally:
        http.unload_model("brought")


WRONG = {
    "an unknown model": ("no-such-model", flower(), "404"),
    "an unknown input": ("iris", inputs_of("x", "FP32", FLOWER), "400"),
    "no input": ("iris", [], "400"),
    "another datatype": ("iris", inputs_of("features", "FP64", FLOWER.astype("f8")), "400"),
    "another width": ("iris", inputs_of("features", "FP32", FLOWER[:, :3]), "400"),
}


@pytest.mark.parametrize("model, inputs, status", WRONG.values(), ids=WRONG)
def test_refusal(http, model, inputs, status):
    error = refusal(http.infer, model, inputs)
    assert error.status() == status
    assert len(error.message()) > 20


def test_refusal_of_an_output(http):
    error = refusal(http.infer, "iris", flower(), outputs=[InferRequestedOutput("no-such-output")])
    assert "no-such-output" in error.message()


def test_deadline(http):
    slow = inputs_of("iterations", "INT64", np.array([[1_000_000]]))
    started = time.monotonic()
    error = refusal(http.infer, "slow-loop", slow, timeout=20_000)
    assert error.status() == "504"
    assert time.monotonic() - started < 0.8


def test_unsupported_features_are_refused(http):
    for call in [
        http.get_trace_settings,
        http.get_log_settings,
        http.get_system_shared_memory_status,
    ]:
        assert refusal(call).status() == "404"
