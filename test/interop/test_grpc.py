"""Tests with Triton's Python client over gRPC."""

import asyncio
import json
from queue import Queue

import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferRequestedOutput, aio
from tritonclient.utils import InferenceServerException

from samples import ANY_BYTES, SAMPLES, check_at_once, same
from server import TOP

FLOWER = np.array([[5.1, 3.5, 1.4, 0.2]], dtype=np.float32)


def inputs_of(name: str, datatype: str, row: np.ndarray) -> list[InferInput]:
    return [InferInput(name, row.shape, datatype).set_data_from_numpy(row)]


def flower() -> list[InferInput]:
    return inputs_of("features", "FP32", FLOWER)


def slow() -> list[InferInput]:
    return inputs_of("iterations", "INT64", np.array([[1_000_000]]))


def refusal(call, *arguments, **options) -> str:
    """The status of an error."""
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **options)
    return caught.value.status()


def test_health(grpc):
    assert grpc.is_server_live()
    assert grpc.is_server_ready()
    assert grpc.is_model_ready("iris")
    assert grpc.is_model_ready("iris", "v2.0")


def test_metadata(grpc):
    assert grpc.get_server_metadata().name == "millrace"
    model = grpc.get_model_metadata("iris", "v1.0", as_json=True)
    assert model["versions"] == ["v1.0", "v2.0"]
    assert model["inputs"] == [{"name": "features", "datatype": "FP32", "shape": ["-1", "4"]}]


def test_config(grpc):
    config = grpc.get_model_config("labelled").config
    assert config.max_batch_size == 8
    assert list(config.input[0].dims) == [4]


def test_statistics_grow_by_the_requests_sent(grpc):
    def successes() -> int:
        [stats] = grpc.get_inference_statistics("labelled", "1").model_stats
        return stats.inference_stats.success.count

    before = successes()
    for _ in range(3):
        grpc.infer("labelled", flower())
    assert successes() == before + 3
    names = [stats.name for stats in grpc.get_inference_statistics().model_stats]
    assert {"iris", "labelled"} <= set(names)


@pytest.mark.parametrize("model, datatype, row", SAMPLES)
def test_datatype(grpc, model, datatype, row):
    result = grpc.infer(model, inputs_of("x", datatype, row))
    assert result.get_output("y").datatype == datatype
    assert same(result.as_numpy("y"), row)


def test_any_bytes(grpc):
    result = grpc.infer("identity-string", inputs_of("x", "BYTES", ANY_BYTES))
    assert result.as_numpy("y").tolist() == ANY_BYTES.tolist()


@pytest.mark.parametrize("model, datatype, row", SAMPLES)
def test_no_rows(grpc, model, datatype, row):
    assert grpc.infer(model, inputs_of("x", datatype, row[:0])).as_numpy("y").shape == (0, 3)


def test_parameters_of_a_request(grpc):
    result = grpc.infer(
        "iris",
        flower(),
        model_version="v2.0",
        outputs=[InferRequestedOutput("probabilities")],
        request_id="a/b ü",
        priority=1,
        timeout=30_000_000,
        client_timeout=30,
        headers={"x-mine": "1"},
        compression_algorithm="gzip",
        parameters={"mine": "text", "count": 3, "share": 0.5, "on": True},
    )
    about = result.get_response()
    assert (about.id, about.model_version) == ("a/b ü", "v2.0")


def test_classification(grpc):
    outputs = [InferRequestedOutput("probabilities", class_count=2)]
    [row] = grpc.infer("labelled", flower(), outputs=outputs).as_numpy("probabilities")
    assert row[0].decode().endswith(":0:setosa")
    assert len(row) == 2


def test_callbacks(grpc):
    results: Queue = Queue()
    for number in range(50):
        row = np.full((1, 3), number, dtype=np.int64)
        grpc.async_infer(
            "identity-int64",
            inputs_of("x", "INT64", row),
            lambda result, error: results.put(error or result.as_numpy("y").tolist()),
        )
    got = [results.get(timeout=10) for _ in range(50)]
    assert sorted(got) == [[[number] * 3] for number in range(50)]


