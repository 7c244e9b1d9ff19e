"""Photos in packages, on which the models of images are calibrated and measured.

- scikit-image 0.26.0, in skimage/data: photos in the public domain or under CC0, as its documentation says.
- scikit-learn: china.jpg and flower.jpg (CC-BY).
- foolbox 3.3.4: twenty samples of ImageNet with their classes.
"""

import importlib.util
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

SKIMAGE = (
    "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "camera.png", "retina.jpg", "grass.png",
    "gravel.png", "brick.png", "hubble_deep_field.jpg", "coins.png",
)  # fmt: skip
# What a photo is padded with, in every channel.
GREY = 114
SKLEARN = ("china.jpg", "flower.jpg")


def folder(package):
    """The folder of an installed package, which is not imported."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


def skimage(name):
    """A photo of scikit-image in RGB."""
    return Image.open(folder("skimage") / "data" / name).convert("RGB")


def unlabelled():
    """Photos without classes: [Image]."""
    pictures = folder("sklearn") / "datasets" / "images"
    return [*map(skimage, SKIMAGE), *(Image.open(pictures / name).convert("RGB") for name in SKLEARN)]


def imagenet():
    """([Image], int [20] classes) of ImageNet."""
    files = sorted((folder("foolbox") / "data").glob("imagenet_*.jpg"))
    classes = [int(re.search(r"_(\d+)\.jpg", file.name)[1]) for file in files]
    return [Image.open(file).convert("RGB") for file in files], np.array(classes)


def parts(photo, grid):
    """Squares of 0.6 and 0.35 of the shorter side, `grid` × `grid` of each."""
    width, height = photo.size
    squares = []
    for share in (0.6, 0.35):
        side = int(share * min(width, height))
        for left in np.linspace(0, width - side, grid).astype(int):
            for top in np.linspace(0, height - side, grid).astype(int):
                squares.append(photo.crop((left, top, left + side, top + side)))
    return squares


def on_grey(photo, side):
    """A photo in the middle of a grey square, as the service lays it: float32 [3, side, side] from 0 to 1."""
    scale = side / max(photo.size)
    size = [round(length * scale) for length in photo.size]
    canvas = Image.new("RGB", (side, side), (GREY,) * 3)
    canvas.paste(photo.resize(size, Image.Resampling.BILINEAR), tuple((side - length) // 2 for length in size))
    return (np.asarray(canvas, np.float32) / 255).transpose(2, 0, 1)


def jpeg(photo):
    """The bytes of a photo that is committed."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=85)
    return file.getvalue()


def mirrored(photo):
    return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
