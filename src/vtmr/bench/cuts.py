"""Masks that end along a side of a crop that they were answered in: cuts, which people notice.

The rule in words: docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Prediction

CUT_PX, CUT_SHARE = 24, 0.06  # a straight run of outline is a cut above both; of the shorter side


def is_cut(mask: Mask, prediction: Prediction | None) -> bool | None:
    """Whether the mask ends along a side of one of the crops that it was answered in.

    mask: bool H x W. A cut is a straight run of outline on such a side inside the image, longer
    than 24 px and than 6 % of the image's shorter side. None where a prediction has no crops.
    """
    layers = getattr(prediction, "layers", None)
    if layers is None:
        return None
    longest = longest_run_px(mask, [layer.box for layer in layers])
    return bool(longest > max(CUT_PX, CUT_SHARE * min(mask.shape)))


def longest_run_px(mask: Mask, boxes: Sequence[Box]) -> int:
    """The longest run of the mask's outline that lies on a side of a box, inside the image."""
    height, width = mask.shape
    longest = 0
    for box in boxes:
        # At a side of the image nothing is cut: there is nothing beyond it.
        for y in (box.y0, box.y1):
            if 0 < y < height:
                longest = max(longest, _longest(mask[y - 1] != mask[y], box.x0, box.x1))
        for x in (box.x0, box.x1):
            if 0 < x < width:
                longest = max(longest, _longest(mask[:, x - 1] != mask[:, x], box.y0, box.y1))
    return longest


def _longest(line: Mask, start: int, end: int) -> int:
    """The length of the longest run of true values in a part of the line."""
    # With zeros around, so that a run at an end has both its turns.
    turns = np.flatnonzero(np.diff(line[start:end].astype(np.int8), prepend=0, append=0))
    return int((turns[1::2] - turns[::2]).max(initial=0))
