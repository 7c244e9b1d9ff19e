"""Tests with grpcurl, which gets the definition of the service by reflection."""

import json
import subprocess

import pytest

from server import TOP

GRPCURL = TOP / ".millrace/bin/grpcurl"
SERVICE = "inference.GRPCInferenceService"

pytestmark = pytest.mark.skipif(not GRPCURL.exists(), reason="the set-up has no grpcurl")


def grpcurl(server, *arguments: str, message: object = None) -> subprocess.CompletedProcess[str]:
    given = [] if message is None else ["-d", json.dumps(message)]
    command = [GRPCURL, "-plaintext", "-max-time", "20", *given, server.grpc, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def call(server, method: str, message: object = None):
    done = grpcurl(server, method, message=message)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_list(server):
    services = grpcurl(server, "list").stdout.split()
    assert SERVICE in services
    assert "grpc.health.v1.Health" in services


def test_describe(server):
    done = grpcurl(server, "describe", f"{SERVICE}.ModelStreamInfer")
    assert "( stream .inference.ModelInferRequest )" in done.stdout


def test_describe_a_message(server):
    done = grpcurl(server, "describe", "inference.ModelInferRequest")
    assert "raw_input_contents" in done.stdout


def test_health(server):
    for service in ["", SERVICE]:
        response = call(server, "grpc.health.v1.Health/Check", {"service": service})
        assert response == {"status": "SERVING"}


def test_metadata(server):
    assert call(server, f"{SERVICE}/ServerMetadata")["name"] == "millrace"


def test_infer(server):
    features = {"fp32_contents": [5.1, 3.5, 1.4, 0.2]}
    given = {"name": "features", "datatype": "FP32", "shape": [1, 4], "contents": features}
    response = call(server, f"{SERVICE}/ModelInfer", {"model_name": "iris", "inputs": [given]})
    [output] = response["outputs"]
    assert output["shape"] == ["1", "3"]
    assert sum(output["contents"]["fp32Contents"]) == pytest.approx(1, abs=1e-5)


def test_refusal(server):
    done = grpcurl(server, f"{SERVICE}/ModelInfer", message={"model_name": "no-such-model"})
    assert "Code: NotFound" in done.stderr
