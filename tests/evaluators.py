"""FocalClick's and RITM's own evaluators, said once more: on torch tensors, image-sized maps and
inclusive boxes, where src has boxes, layers and numpy.

Written from docs/method.md §B, §D.8 and docs/zoo.md §Z.3.3. A network is anything with
`coarse(image, maps)` and `refine(patch, discs, coarse_logits, features, boxes)`; clicks are (row,
col, positive) with whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

RowCol = tuple[float, float, bool]
Bounds = tuple[int, int, int, int]  # first and last row, first and last column
TEN_PIXELS = 10


class Reds(torch.nn.Module):
    """Red pixels are the object, and what was; clicks count where they are and a little around.

    As smooth as a trained network, so that rounding moves no box.
    """

    runs_on_onnx = True

    def coarse(self, image: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """image: as it is normalised; maps: [previous probability, positive, negative discs]."""
        near = F.avg_pool2d(F.pad(maps, (2, 2, 2, 2)), 5, stride=1)
        logits = 6 * (image[:, :1] - image[:, 2:]) + 1.5 * near[:, :1] - 1.2
        return logits + 5 * near[:, 1:2] - 7 * near[:, 2:], near

    def refine(
        self, patch: Tensor, discs: Tensor, logits: Tensor, features: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Of everything that comes in, a little."""
        near = F.avg_pool2d(F.pad(discs, (2, 2, 2, 2)), 5, stride=1)
        from_coarse = 0.3 * logits.mean() + features.mean() + 0.001 * boxes.sum()
        refined = 7 * (patch[:, :1] - patch[:, 2:]) - 1 + from_coarse
        refined = refined + 4 * near[:, :1] - 5 * near[:, 1:]
        return refined, refined


def resized(maps: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(maps, (height, width), mode="bilinear", align_corners=True)


def discs(clicks: Sequence[RowCol], height: int, width: int, radius: float) -> Tensor:
    """1 x 2 x height x width; a click with two negative indices is none."""
    rows, cols = np.mgrid[:height, :width]
    maps = np.zeros((1, 2, height, width), np.float32)
    for row, col, positive in clicks:
        if max(row, col) >= 0:
            inside = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
            maps[0, 0 if positive else 1][inside] = 1
    return torch.from_numpy(maps)


def mapped(
    clicks: Sequence[RowCol], roi: Bounds, height: int, width: int, mirrored: bool = False
) -> list[RowCol]:
    """Clicks of the image in the crop's grid; `roi` inclusive."""
    first_row, last_row, first_col, last_col = roi
    found = []
    for row, col, positive in clicks:
        y = height * (row - first_row) / (last_row - first_row + 1)
        x = width * (col - first_col) / (last_col - first_col + 1)
        found.append((y, width - x - 1 if mirrored else x, positive))
    return found


def bounds_of(mask: NDArray[np.bool_]) -> Bounds:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]), int(cols[0]), int(cols[-1])


def object_roi(
    mask: NDArray[np.bool_], clicks: Sequence[RowCol], ratio: float, least: int
) -> Bounds:
    """Around the mask and the positive clicks, `ratio` times as large, inside the image."""
    height, width = mask.shape
    mask = mask.copy()
    for row, col, positive in clicks:
        if positive:
            mask[int(row), int(col)] = True
    top, bottom, left, right = bounds_of(mask)
    tall = max(ratio * (bottom - top + 1), least)
    wide = max(ratio * (right - left + 1), least)
    middle, centre = (top + bottom) / 2, (left + right) / 2
    return (
        max(0, round(middle - tall / 2)),
        min(height - 1, round(middle + tall / 2)),
        max(0, round(centre - wide / 2)),
        min(width - 1, round(centre + wide / 2)),
    )


def segment_iou(one: tuple[int, int], other: tuple[int, int]) -> float:
    common = max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)
    return common / (max(one[1], other[1]) - min(one[0], other[0]) + 1)


class Evaluator:
    """What both have: the image as floats, the last probability, the clicks so far."""

    def __init__(self, module: Any, image: NDArray[np.uint8], normalised: Any) -> None:
        """normalised: what the network's first layer gets of pixels in [0, 1]."""
        self.module, self.normalised = module, normalised
        self.image = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 255)
        self.height, self.width = image.shape[:2]
        self.prev = torch.zeros(1, 1, self.height, self.width)
        self.clicks: list[RowCol] = []

    def crop(self, maps: Tensor, roi: Bounds) -> Tensor:
        return maps[:, :, roi[0] : roi[1] + 1, roi[2] : roi[3] + 1]

    def coarse(self, view: Tensor, clicks: Sequence[RowCol]) -> tuple[Tensor, Tensor]:
        """view: 1 x 4 x h x w, pixels and previous probability."""
        height, width = view.shape[2:]
        maps = torch.cat([view[:, 3:], discs(clicks, height, width, 5.0)], dim=1)
        logits, features = self.module.coarse(self.normalised(view[:, :3]), maps)
        return logits, features


