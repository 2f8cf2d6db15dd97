"""A rough mask made better without anybody's click; docs/doors/batch.md says what it is worth."""

from __future__ import annotations

import cv2
import numpy as np

from vtmr.masks import Mask, deepest_pixel, iou
from vtmr.session import Session
from vtmr.types import Click, Image, Predictor

# IoU of the answer with the rough mask. Above, the mask is as good as the model's answers are, and
# changing it costs more than it brings; below, the answer is of another object or of a part. Chosen
# on the 60 objects of tools/tighten_masks.py.
NOTHING_TO_GAIN, ANOTHER_OBJECT = 0.92, 0.6
PART_SHARE = 0.1  # of the mask: the least that a part has which gets a click of its own


def tightened(predictor: Predictor, image: Image, rough: Mask, scene: object = None) -> Mask | None:
    """The rough mask made better; None where it is better left as it is, because the model's answer
    hardly differs from it or hardly meets it.

    The arguments as for `refitted`, whose answer it is.
    """
    answer = refitted(predictor, image, rough, scene)
    return answer if is_better(answer, rough) else None


def is_better(answer: Mask, rough: Mask) -> bool:
    """Whether to take the answer, as nobody can tell who sees but these two."""
    return ANOTHER_OBJECT <= iou(answer, rough) <= NOTHING_TO_GAIN


def refitted(predictor: Predictor, image: Image, rough: Mask, scene: object = None) -> Mask:
    """The model's answer to the rough mask and a click on it, taken as a whole.

    The click is on the deepest pixel; a mask of several parts has one on each that is large enough.

    Args:
        predictor: What answers.
        image: uint8 H x W x 3, RGB.
        rough: bool H x W, not empty.
        scene: What `predictor.prepare` returned for the image; None prepares it.

    Returns:
        bool H x W.

    Raises:
        InputError: For a mask of another size than the image's.
    """
    clicks = []
    for part in _parts(rough):
        _, (row, col) = deepest_pixel(part)
        clicks.append(Click(col + 0.5, row + 0.5))
    session = Session(predictor, image, initial_mask=rough, correction="refit", scene=scene)
    return session.add(*clicks).mask


def _parts(rough: Mask) -> list[Mask]:
    """The 8-connected parts that hold a tenth of the mask each, the largest first; where none does,
    the largest alone."""
    count, parts, figures, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(rough).view(np.uint8), connectivity=8
    )
    areas = figures[:, cv2.CC_STAT_AREA]
    largest_first = sorted(range(1, count), key=lambda number: -int(areas[number]))
    least = PART_SHARE * int(np.count_nonzero(rough))
    large = [number for number in largest_first if areas[number] >= least]
    return [np.asarray(parts == number) for number in large or largest_first[:1]]
