"""Exports MediaPipe's detector of faces near the camera, with its boxes decoded, and prints what it finds in some photos.

    python -B models/train/export_faces.py --converted face_detection_short_range.onnx [--check]

`--converted` is what convert_tensorflow.py makes of face_detection_short_range.tflite in the package mediapipe 0.10.21.
"""

import io

import numpy as np
import photos
import torch
from artifacts import command_line, json_bytes, milliseconds, publish, rounded, session
from converted_graph import adopt, prune, take_batches, take_planes
from image_graph import serialize
from PIL import Image
from torchvision.ops import box_convert, nms
from weight_forms import half_stored

NAME = "face-detection"
SIDE = 128
# Cells of a side, and anchors of a cell.
GRIDS = ((16, 2), (8, 6))
ANCHORS = 896
CONFIGURATION = {
    "task": "object-detection",
    "head": "yolo",
    "labels": ["face"],
    "threshold": 0.5,
    "batching": {"maxRows": 8},
}
PHOTOS = ("astronaut.png", "camera.png", "coffee.png", "chelsea.png")
THRESHOLD, OVERLAP = 0.5, 0.45


def build(converted):
    """The bytes of the model: `pixel_values` from 0 to 1 -> `output0` [batch, 4 + 1, 896]."""
    graph, names = adopt(converted, {"input": "pixel_values"})
    take_planes(graph)
    take_batches(graph)
    boxes, scores = names["regressors"], names["classificators"]
    prune(graph, [boxes, scores])
    from_minus_one(graph)
    decode(graph, boxes, scores)
    return serialize(graph, NAME, SIDE, "output0", [5, ANCHORS])


def from_minus_one(graph):
    """Lets the first convolution, which takes pixels from -1 to 1, take them from 0 to 1."""
    first, *rest = graph.nodes
    graph.nodes = []
    doubled = graph.add("Mul", "pixel_values", graph.constant("two", 2.0))
    first.input[0] = graph.add("Sub", doubled, graph.constant("one", 1.0))
    graph.nodes += [first, *rest]


def decode(graph, boxes, scores):
    """Centres and sizes in pixels, and probabilities. An anchor is the middle of its cell.

    V. Bazarevsky et al., "BlazeFace", 2019. The numbers of a box after its size are points of the face, which are left out.
    """
    parts = graph.constant("parts", [2, 2, 12], np.int64)
    shift, size, _ = graph.add("Split", boxes, parts, outputs=3, axis=2)
    centre = graph.add("Add", shift, graph.constant("points", anchors()))
    rows = graph.add("Concat", centre, size, graph.add("Sigmoid", scores), axis=2)
    graph.add("Transpose", rows, perm=[0, 2, 1])


def anchors():
    """The centres of the anchors in pixels: [896, 2]."""
    points = []
    for cells, count in GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        points.append(np.repeat((np.stack([x, y], axis=1) + 0.5) * SIDE / cells, count, axis=0))
    return np.concatenate(points)


def detect(model, image):
    """Corners [n, 4] in pixels of the canvas and scores [n]."""
    output = torch.from_numpy(model.run(None, {"pixel_values": image[None]})[0][0])
    found = output[4] >= THRESHOLD
    boxes, scores = box_convert(output[:4, found].T, "cxcywh", "xyxy"), output[4, found]
    kept = nms(boxes, scores, OVERLAP)
    return boxes[kept], scores[kept]


def main():
    parser = command_line(__doc__)
    parser.add_argument("--converted", required=True, help="the path of the converted graph")
    arguments = parser.parse_args()

    exact = build(arguments.converted)
    model = half_stored(exact)
    before, after = session(exact), session(model)
    images = np.stack([photos.on_grey(photos.skimage(name), SIDE) for name in PHOTOS])
    outputs = after.run(None, {"pixel_values": images})[0]
    difference = np.abs(before.run(None, {"pixel_values": images})[0] - outputs).max()
    alone = np.concatenate([after.run(None, {"pixel_values": image[None]})[0] for image in images])
    print(f"{len(model) / 1e6:.2f} MB (float32 {len(exact) / 1e6:.2f}), whose outputs differ by at most {difference:.0e}")
    print(f"alone and in a batch differ by {np.abs(alone - outputs).max():.0e}; {milliseconds(after, images[:1]):.2f} ms alone")
    for name, image in zip(PHOTOS, images, strict=True):
        boxes, scores = detect(after, image)
        print(f"{name}: {len(scores)} faces, the best score {after.run(None, {'pixel_values': image[None]})[0][0, 4].max():.3f}")

    photo = photos.jpeg(photos.skimage("astronaut.png"))
    boxes, scores = detect(after, photos.on_grey(Image.open(io.BytesIO(photo)), SIDE))
    # The sides of the photo are 512 pixels, so the canvas shows it smaller.
    found = zip(rounded(boxes * 512 / SIDE, 2), rounded(scores, 4), strict=True)
    fixture = {"model": NAME, "detections": [{"corners": box, "score": score, "class": "face"} for box, score in found]}
    files = {f"{NAME}/model.json": json_bytes(CONFIGURATION), f"{NAME}/v1.0/model.onnx": model}
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
