"""Builds the ONNX graph of a convolutional network from its weights, node by node, as bert_graph.py does for texts."""

import onnx
from bert_graph import IR_VERSION, OPSET, Graph
from onnx import TensorProto, helper


class ImageGraph(Graph):
    """A float32 graph over images [batch, channels, height, width]."""

    def __init__(self):
        super().__init__(int8=False)

    def convolution(self, value, name, weights, bias, stride=1, pads=(0, 0, 0, 0), groups=1):
        """weights [out, in / groups, height, width]; pads: top, left, bottom, right."""
        inputs = [value, self.constant(f"{name}.weight", weights), self.constant(f"{name}.bias", bias)]
        return self.add(
            "Conv", *inputs, group=groups, kernel_shape=weights.shape[2:], strides=[stride, stride], pads=list(pads)
        )

    def relu6(self, value):
        return self.add("Clip", value, self.constant("zero", 0.0), self.constant("six", 6.0))

    def dense(self, value, name, weights, bias):
        """value [batch, in] -> [batch, out] with weights [out, in], as PyTorch keeps a linear layer."""
        inputs = [value, self.constant(f"{name}.weight", weights), self.constant(f"{name}.bias", bias)]
        return self.add("Gemm", *inputs, transB=1)


def fold_batch_norm(convolution, norm):
    """Weights and bias of a convolution of PyTorch with the batch normalisation after it, in float64."""
    scale = (norm.weight / (norm.running_var.double() + norm.eps).sqrt()).detach().numpy()
    weights = convolution.weight.detach().double().numpy() * scale[:, None, None, None]
    return weights, norm.bias.detach().double().numpy() - norm.running_mean.double().numpy() * scale


def preprocessor(side):
    """The content of preprocessor_config.json for a model of squares whose pixels go from 0 to 1."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
    }


def serialize(graph, name, size, output, dimensions, channels=3):
    """Returns the bytes of a model from `pixel_values` float32 [batch, channels, size, size] to the value that was added last.

    output: the name of that value, float32 [batch, *dimensions].
    """
    graph.nodes[-1].output[0] = output
    pixels = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", channels, size, size])
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *dimensions])
    model = helper.make_model(
        helper.make_graph(graph.nodes, name, [pixels], [result], list(graph.initializers.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
