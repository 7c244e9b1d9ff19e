"""The node tests of the ONNX package, and which of them ONNX Runtime passes."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from ml_dtypes import bfloat16
from onnx import TensorProto, numpy_helper
from onnx.backend.test import loader

DATATYPES = {
    TensorProto.BOOL: "BOOL",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.STRING: "BYTES",
}


@dataclass(frozen=True)
class Tensor:
    name: str
    datatype: str
    value: np.ndarray


@dataclass(frozen=True)
class Node:
    """A model with inputs and the expected outputs."""

    name: str
    folder: Path
    rtol: float
    atol: float
    inputs: list[Tensor]
    outputs: list[Tensor]

    def check(self, outputs: list[np.ndarray]) -> None:
        """Raises AssertionError if an output is not as expected."""
        for expected, got in zip(self.outputs, outputs, strict=True):
            assert got.shape == expected.value.shape, f"the shape of {expected.name}"
            if expected.datatype == "BYTES":
                assert _texts(got) == _texts(expected.value), expected.name
            else:
                assert got.dtype == expected.value.dtype, f"the type of {expected.name}"
                np.testing.assert_allclose(
                    _comparable(got), _comparable(expected.value), self.rtol, self.atol
                )


def _texts(array: np.ndarray) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in array.flatten().tolist()]


def _comparable(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == bfloat16 else array


@dataclass(frozen=True)
class Survey:
    # Tests that the protocol can express and ONNX Runtime passes.
    passed: list[Node]
    # Names of the tests that ONNX Runtime fails.
    failed: list[str]
    # Names of the tests that the protocol cannot express, by the reason.
    inexpressible: dict[str, list[str]]


def survey() -> Survey:
    found = Survey([], [], {})
    for case in sorted(loader.load_model_tests(kind="node"), key=lambda case: case.name):
        folder = Path(case.model_dir)
        graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
        if reason := _inexpressible(graph):
            found.inexpressible.setdefault(reason, []).append(case.name)
            continue
        inputs = _tensors(folder, "input", graph.input)
        outputs = _tensors(folder, "output", graph.output)
        node = Node(case.name, folder, case.rtol, case.atol, inputs, outputs)
        if _runtime_passes(node):
            found.passed.append(node)
        else:
            found.failed.append(node.name)
    return found


def _inexpressible(graph: onnx.GraphProto) -> str | None:
    for value in [*graph.input, *graph.output]:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            return kind.removesuffix("_type")
        if value.type.tensor_type.elem_type not in DATATYPES:
            return TensorProto.DataType.Name(value.type.tensor_type.elem_type)
    return None


def _tensors(folder: Path, kind: str, values) -> list[Tensor]:
    def read(index: int) -> np.ndarray:
        message = TensorProto()
        message.ParseFromString((folder / f"test_data_set_0/{kind}_{index}.pb").read_bytes())
        return numpy_helper.to_array(message)

    return [
        Tensor(value.name, DATATYPES[value.type.tensor_type.elem_type], read(index))
        for index, value in enumerate(values)
    ]


def _runtime_passes(node: Node) -> bool:
    try:
        node.check(_run(node))
    except Exception:  # noqa: BLE001 - whatever it says, it does not pass.
        return False
    return True


def _run(node: Node) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        node.folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    names = [tensor.name for tensor in node.outputs]
    if "BF16" not in [tensor.datatype for tensor in [*node.inputs, *node.outputs]]:
        return session.run(names, {tensor.name: tensor.value for tensor in node.inputs})
    values = {tensor.name: _value(tensor) for tensor in node.inputs}
    return [_array(value) for value in session.run_with_ort_values(names, values)]


# numpy has no BF16, so ONNX Runtime accepts and returns its bits.
def _value(tensor: Tensor) -> onnxruntime.OrtValue:
    if tensor.datatype != "BF16":
        return onnxruntime.OrtValue.ortvalue_from_numpy(tensor.value)
    bits = tensor.value.view(np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, TensorProto.BFLOAT16)


def _array(value: onnxruntime.OrtValue) -> np.ndarray:
    if value.element_type() != TensorProto.BFLOAT16:
        return value.numpy()
    count = int(np.prod(value.shape()))
    bits = (ctypes.c_uint16 * count).from_address(value.data_ptr())
    return np.array(bits, dtype=np.uint16).view(bfloat16).reshape(value.shape())
