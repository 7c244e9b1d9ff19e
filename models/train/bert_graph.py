"""Builds the ONNX graph of a BERT encoder from its weights, node by node.

Written out by hand instead of traced, because a trace changes with the version of the exporter, and because the
weights can then be stored as int8 where they are used. Only operators of ONNX opset 17 are used, so every execution
provider runs the graph.

Architecture: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019, with the layer
normalisation after each residual connection.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
AXES = ["batch_size", "sequence_length"]

# Added to the attention scores of padding. exp(-10000) is 0 in float32, so padding has no weight at all, and a row
# that is only padding gets finite numbers.
MASKED = -10_000.0


class Graph:
    """Collects the nodes and initializers of a graph.

    Values are named by strings. With `int8=True`, matrices are stored as int8 with one scale for each output channel,
    or for each row of an embedding table, and are multiplied out in float32.
    """

    def __init__(self, int8):
        self.int8 = int8
        self.nodes = []
        self.initializers = {}

    def add(self, operator, *inputs, output=None, outputs=1, **attributes):
        """Adds a node, and returns the name of its output, or a list if there are several."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [output] if output else [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, name, value, dtype=np.float32):
        """Adds an initializer, once for each name, and returns its name."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def matrix(self, name, weights):
        """A matrix [in, out] in float32. ONNX Runtime multiplies the int8 form out once, while it loads."""
        if not self.int8:
            return self.constant(name, weights)
        values, scale = quantize(weights, axis=0)
        wide = self.add("Cast", self.constant(f"{name}.int8", values, np.int8), to=TensorProto.FLOAT)
        return self.add("Mul", wide, self.constant(f"{name}.scale", scale))

    def linear(self, value, name, weights, bias):
        """value [..., in] -> [..., out]."""
        product = self.add("MatMul", value, self.matrix(f"{name}.weight", weights))
        return self.add("Add", product, self.constant(f"{name}.bias", bias))

    def lookup(self, ids, name, table):
        """Rows of an embedding table [entries, width] -> [..., width]. The int8 form stays int8 in memory."""
        if not self.int8:
            return self.add("Gather", self.constant(name, table), ids)
        values, scale = quantize(table, axis=1)
        rows = self.add("Gather", self.constant(f"{name}.int8", values, np.int8), ids)
        scales = self.add("Gather", self.constant(f"{name}.scale", scale), ids)
        return self.add("Mul", self.add("Cast", rows, to=TensorProto.FLOAT), scales)

    def normalize(self, value, name, weights, epsilon):
        """Layer normalisation over the last dimension."""
        scale = self.constant(f"{name}.weight", weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        return self.add("LayerNormalization", value, scale, bias, axis=-1, epsilon=epsilon)


class TokenQuantized(Graph):
    """int8 weights, and products of integers: each token of an activation has a scale of its own."""

    def linear(self, value, name, weights, bias):
        values, scale = quantize(weights, axis=0)
        largest = self.add("ReduceMax", self.add("Abs", value), axes=[-1], keepdims=1)
        step = self.add("Max", self.add("Mul", largest, self.constant("step", 1 / 127)), self.constant("tiny", 1e-12))
        # The kernels for uint8 activations are the fast ones. 128 stands for zero, and the half rounds.
        shifted = self.add("Add", self.add("Div", value, step), self.constant("shift", 128.5))
        whole = self.add("Cast", shifted, to=TensorProto.UINT8)
        weight = self.constant(f"{name}.int8", values, np.int8)
        product = self.add("MatMulInteger", whole, weight, self.constant("zero_point", 128, np.uint8))
        wide = self.add("Mul", self.add("Cast", product, to=TensorProto.FLOAT), step)
        scaled = self.add("Mul", wide, self.constant(f"{name}.scale", scale))
        return self.add("Add", scaled, self.constant(f"{name}.bias", bias))


def quantize(weights, axis):
    """Symmetric int8 with one scale along `axis`: returns (int8 values, float32 scales) with values * scales ~ weights."""
    largest = np.abs(weights).max(axis=axis, keepdims=True)
    scale = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
    return np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), scale


def encoder(graph, weights, config):
    """Adds the encoder and returns its last hidden state, float32 [batch_size, sequence_length, hidden_size].

    weights: the state of a transformers `BertModel` as {name: array}; config: its `config.json`.
    """
    epsilon = config["layer_norm_eps"]
    value = embeddings(graph, weights, epsilon)
    bias = attention_bias(graph)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}"
        attended = attention(graph, value, bias, weights, prefix, config)
        value = graph.normalize(
            graph.add("Add", attended, value), f"{prefix}.attention.output.LayerNorm", weights, epsilon
        )
        inner = gelu(graph, dense(graph, value, weights, f"{prefix}.intermediate.dense"))
        outer = dense(graph, inner, weights, f"{prefix}.output.dense")
        value = graph.normalize(
            graph.add("Add", outer, value), f"{prefix}.output.LayerNorm", weights, epsilon
        )
    return value


def dense(graph, value, weights, name):
    """A linear layer of PyTorch, whose weights are [out, in]."""
    return graph.linear(value, name, weights[f"{name}.weight"].T, weights[f"{name}.bias"])


def embeddings(graph, weights, epsilon):
    """The sum of the embeddings of tokens, token types and positions, normalised."""
    name = "embeddings.{}_embeddings.weight".format
    words = graph.lookup("input_ids", name("word"), weights[name("word")])
    types = graph.add(
        "Gather", graph.constant(name("token_type"), weights[name("token_type")]), "token_type_ids"
    )
    one = graph.constant("one", [1], np.int64)
    length = graph.add("Slice", graph.add("Shape", "input_ids"), one, graph.constant("two", [2], np.int64))
    zero = graph.constant("zero", [0], np.int64)
    positions = graph.add(
        "Slice", graph.constant(name("position"), weights[name("position")]), zero, length, zero
    )
    total = graph.add("Add", graph.add("Add", words, types), positions)
    return graph.normalize(total, "embeddings.LayerNorm", weights, epsilon)


def attention_bias(graph):
    """0 for tokens and MASKED for padding: float32 [batch_size, 1, 1, sequence_length]."""
    kept = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    padding = graph.add("Sub", graph.constant("kept", 1.0), kept)
    bias = graph.add("Mul", padding, graph.constant("masked", MASKED))
    return graph.add("Unsqueeze", bias, graph.constant("heads_and_queries", [1, 2], np.int64))


def attention(graph, value, bias, weights, prefix, config):
    """Multi-head self-attention with its output projection. One matrix projects queries, keys and values."""
    heads = config["num_attention_heads"]
    width = config["hidden_size"] // heads
    parts = [f"{prefix}.attention.self.{part}" for part in ("query", "key", "value")]
    matrix = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
    vector = np.concatenate([weights[f"{part}.bias"] for part in parts])
    projected = graph.linear(value, f"{prefix}.attention.self", matrix, vector)
    split = graph.add(
        "Reshape", projected, graph.constant("split_heads", [0, 0, 3, heads, width], np.int64)
    )
    # [3, batch, heads, sequence, width]
    turned = graph.add("Transpose", split, perm=[2, 0, 3, 1, 4])
    zero = graph.constant("zero", [0], np.int64)
    query, key, values = (
        graph.add("Squeeze", part, zero) for part in graph.add("Split", turned, outputs=3, axis=0)
    )
    query = graph.add("Mul", query, graph.constant("score_scale", 1 / np.sqrt(width)))
    scores = graph.add("MatMul", query, graph.add("Transpose", key, perm=[0, 1, 3, 2]))
    probabilities = graph.add("Softmax", graph.add("Add", scores, bias), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", probabilities, values), perm=[0, 2, 1, 3])
    joined = graph.add(
        "Reshape", mixed, graph.constant("join_heads", [0, 0, heads * width], np.int64)
    )
    return dense(graph, joined, weights, f"{prefix}.attention.output.dense")


def gelu(graph, value):
    """x * (1 + erf(x / sqrt(2))) / 2, in the order of operations that ONNX Runtime fuses."""
    scaled = graph.add("Div", value, graph.constant("sqrt_two", np.sqrt(2.0)))
    shifted = graph.add("Add", graph.add("Erf", scaled), graph.constant("kept", 1.0))
    return graph.add("Mul", graph.add("Mul", value, shifted), graph.constant("half", 0.5))


def serialize(graph, name, output, axes, width):
    """Returns the bytes of the model, whose output is the last value added: float32 [*axes, width]."""
    graph.nodes[-1].output[0] = output
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info(i, TensorProto.INT64, AXES) for i in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [*axes, width])],
            list(graph.initializers.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def as_stored(weights):
    """The weights as the int8 form of the graph has them, in float32: what PyTorch has to use to give the same results."""
    stored = dict(weights)
    for name, value in weights.items():
        table = "_embeddings." in name
        if value.ndim == 2 and (not table or "word_embeddings." in name):
            # [out, in] as PyTorch keeps a linear layer, and [entries, width] of the table: one scale for each row.
            values, scale = quantize(value, axis=1)
            stored[name] = values * scale
    return stored
