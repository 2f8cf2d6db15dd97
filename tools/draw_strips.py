"""Draws the README's picture and the golden strip, click by click with the bundled model.

python tools/draw_strips.py

docs/pictures/demo.jpg shows three photos and three clicks; docs/pictures/strip.jpg all twelve
vendored photos, those of the package and those of docs/strip, with four clicks each, which stay the
same from release to release: what a change of weights did to each of them is seen at a glance, and
nothing here is chosen to look well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

import vtmr
from vtmr.cli.demo import Photo, bundled_photos
from vtmr.cli.segment import draw, each_click
from vtmr.session import Session
from vtmr.types import Image, Predictor

DOCS = Path(__file__).resolve().parents[1] / "docs"
DEMO = ("coffee", "astronaut", "chelsea")
DEMO_PANEL, STRIP_PANEL = (300, 225), (240, 180)  # width, height
JPEG_QUALITY = 80


def main() -> None:
    predictor = vtmr.load()
    photos = [*bundled_photos(), *bundled_photos(DOCS / "strip")]
    demo = [
        row(predictor, photo, 3, DEMO_PANEL)
        for name in DEMO
        for photo in photos
        if photo.path.stem == name
    ]
    write("demo.jpg", demo)
    rows = [row(predictor, photo, 4, STRIP_PANEL) for photo in photos]
    half = len(rows) // 2
    write("strip.jpg", [np.hstack(pair) for pair in zip(rows[:half], rows[half:], strict=True)])


def row(predictor: Predictor, photo: Photo, clicks: int, panel: tuple[int, int]) -> Image:
    """The photo and its mask after each of the first clicks, side by side."""
    image = vtmr.read_image(photo.path)
    shown = photo.clicks[:clicks]
    masks = [answer.mask for answer in each_click(Session(predictor, image), shown)]
    pictures = [image] + [draw(image, mask, shown[: k + 1]) for k, mask in enumerate(masks)]
    return np.hstack([fitted(picture, panel) for picture in pictures])


def fitted(image: Image, panel: tuple[int, int]) -> Image:
    """The picture as large as the panel allows, in its middle."""
    height, width = image.shape[:2]
    scale = min(panel[0] / width, panel[1] / height)
    small = cv2.resize(
        image, (round(scale * width), round(scale * height)), interpolation=cv2.INTER_AREA
    )
    canvas = np.full((panel[1], panel[0], 3), 255, np.uint8)
    top, left = (panel[1] - small.shape[0]) // 2, (panel[0] - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def write(name: str, rows: Sequence[Image]) -> None:
    cv2.imwrite(
        str(DOCS / "pictures" / name),
        np.vstack(rows)[:, :, ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
    )


if __name__ == "__main__":
    main()
