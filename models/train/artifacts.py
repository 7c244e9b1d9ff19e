"""What the training scripts share: folding, rounding, saving and checking."""

import argparse
import json
import re
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parent.parent
FIXTURES = MODELS.parent / "test" / "fixtures"

# Models that are too large for the repository; git ignores this folder.
LARGE = MODELS.parent / ".millrace" / "models"

OPSET = 17
IR_VERSION = 8

# Trained parameters agree between processors to about nine digits, not to the last bit; rounding
# them makes the file the same on all.
PARAMETER_DECIMALS = 5

# ONNX Runtime picks kernels by processor, so its outputs differ in the last bits.
EXPECTED_TOLERANCE = 1e-5

# Runs of which the fastest counts.
TIMED = 8

# Of the formatter.
LINE_WIDTH = 100


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


def session(model):
    """A session of one thread on the CPU. model: the bytes of a graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def milliseconds(model, images):
    """CPU time of one thread for an image of a batch, the least of several runs of a session."""
    times = []
    for _ in range(TIMED):
        start = time.process_time()
        model.run(None, {"pixel_values": images})
        times.append(time.process_time() - start)
    return min(times) * 1000 / len(images)


def predict(model, rows):
    """Runs a serialised model with ONNX Runtime; rows: [n, features]. Returns float32 [n, outputs]."""
    return session(model).run(None, {"features": np.asarray(rows, dtype=np.float32)})[0]


def command_line(description):
    """A parser with `--check`, which publish() obeys."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed files")
    return parser


def publish(files, fixture, fixture_name, check):
    """Writes files of the models folder ({"iris/v1.0/model.onnx": bytes}) and a test fixture, or compares them.

    Files are compared byte by byte, expected values within EXPECTED_TOLERANCE. Exits with 1 on a difference.
    """
    fixture_path = FIXTURES / fixture_name
    if check:
        stale = [name for name, data in files.items() if data != (MODELS / name).read_bytes()]
        if not close(fixture, json.loads(fixture_path.read_text())):
            stale.append(fixture_name)
        if stale:
            sys.exit(f"The committed {', '.join(stale)} differ from what this script makes.")
        print("The committed files are what this script makes.")
        return
    for name, data in files.items():
        (MODELS / name).parent.mkdir(parents=True, exist_ok=True)
        (MODELS / name).write_bytes(data)
    fixture_path.parent.mkdir(parents=True, exist_ok=True)
    fixture_path.write_text(pretty(fixture) + "\n")


def write_large(name, data):
    """Writes a file that is not committed, and says where."""
    path = LARGE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"wrote {path.relative_to(MODELS.parent)}")


def json_bytes(value):
    """A value as the content of a JSON file."""
    return (pretty(value) + "\n").encode()


def rounded(array, decimals=6):
    """The array as lists of numbers that a fixture can hold."""
    return np.round(np.asarray(array, np.float64), decimals).tolist()


def close(a, b):
    """Whether two JSON values are equal, numbers within EXPECTED_TOLERANCE of their size."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, (float, int)):
        return abs(a - b) <= EXPECTED_TOLERANCE * max(1.0, abs(a))
    return a == b


def pretty(value, indent="", key=""):
    """JSON as the repository's formatter writes it: lists of numbers fill the lines."""
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [inner + pretty(item, inner, f"{json.dumps(name)}: ") for name, item in value.items()]
        return key + "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if not isinstance(value, list):
        return key + number(json.dumps(value, ensure_ascii=False))
    if not all(isinstance(item, (int, float)) for item in value):
        return key + "[\n" + ",\n".join(inner + pretty(item, inner) for item in value) + f"\n{indent}]"
    numbers = ", ".join(number(json.dumps(item)) for item in value)
    if len(indent) + len(key) + len(numbers) + len("[],") <= LINE_WIDTH:
        return f"{key}[{numbers}]"
    filled = textwrap.fill(numbers, LINE_WIDTH, initial_indent=inner, subsequent_indent=inner)
    return f"{key}[\n{filled}\n{indent}]"


def number(text):
    return re.sub(r"(?<=\d)e-0(?=\d)", "e-", text)
