"""What the training scripts share: folding, rounding, saving and checking."""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parent
FIXTURES = MODELS.parent / "test" / "fixtures"

OPSET = 17
IR_VERSION = 8

# Trained parameters agree between processors to about nine digits, not to the last bit; rounding
# them makes the file the same on all.
PARAMETER_DECIMALS = 5

# ONNX Runtime picks kernels by processor, so its outputs differ in the last bits.
EXPECTED_TOLERANCE = 1e-5


def fold_standardisation(weights, bias, mean, scale):
    """Returns (weights, bias) that act on raw features as the given ones act on (x - mean) / scale.

    weights: [features, outputs]; bias: [outputs]; mean and scale: [features].
    """
    folded = weights / scale[:, None]
    return folded, bias - mean @ folded


def dense_model(name, layers, activations, features, output, outputs):
    """Builds a chain of Gemm nodes: input `features` float32 [batch, features], one output.

    layers: [(weights [in, out], bias [out]), ...]; activations: one ONNX operator name or None a layer.
    """
    nodes, initializers = [], []
    value = "features"
    for index, ((weights, bias), activation) in enumerate(zip(layers, activations, strict=True)):
        for kind, array in (("weights", weights), ("bias", bias)):
            rounded = np.round(array, PARAMETER_DECIMALS).astype(np.float32)
            initializers.append(numpy_helper.from_array(rounded, f"{kind}_{index}"))
        last = index == len(layers) - 1
        gemm = output if last and activation is None else f"gemm_{index}"
        nodes.append(helper.make_node("Gemm", [value, f"weights_{index}", f"bias_{index}"], [gemm]))
        value = gemm
        if activation is not None:
            value = output if last else f"activation_{index}"
            nodes.append(helper.make_node(activation, [gemm], [value]))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", features])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", outputs])],
        initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def predict(model, rows):
    """Runs a serialised model with ONNX Runtime; rows: [n, features]. Returns float32 [n, outputs]."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": np.asarray(rows, dtype=np.float32)})[0]


def publish(models, fixture, fixture_name):
    """Writes model files ({"iris/v1.0": bytes}) and a test fixture, or with `--check` compares them.

    Models are compared byte by byte, expected values within EXPECTED_TOLERANCE. Exits with 1 on a difference.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare with the committed files")
    check = parser.parse_args().check
    fixture_path = FIXTURES / fixture_name
    if check:
        stale = [n for n, data in models.items() if data != model_path(n).read_bytes()]
        if not close(fixture, json.loads(fixture_path.read_text())):
            stale.append(fixture_name)
        if stale:
            sys.exit(f"The committed {', '.join(stale)} differ from what this script makes.")
        print("The committed files are what this script makes.")
        return
    for name, data in models.items():
        model_path(name).parent.mkdir(parents=True, exist_ok=True)
        model_path(name).write_bytes(data)
    fixture_path.parent.mkdir(parents=True, exist_ok=True)
    fixture_path.write_text(pretty(fixture) + "\n")


def model_path(name):
    return MODELS / name / "model.onnx"


def close(a, b):
    """Whether two JSON values are equal, numbers within EXPECTED_TOLERANCE of their size."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, (float, int)):
        return abs(a - b) <= EXPECTED_TOLERANCE * max(1.0, abs(a))
    return a == b


def pretty(value, indent=""):
    """JSON with one line for each list of numbers, as the repository's formatter writes it."""
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(k)}: {pretty(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and not all(isinstance(v, (int, float)) for v in value):
        return "[\n" + ",\n".join(inner + pretty(v, inner) for v in value) + f"\n{indent}]"
    return re.sub(r"e-0", "e-", json.dumps(value))
