"""Converts a graph of TensorFlow.js or TensorFlow Lite to ONNX, and prints how close it is to TensorFlow.

    python -B models/train/convert_tensorflow.py nanodet.json nanodet.onnx

It needs an environment of its own: requirements-tensorflow.txt.
"""

import sys

import numpy as np
import onnxruntime
import tensorflow as tf
from google.protobuf.json_format import ParseDict
from tf2onnx import tfjs_utils

OPSET = 17


class Casts(dict):
    """What numpy.cast was: a function for each type."""

    def __missing__(self, dtype):
        return lambda values: np.asarray(values).astype(dtype)


def restore_old_names():
    """tf2onnx 1.17 uses names that numpy 2 no longer has."""
    np.cast = Casts()
    np.product = np.prod
    np.bool = np.bool_
    np.object = np.object_


def convert(source, target):
    from tf2onnx import convert as converter

    kind = "--tflite" if source.endswith(".tflite") else "--tfjs"
    sys.argv = ["convert", kind, source, "--output", target, "--opset", str(OPSET)]
    converter.main()


def run_lite(source, pixels):
    """The outputs of TensorFlow Lite, by name."""
    interpreter = tf.lite.Interpreter(source)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return {each["name"]: interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()}


def run_graph(source, pixels):
    """The outputs of a graph of TensorFlow.js in TensorFlow, by name."""
    model, _ = tfjs_utils.read_model_json(source)
    manifest = model["weightsManifest"][0]
    folder = source.rpartition("/")[0] or "."
    data = b"".join(open(f"{folder}/{path}", "rb").read() for path in manifest["paths"])
    weights, at = {}, 0
    for weight in manifest["weights"]:
        name, array, size = tfjs_utils.read_tfjs_weight(weight, data, offset=at)
        weights[name] = array
        at += size
    graph = tf.compat.v1.GraphDef()
    for node in model["modelTopology"]["node"]:
        tfjs_utils.fix_string_attr(node)
        definition = graph.node.add()
        ParseDict(node, definition)
        if node["op"] == "Const":
            dtype = tf.dtypes.as_dtype(definition.attr["dtype"].type)
            definition.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node["name"]].astype(dtype.as_numpy_dtype)))
    signature = model["signature"]
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        names = [each["name"] for each in signature["outputs"].values()]
        given = {each["name"]: pixels for each in signature["inputs"].values()}
        return dict(zip(names, tf.compat.v1.Session().run(names, given), strict=True))


def main():
    source, target = sys.argv[1:]
    restore_old_names()
    convert(source, target)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    pixels = np.random.default_rng(0).random(given.shape, np.float32)
    expected = run_lite(source, pixels) if source.endswith(".tflite") else run_graph(source, pixels)
    names = [output.name for output in session.get_outputs()]
    for name, value in zip(names, session.run(names, {given.name: pixels}), strict=True):
        print(f"{name} {list(value.shape)}: differs from TensorFlow by at most {np.abs(value - expected[name]).max():.1e}")


if __name__ == "__main__":
    main()
