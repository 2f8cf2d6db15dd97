"""A small scene to draw masks of: two objects apart, and how to save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 60, 80


def block(rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
    """bool H x W with a rectangle on."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[slice(*rows), slice(*cols)] = True
    return mask


LEFT = block((10, 30), (8, 28))  # 400 pixels
RIGHT = block((32, 52), (40, 70))  # 600 pixels


def disc(radius: float, soft: float = 0) -> np.ndarray:
    """A grey disc in the middle, 0 to 255, its edge a slope of `soft` pixels to both sides."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    beyond = np.hypot(rows - HEIGHT / 2, cols - WIDTH / 2) - radius
    share = np.clip(0.5 - beyond / max(2 * soft, 1e-9), 0, 1)
    return (share * 255 + 0.5).astype(np.uint8)


def grown(mask: np.ndarray, grow: int) -> np.ndarray:
    """The mask with a rim of that many pixels around it."""
    box = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), box).view(bool)


class Saved:
    """Writes arrays as files of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, array: np.ndarray, name: str = "m.png", **options: Any) -> Path:
        Image.fromarray(array).save(self.folder / name, **options)
        return self.folder / name

    def palette(
        self, indices: np.ndarray, colours: list[int], name: str = "m.png", **options: Any
    ) -> Path:
        image = Image.fromarray(indices.astype(np.uint8))
        image.putpalette(colours)
        image.save(self.folder / name, **options)
        return self.folder / name
