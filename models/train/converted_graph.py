"""Takes over a graph that convert_tensorflow.py made: folds its constants, and gives its values names that do not change."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from image_graph import ImageGraph
from onnx import numpy_helper


def adopt(path, renamed):
    """The nodes of a graph as an `ImageGraph`, and {value: its name there}.

    renamed: names of values that differ there, such as that of the input.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        source = onnx.load(options.optimized_model_filepath).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in source.initializer}
    graph, names = ImageGraph(), {"": "", **renamed}
    for index, node in enumerate(source.node):
        taken = onnx.NodeProto()
        taken.CopyFrom(node)
        taken.name = f"{node.op_type.lower()}_{index}"
        for position, value in enumerate(node.input):
            if value in constants and value not in names:
                array = constants[value]
                names[value] = graph.constant(f"{taken.name}.{position}", array, array.dtype)
        for position, value in enumerate(node.output):
            names[value] = f"{taken.name}:{position}" if value else ""
        taken.input[:] = [names[value] for value in node.input]
        taken.output[:] = [names[value] for value in node.output]
        graph.nodes.append(taken)
    return graph, names


def prune(graph, values):
    """Drops the nodes and constants that these values do not need."""
    needed, kept = set(values), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    graph.nodes = kept[::-1]
    graph.initializers = {name: tensor for name, tensor in graph.initializers.items() if name in needed}


def take_batches(graph):
    """Lets a graph that was made for one image take any number: shapes that begin with 1 keep the number of images."""
    for node in graph.nodes:
        if node.op_type == "Reshape":
            shape = numpy_helper.to_array(graph.initializers[node.input[1]])
            if shape[0] == 1:
                node.input[1] = graph.constant(f"{node.name}.shape", [0, *shape[1:]], np.int64)


def take_planes(graph):
    """Lets a graph that takes [images, height, width, channels] take the channels first, as it does inside."""
    first = graph.nodes.pop(0)
    assert first.op_type == "Transpose"
    for node in graph.nodes:
        node.input[:] = [first.input[0] if value == first.output[0] else value for value in node.input]