def test_stream(grpc):
    results: Queue = Queue()
    grpc.start_stream(lambda result, error: results.put((result, error)))
    try:
        for number in range(20):
            row = np.full((1, 3), number, dtype=np.int32)
            grpc.async_stream_infer(
                "identity-int32", inputs_of("x", "INT32", row), request_id=str(number)
            )
        for number in range(20):
            result, error = results.get(timeout=10)
            assert error is None
            assert result.get_response().id == str(number)
            assert result.as_numpy("y").tolist() == [[number] * 3]
    finally:
        grpc.stop_stream()


def test_a_stream_continues_after_an_error(grpc):
    results: Queue = Queue()
    grpc.start_stream(lambda result, error: results.put((result, error)))
    try:
        grpc.async_stream_infer("no-such-model", flower())
        _, error = results.get(timeout=10)
        assert "no-such-model" in error.message()
        grpc.async_stream_infer("iris", flower(), enable_empty_final_response=True)
        result, error = results.get(timeout=10)
        assert error is None
        assert result.get_response().parameters["triton_final_response"].bool_param
    finally:
        grpc.stop_stream()


def test_asyncio(server):
    async def send():
        async with aio.InferenceServerClient(server.grpc) as client:
            assert await client.is_model_ready("iris")
            await check_at_once(client, inputs_of)

            async def requests():
                for model, datatype, row in SAMPLES:
                    yield {"model_name": model, "inputs": inputs_of("x", datatype, row)}

            rows = iter(SAMPLES)
            async for result, error in client.stream_infer(requests()):
                assert error is None
                assert same(result.as_numpy("y"), next(rows)[2])
            assert next(rows, None) is None

    asyncio.run(send())


def test_repository(grpc):
    def state(name: str) -> str:
        [entry] = [each for each in grpc.get_model_repository_index().models if each.name == name]
        return entry.state

    assert state("scalar") == ""
    grpc.load_model("scalar")
    assert state("scalar") == "READY"
    grpc.unload_model("scalar")
    # The model is unloaded after its last request.
    assert state("scalar") in ("UNLOADING", "UNAVAILABLE")
    assert refusal(grpc.load_model, "no-such-model") == "StatusCode.NOT_FOUND"


def test_load_with_a_model_in_the_request(grpc):
    config = json.dumps({"backend": "onnxruntime", "max_batch_size": 4})
    model = (TOP / "test/fixtures/models/identity-int8.onnx").read_bytes()
    grpc.load_model("brought", config=config, files={"file:1/model.onnx": model})
    try:
        row = np.array([[1, 2, 3]], dtype=np.int8)
        assert same(grpc.infer("brought", inputs_of("x", "INT8", row)).as_numpy("y"), row)
    finally:
        grpc.unload_model("brought")


WRONG = {
    "an unknown model": ("no-such-model", flower(), "NOT_FOUND"),
    "an unknown input": ("iris", inputs_of("x", "FP32", FLOWER), "INVALID_ARGUMENT"),
    "no input": ("iris", [], "INVALID_ARGUMENT"),
    "another datatype": (
        "iris",
        inputs_of("features", "FP64", FLOWER.astype("f8")),
        "INVALID_ARGUMENT",
    ),
    "another width": ("iris", inputs_of("features", "FP32", FLOWER[:, :3]), "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize("model, inputs, status", WRONG.values(), ids=WRONG)
def test_refusal(grpc, model, inputs, status):
    assert refusal(grpc.infer, model, inputs) == f"StatusCode.{status}"


@pytest.mark.parametrize("terms", [{"client_timeout": 0.02}, {"timeout": 20_000}], ids=str)
def test_deadline(grpc, terms):
    assert refusal(grpc.infer, "slow-loop", slow(), **terms) in (
        "StatusCode.DEADLINE_EXCEEDED",
        "Deadline Exceeded",
    )


def test_unsupported_features_are_refused(grpc):
    for call in [grpc.get_trace_settings, grpc.get_log_settings]:
        assert refusal(call) == "StatusCode.UNIMPLEMENTED"
