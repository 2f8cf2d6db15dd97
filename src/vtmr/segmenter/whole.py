"""What the pipelines share that look at the whole image and answer with a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vtmr.masks import Mask, RunLengths
from vtmr.types import Image


@dataclass(frozen=True, slots=True)
class WholePrediction:
    """A mask; memory: what the pipeline wants back with the next click; memory_bytes: what of that
    is new."""

    runs: RunLengths
    memory: Any = None
    memory_bytes: int = 0

    @property
    def nbytes(self) -> int:
        """See `Prediction`."""
        return len(self.runs.counts) + self.memory_bytes

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        return self.runs.decode()


def limited(image: Image, longest: int) -> Image:
    """The image, or where its longer side is above `longest` a smaller one, by area."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
