"""Stores the weights of a convolutional network in fewer bytes: as float16, or as int8 for arithmetic in float32 or in integers.

The int8 forms round each output channel with a scale of its own, and move the mean of each channel back to where it was before
the rounding: M. Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019, section 4.2, with
the means measured on photos.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from bert_graph import quantize
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static


def layers(model):
    """The convolutions and dense layers of a graph whose weights are constants: [(node, weights, bias or None)].

    Dense layers have their weights as [out, in] (`transB`).
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def value(node, position):
        name = node.input[position] if position < len(node.input) else ""
        return numpy_helper.to_array(constants[name]) if name in constants else None

    all_layers = (node for node in model.graph.node if node.op_type in ("Conv", "Gemm"))
    found = ((node, value(node, 1), value(node, 2)) for node in all_layers)
    return [layer for layer in found if layer[1] is not None]


def round_weights(weights):
    """int8 values and the float32 scale of each output channel, so that the sum of each kernel stays.

    Pixels beside each other are alike, so what a kernel does to them is mostly a matter of its sum.
    """
    values, scale = quantize(weights, axis=tuple(range(1, weights.ndim)))
    if weights.ndim < 4 or weights.shape[2:] == (1, 1):
        return values, scale
    exact = (weights / scale).reshape(-1, np.prod(weights.shape[2:]))
    kernels = values.astype(np.int64).reshape(exact.shape)
    for kernel, wanted in zip(kernels, exact, strict=True):
        excess = round((kernel - wanted).sum())
        # Those that were rounded furthest in this direction go the other way.
        order = np.argsort((wanted - kernel) * np.sign(excess))
        free = [i for i in order if abs(kernel[i] - np.sign(excess)) <= 127]
        kernel[free[: abs(excess)]] -= np.sign(excess)
    return kernels.reshape(values.shape).astype(np.int8), scale


def nodes_before(model, layer):
    """The names of the nodes before a layer, in the order of the graph; none if it is None."""
    names = []
    for node in model.graph.node if layer else ():
        if f"{layer}.weight" in node.input:
            break
        names.append(node.name)
    return names


def input_means(data, images):
    """The mean of each channel that enters a layer, over images [n, channels, height, width]: {value: float64 [in]}."""
    model = onnx.load_from_string(data)
    names = list(dict.fromkeys(node.input[0] for node, *_ in layers(model)))
    inputs = [value.name for value in model.graph.input]
    inner = [name for name in names if name not in inputs]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in inner)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    sums = dict.fromkeys(names, 0.0)
    for image in images:
        values = dict(zip(inner, session.run(inner, {inputs[0]: image[None]}), strict=True)) | {inputs[0]: image[None]}
        for name in names:
            value = values[name]
            sums[name] = sums[name] + value[0].astype(np.float64).reshape(value.shape[1], -1).mean(axis=1)
    return {name: total / len(images) for name, total in sums.items()}


def corrected(data, images, first=None):
    """The model with rounded weights, still stored as float32, and with biases that make up for the rounding.

    first: the name of the first layer that is rounded; None means all. Layers without a bias are not rounded.
    """
    means = input_means(data, images)
    model = onnx.load_from_string(data)
    replaced = {}
    exact = nodes_before(model, first)
    for node, weights, bias in layers(model):
        if node.name in exact or bias is None:
            continue
        values, scale = round_weights(weights)
        rounded = values * scale
        error = (rounded.astype(np.float64) - weights).reshape(*weights.shape[:2], -1).sum(axis=2)
        mean = means[node.input[0]]
        # A channel of a group sees only the inputs of its group.
        groups = len(mean) // weights.shape[1]
        entering = np.repeat(mean.reshape(groups, -1), len(weights) // groups, axis=0)
        replaced[node.input[1]] = rounded
        replaced[node.input[2]] = (bias - (error * entering).sum(axis=1)).astype(np.float32)
    for tensor in model.graph.initializer:
        if tensor.name in replaced:
            tensor.CopyFrom(numpy_helper.from_array(replaced[tensor.name], tensor.name))
    return model.SerializeToString(deterministic=True)


def float_arithmetic(data):
    """A corrected model with its weights stored as int8, which ONNX Runtime multiplies out once, while it loads."""

    def pack(name, weights):
        values, scale = round_weights(weights)
        nodes = [
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]),
        ]
        return nodes, {f"{name}.int8": values, f"{name}.scale": scale}

    return packed(data, pack)


def half_stored(data):
    """The model with its weights stored as float16, which ONNX Runtime widens once, while it loads.

    Weights that float16 does not hold exactly stay in float32.
    """

    def pack(name, weights):
        half = weights.astype(np.float16)
        if (half != weights).any():
            return [], {name: weights}
        return [helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)], {f"{name}.half": half}

    return packed(data, pack)


def packed(data, pack):
    """The model with the weights of its layers as `pack` gives them by their name: nodes that make them, and constants."""
    model = onnx.load_from_string(data)
    nodes, constants, names = [], {}, set()
    for node, weights, _ in layers(model):
        names.add(node.input[1])
        made, stored = pack(node.input[1], weights)
        nodes += made
        constants |= stored
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in names]
    nodes.extend(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend([*kept, *(numpy_helper.from_array(value, name) for name, value in constants.items())])
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


class Images(CalibrationDataReader):
    def __init__(self, name, images):
        self.left = [{name: image[None]} for image in images]

    def get_next(self):
        return self.left.pop() if self.left else None


def integer_arithmetic(data, images, first=None, until=None, **options):
    """A corrected model that multiplies integers: uint8 activations, whose ranges `images` give, and int8 weights (QDQ).

    Nodes before the layer `first` stay in float32, as do those from the first operator `until` on, and what a dense layer adds up.
    """
    source = onnx.load_from_string(data)
    kinds = [node.op_type for node in source.graph.node]
    after = [node.name for node in source.graph.node][kinds.index(until) :] if until else []
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        quantize_static(
            source,
            target,
            Images(source.graph.input[0].name, images),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*nodes_before(source, first), *after],
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
            **options,
        )
        model = onnx.load(target)
    logging.disable(logging.NOTSET)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
