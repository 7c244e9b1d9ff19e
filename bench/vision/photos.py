"""Makes photos of 640 × 480 pixels as JPEG of parts of those that scikit-image has.

    python photos.py FOLDER
"""

import pathlib
import sys

from PIL import Image
from skimage import data

WIDTH, HEIGHT, COUNT = 640, 480, 24

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
sources = [data.chelsea(), data.astronaut(), data.coffee(), data.rocket()]
for index in range(COUNT):
    photo = Image.fromarray(sources[index % len(sources)])
    shrink = 1 - 0.05 * (index // len(sources))
    width = min(photo.width, photo.height * WIDTH / HEIGHT) * shrink
    height = width * HEIGHT / WIDTH
    left, top = max(photo.width - width, 0) / 2, max(photo.height - height, 0) / 2
    box = (left, top, min(left + width, photo.width), min(top + height, photo.height))
    part = photo.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box)
    part.save(folder / f"{index:02}.jpg", quality=85)