class RitmEvaluator(Evaluator):
    """mode: "cvpr" with the target's longer side, or "fixed" with the side of its square."""

    def __init__(self, *arguments: Any, mode: str, side: int) -> None:
        super().__init__(*arguments)
        self.mode, self.side = mode, side
        self.roi: Bounds | None = None

    def click(self, row: int, col: int, positive: bool) -> NDArray[np.float32]:
        """The probability of every pixel after one more click."""
        self.clicks.append((row, col, positive))
        whole = (0, self.height - 1, 0, self.width - 1)
        stack = torch.cat([self.image, self.prev], dim=1)
        view, roi = stack, whole
        if (current := self._current(whole)) is not None:
            self.roi = roi = current if self._outdated(current) else self.roi or current
            view = resized(self.crop(stack, roi), *self._size(roi))
        height, width = view.shape[2:]
        straight, _ = self.coarse(view, mapped(self.clicks, roi, height, width))
        mirrored, _ = self.coarse(
            view.flip(3), mapped(self.clicks, roi, height, width, mirrored=True)
        )
        prob = torch.sigmoid((straight + mirrored.flip(3)) / 2)
        if self.roi is not None:  # an old one too, where the whole image was looked at
            first_row, last_row, first_col, last_col = self.roi
            canvas = torch.zeros_like(self.prev)
            inside = resized(prob, last_row - first_row + 1, last_col - first_col + 1)
            canvas[:, :, first_row : last_row + 1, first_col : last_col + 1] = inside
            prob = canvas
        self.prev = prob
        return prob[0, 0].numpy()

    def _current(self, whole: Bounds) -> Bounds | None:
        """Which part the last answer asks for; None for the image as it is."""
        if self.mode == "cvpr" and len(self.clicks) == 1:
            return None
        mask = self.prev[0, 0].numpy() > 0.5
        if mask.any():
            return object_roi(mask, self.clicks, 1.4, 200)
        return None if self.mode == "cvpr" else whole

    def _outdated(self, current: Bounds) -> bool:
        if self.roi is None:
            return True
        top, bottom, left, right = self.roi
        for row, col, positive in self.clicks:
            if positive and not (top <= row < bottom and left <= col < right):
                return True
        overlap = segment_iou(current[:2], self.roi[:2]) * segment_iou(current[2:], self.roi[2:])
        return overlap < 0.5

    def _size(self, roi: Bounds) -> tuple[int, int]:
        if self.mode == "fixed":
            return self.side, self.side
        height, width = roi[1] - roi[0] + 1, roi[3] - roi[2] + 1
        scale = self.side / max(height, width)
        return round(height * scale), round(width * scale)


class FocalClickEvaluator(Evaluator):
    """From click 2 on in a crop that is made anew each time, then refined in a focus crop."""

    SIDE = 256

    def click(self, row: int, col: int, positive: bool) -> NDArray[np.float32]:
        """The probability of every pixel after one more click."""
        self.clicks.append((row, col, positive))
        roi = (0, self.height - 1, 0, self.width - 1)
        prev_mask = self.prev[0, 0].numpy() > 0.49
        if len(self.clicks) > 1 and prev_mask.any():
            roi = object_roi(prev_mask, self.clicks, 1.4, TEN_PIXELS)
        side = self.SIDE
        view = resized(self.crop(torch.cat([self.image, self.prev], dim=1), roi), side, side)
        coarse, features = self.coarse(view, mapped(self.clicks, roi, side, side))
        logits = torch.full_like(self.prev, -torch.inf)
        inside = resized(torch.sigmoid(coarse), roi[1] - roi[0] + 1, roi[3] - roi[2] + 1)
        logits[:, :, roi[0] : roi[1] + 1, roi[2] : roi[3] + 1] = torch.logit(inside)

        y1, y2, x1, x2 = focus_bounds(logits[0, 0].numpy() > 0.49, prev_mask, row, col, roi)
        patch = resized(self.image[:, :, y1:y2, x1:x2], side, side)
        points = [
            ((r - y1) * side / (y2 - y1), (c - x1) * side / (x2 - x1), sign)
            for r, c, sign in self.clicks
        ]
        tall, wide = side / (roi[1] - roi[0] + 1), side / (roi[3] - roi[2] + 1)
        box = torch.tensor(
            [
                [
                    (x1 - roi[2]) * wide,
                    (y1 - roi[0]) * tall,
                    (x2 - roi[2]) * wide,
                    (y2 - roi[0]) * tall,
                ]
            ]
        ).clamp(0, side)
        refined, _ = self.module.refine(
            patch, discs(points, side, side, 5.0), coarse, features, box.float()
        )
        base = logits if len(self.clicks) <= 10 else torch.logit(self.prev)
        base[:, :, y1:y2, x1:x2] = resized(refined, y2 - y1, x2 - x1)
        self.prev = torch.sigmoid(base)
        return self.prev[0, 0].numpy()


def focus_bounds(
    new_mask: NDArray[np.bool_], prev_mask: NDArray[np.bool_], row: int, col: int, roi: Bounds
) -> Bounds:
    """First row, row after the last, and columns likewise, of FocalClick's focus crop."""
    height, width = new_mask.shape

    def bounds(mask: NDArray[np.bool_]) -> Bounds:
        return bounds_of(mask) if mask.sum() >= TEN_PIXELS else (0, height, 0, width)

    top, bottom, left, right = map(float, bounds(new_mask))
    if prev_mask.any():
        tall, wide = bottom - top, right - left
        _, numbers = cv2.connectedComponents((new_mask ^ prev_mask).astype(np.uint8))
        top, bottom, left, right = map(float, bounds(numbers == numbers[row, col]))
        if bottom - top < tall / 3 or right - left < wide / 3:
            reach = 0.2 * max(tall, wide)
            top, bottom, left, right = row - reach, row + reach, col - reach, col + reach
    tall, wide = 1.4 * (bottom - top + 1), 1.4 * (right - left + 1)
    middle, centre = (top + bottom) / 2, (left + right) / 2
    return (
        max(0, int(middle - tall / 2), roi[0]),
        min(height, int(middle + tall / 2), roi[1] + 1),
        max(0, int(centre - wide / 2), roi[2]),
        min(width, int(centre + wide / 2), roi[3] + 1),
    )
