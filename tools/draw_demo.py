"""Draws docs/pictures/demo.jpg, the README's picture: three bundled photos, click by click, with the bundled model.

python tools/draw_demo.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import vtmr
from vtmr.cli.demo import bundled_photos
from vtmr.cli.segment import draw, each_click

SHOWN = ("coffee", "astronaut", "chelsea")
CLICKS = 3
PANEL = (300, 225)  # width, height
TARGET = Path(__file__).resolve().parents[1] / "docs/pictures/demo.jpg"


def main() -> None:
    predictor = vtmr.load()
    photos = {photo.path.stem: photo for photo in bundled_photos()}
    rows = []
    for name in SHOWN:
        photo = photos[name]
        image = vtmr.read_image(photo.path)
        clicks = photo.clicks[:CLICKS]
        masks = [answer.mask for answer in each_click(predictor, image, clicks)]
        panels = [image] + [draw(image, mask, clicks[: k + 1]) for k, mask in enumerate(masks)]
        rows.append(np.hstack([cv2.resize(panel, PANEL, interpolation=cv2.INTER_AREA) for panel in panels]))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET), np.vstack(rows)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
