"""Training on nothing: bright rectangles and discs on noise, a recipe that takes them, a network of
64 x 64 cells."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

RECIPE = """
name = "tiny"
model = "lite0"
steps = 4
batch = 2
seed = 3
threads = 1
refiner_share = 1.0

[data]
root = "data"
min_object_px = 40
workers = 0

[[data.sources]]
reader = "duts"
path = "shapes"
weight = 1
terms = "made by the tests"
cut_outs = true

[clicks]
max_further = 1

[optimiser]
lr = 2e-3
warmup_steps = 1
ema = 0.5
"""


def shape_pair(number: int, height: int = 80, width: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 H x W x 3, bool H x W): a rectangle or a disc in red on green noise, placed by its
    number."""
    rng = np.random.default_rng(number)
    mask = np.zeros((height, width), np.uint8)
    x, y = int(rng.integers(30, width - 30)), int(rng.integers(30, height - 30))
    if number % 2:
        cv2.circle(mask, (x, y), 18, 1, -1)
    else:
        cv2.rectangle(mask, (x - 20, y - 14), (x + 20, y + 14), 1, -1)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 1] = rng.integers(60, 120, (height, width))
    image[mask > 0] = (220, 40, 40)
    return image, mask > 0


def write_pairs(root: Path, count: int) -> Path:
    """A folder with `images/` and `masks/` of stems 0, 1, …"""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        image, mask = shape_pair(number)
        Image.fromarray(image).save(root / "images" / f"{number}.png")
        Image.fromarray(mask * np.uint8(255)).save(root / "masks" / f"{number}.png")
    return root


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """tiny.toml in the folder, with four images of shapes beside it."""
    write_pairs(folder / "data" / "shapes", 4)
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


OBJECT, CHILD, SMALL, STUFF = (10, 10, 50, 50), (15, 15, 40, 40), (60, 60, 72, 72), (60, 5, 95, 40)


def rect(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A rectangle on bool 80 x 100."""
    mask = np.zeros((80, 100), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def write_cocolvis(root: Path) -> Path:
    """COCO+LVIS with one image, in the original files: OBJECT with its CHILD, SMALL, and STUFF, all
    rectangles."""
    for name in ("train2017", "annotations/panoptic_train2017"):
        (root / name).mkdir(parents=True)
    Image.fromarray(np.full((80, 100, 3), 9, np.uint8)).save(
        root / "train2017" / "000000000007.jpg"
    )
    labels = np.zeros((80, 100, 3), np.uint8)
    labels[rect(*STUFF)] = (3, 0, 0)
    Image.fromarray(labels).save(root / "annotations/panoptic_train2017" / "000000000007.png")
    segments = [{"id": 3, "category_id": 187}]
    panoptic = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "height": 80, "width": 100}],
        "annotations": [
            {"image_id": 7, "file_name": "000000000007.png", "segments_info": segments}
        ],
        "categories": [{"id": 187, "isthing": 0}],
    }
    (root / "annotations/panoptic_train2017.json").write_text(json.dumps(panoptic))
    polygons = [[[x0, y0, x1, y0, x1, y1, x0, y1]] for x0, y0, x1, y1 in (OBJECT, CHILD, SMALL)]
    lvis = [{"id": i, "image_id": 7, "segmentation": polygon} for i, polygon in enumerate(polygons)]
    (root / "annotations/lvis_v1_train.json").write_text(json.dumps({"annotations": lvis}))
    return root
