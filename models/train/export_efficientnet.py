"""Exports EfficientNet-Lite0, the classifier of photos, and prints how close its int8 form is to the float32 original.

    python -B models/train/export_efficientnet.py [--check] [--float32] [--forms]

`--float32` also writes the float32 model, 18.5 MB, into .millrace/models/efficientnet-lite0, and `--forms` prints the
size, the closeness and the time of each form.
"""

import io

import efficientnet
import numpy as np
import photos
import torch
from artifacts import command_line, json_bytes, milliseconds, publish, session, write_large
from efficientnet import NAME, calibration_images, logits, prepare, prepare_as_published, probabilities
from PIL import Image
from torchvision.models._meta import _IMAGENET_CATEGORIES
from weight_forms import corrected, float_arithmetic, integer_arithmetic

CAT = "chelsea.png"

# The layers before this one stay in float32: they lose the most by rounding, and make up a hundredth of the weights.
FIRST = "blocks.2.expand"


def config():
    return {
        "architectures": ["EfficientNetForImageClassification"],
        "model_type": "efficientnet",
        "image_size": efficientnet.SIZE,
        "num_channels": 3,
        "id2label": {str(index): label for index, label in enumerate(_IMAGENET_CATEGORIES)},
        "label2id": {label: index for index, label in enumerate(_IMAGENET_CATEGORIES)},
    }


def hits(scores, classes):
    """How many of the labelled photos have their class first, and among the first five."""
    ranks = (scores >= scores[np.arange(len(classes)), classes][:, None]).sum(axis=1)
    return (ranks == 1).sum(), (ranks <= 5).sum()


def report(label, model, labelled, classes, images, expected):
    scores = logits(model, images)
    first, five = hits(logits(model, labelled), classes)
    same = scores.argmax(axis=1) == expected.argmax(axis=1)
    sure = probabilities(expected).max(axis=1) > 0.5
    moved = np.abs(probabilities(scores) - probabilities(expected)).max(axis=1)
    alone = np.concatenate([logits(model, image[None]) for image in images[:16]])
    print(
        f"{label}: top-1 {first} and top-5 {five} of {len(classes)}; of {len(images)} images the same class as float32"
        f" {same.mean():.4f}, where float32 is surer than 0.5 ({sure.sum()}) {same[sure].mean():.4f}; a probability moves by"
        f" {moved.mean():.4f}, at most {moved.max():.4f}; alone and in a batch differ by {np.abs(alone - scores[:16]).max():.0e};"
        f" ms an image: {milliseconds(model, images[:1]):.1f} alone, {milliseconds(model, images[:16]):.1f} in 16"
    )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--float32", action="store_true", help="also write the float32 model")
    parser.add_argument("--forms", action="store_true", help="also measure the forms that were not chosen")
    arguments = parser.parse_args()

    network = efficientnet.pretrained()
    exact = efficientnet.build(network)
    calibration = calibration_images()
    model = integer_arithmetic(corrected(exact, calibration, FIRST), calibration, FIRST)

    samples, classes = photos.imagenet()
    labelled = np.stack([prepare(photo) for photo in samples])
    held_out = [*samples, *map(photos.mirrored, samples), *(part for photo in samples for part in photos.parts(photo, 2))]
    images = np.stack([prepare(photo) for photo in held_out])
    expected = logits(session(exact), images)
    with torch.no_grad():
        reference = network(torch.from_numpy(labelled)).numpy()
    print(f"float32 and PyTorch differ by at most {np.abs(logits(session(exact), labelled) - reference).max():.1e}")
    published = np.stack([prepare_as_published(photo) for photo in samples])
    print("cut out first and then resized, float32: top-1 {} and top-5 {}".format(*hits(logits(session(exact), published), classes)))
    forms = {"float32": exact, "int8, as committed": model}
    if arguments.forms:
        base = corrected(exact, calibration)
        forms |= {
            "int8 weights, float32 arithmetic": float_arithmetic(base),
            "the same, biases not corrected": float_arithmetic(exact),
            "integers in all layers": integer_arithmetic(base, calibration),
            "integers in all layers, biases not corrected": integer_arithmetic(exact, calibration),
            "integers in all layers, weights of 7 bits": integer_arithmetic(base, calibration, reduce_range=True),
        }
    for label, form in forms.items():
        print(f"{len(form) / 1e6:.1f} MB", end=", ")
        report(label, session(form), labelled, classes, images, expected)

    cat_file = photos.jpeg(photos.skimage(CAT))
    cat = prepare(Image.open(io.BytesIO(cat_file)))[None]
    scores = {label: logits(session(form), cat)[0] for label, form in (("float32", exact), ("int8", model))}
    fixture = {"model": NAME, "photo": "cat.jpg"} | {label: best(row) for label, row in scores.items()}
    files = {
        f"{NAME}/config.json": json_bytes(config()),
        f"{NAME}/preprocessor_config.json": json_bytes(efficientnet.PREPROCESSOR),
        f"{NAME}/onnx/model_int8.onnx": model,
        f"{NAME}/cat.jpg": cat_file,
    }
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)
    if arguments.float32:
        write_large(f"{NAME}/onnx/model.onnx", exact)


def best(scores):
    """The five best labels with their probabilities."""
    shares = probabilities(scores[None])[0]
    return {_IMAGENET_CATEGORIES[i]: round(float(shares[i]), 4) for i in scores.argsort()[::-1][:5]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
