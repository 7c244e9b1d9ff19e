"""Makes the models of the benchmark: small files that ONNX Runtime expands to real weights at load.

    python bench/models/make.py [--check]

A weight matrix is a formula, scale * sin(frequency * row * column), of constants only, so constant
folding turns it into an initializer and MatMul packs it like a trained one. Every layer ends in tanh
and has a gain of about 1: values stay bounded, far from denormal numbers, and rounding is not
amplified. `--check` writes nothing and compares. Needs models/train/requirements.txt.
"""

import sys
from math import pi, sqrt
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
OPSET = 17
IR_VERSION = 8
FLOAT = TensorProto.FLOAT

# Columns at multiples of an angle that is far from every fraction of a turn, the golden one, are
# nearly orthogonal: no row of a weight matrix repeats another.
GOLDEN = 2 * pi / ((1 + sqrt(5)) / 2)

value = helper.make_tensor_value_info


class Builder:
    """Collects the nodes and constants of one model from `features` [batch, n] to `scores` [batch, m]."""

    def __init__(self, name):
        self.name = name
        self.nodes = []
        self.constants = {}
        self.grids = {}

    def add(self, op, inputs, **attributes):
        """Appends a node with one output and returns that output's name."""
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, number, dtype=np.float32):
        """Returns the name of a constant: a number, or a list of numbers."""
        name = f"{np.dtype(dtype).name}_{number}"
        self.constants[name] = numpy_helper.from_array(np.array(number, dtype), name)
        return name

    def grid(self, rows, columns):
        """The float32 [rows, columns] matrix of row * column, both from 1; made once a shape."""
        if (rows, columns) not in self.grids:
            one = self.constant(1)
            row = self.add("Range", [one, self.constant(rows + 1), one])
            column = self.add("Range", [one, self.constant(columns + 1), one])
            row = self.add("Unsqueeze", [row, self.constant([1], np.int64)])
            self.grids[rows, columns] = self.add("Mul", [row, column])
        return self.grids[rows, columns]

    def weights(self, rows, columns, frequency=GOLDEN):
        """A float32 [rows, columns] matrix whose products keep the size of their input."""
        angle = self.add("Mul", [self.grid(rows, columns), self.constant(frequency)])
        return self.add("Mul", [self.add("Sin", [angle]), self.constant(sqrt(2 / rows))])

    def dense(self, x, rows, columns, frequency=GOLDEN):
        return self.add("Tanh", [self.add("MatMul", [x, self.weights(rows, columns, frequency)])])

    def repeat(self, x, width, times):
        """The same [width, width] layer `times` times over; one copy of its weights in memory.

        A loop, because a MatMul packs its own copy of the weights and as many nodes would pack many.
        """
        weights = self.weights(width, width)
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["go_on"], ["go_on_out"]),
                helper.make_node("MatMul", ["state", weights], ["product"]),
                helper.make_node("Tanh", ["product"], ["state_out"]),
            ],
            "layer",
            [
                value("turn", TensorProto.INT64, []),
                value("go_on", TensorProto.BOOL, []),
                value("state", FLOAT, ["batch", width]),
            ],
            [value("go_on_out", TensorProto.BOOL, []), value("state_out", FLOAT, ["batch", width])],
        )
        return self.add("Loop", [self.constant(times, np.int64), "", x], body=body)

    def model(self, scores, features, outputs):
        self.nodes.append(helper.make_node("Identity", [scores], ["scores"]))
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [value("features", FLOAT, ["batch", features])],
            [value("scores", FLOAT, ["batch", outputs])],
            list(self.constants.values()),
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(made, full_check=True)
        return made


def tiny():
    """4-184-184-3: fits the first cache levels."""
    b = Builder("tiny")
    x = b.dense("features", 4, 184)
    x = b.dense(x, 184, 184)
    return b.model(b.dense(x, 184, 3), 4, 3)


def small():
    """128 wide, 56 layers, 3.7 MB of weights: more than a core's own cache."""
    b = Builder("small")
    x = "features"
    for layer in range(56):
        x = b.dense(x, 128, 128, frequency=GOLDEN + layer / 64)
    return b.model(b.dense(x, 128, 10), 128, 10)


def medium():
    """128-1024-1024-1024-10, 9 MB of weights: more than a core's own cache, less than the shared one."""
    b = Builder("medium")
    x = b.dense("features", 128, 1024)
    for layer in range(2):
        x = b.dense(x, 1024, 1024, frequency=GOLDEN + layer / 64)
    return b.model(b.dense(x, 1024, 10), 128, 10)


def large():
    """128-4096, then 11 times the same 64 MiB matrix, then 10: more than the last cache."""
    b = Builder("large")
    x = b.repeat(b.dense("features", 128, 4096), 4096, times=11)
    return b.model(b.dense(x, 4096, 10), 128, 10)


def fixed_cost():
    """A run costs a + c * rows with a about 2 ms, more than 20 times c.

    The fixed part multiplies two matrices of constant size. The number of rows enters it times zero,
    so that it cannot be folded, and it enters the scores times zero, so that rows stay independent.
    """
    b = Builder("fixed-cost")
    zero = b.constant(0)
    rows = b.add("Gather", [b.add("Shape", ["features"]), b.constant(0, np.int64)])
    seed = b.add("Mul", [b.add("Cast", [rows], to=FLOAT), zero])
    left = b.add("Add", [b.weights(440, 440), seed])
    product = b.add("MatMul", [left, b.weights(440, 440, frequency=1.5)])
    nothing = b.add("Mul", [b.add("ReduceMean", [product], keepdims=0), zero])
    wide = b.add("Sin", [b.add("MatMul", ["features", b.weights(4, 16384)])])
    scores = b.add("MatMul", [wide, b.weights(16384, 3, frequency=1.5)])
    return b.model(b.add("Add", [scores, nothing]), 4, 3)


def main():
    made = {f"{m.graph.name}.onnx": m for m in (tiny(), small(), medium(), large(), fixed_cost())}
    files = {name: m.SerializeToString(deterministic=True) for name, m in made.items()}
    if "--check" in sys.argv[1:]:
        stale = [name for name, data in files.items() if (HERE / name).read_bytes() != data]
        if stale:
            sys.exit(f"The committed {', '.join(stale)} differ from what this script makes.")
        print(f"All {len(files)} files are what this script makes.")
        return
    for name, data in files.items():
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
