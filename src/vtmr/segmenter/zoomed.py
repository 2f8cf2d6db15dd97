"""What the zoomed pass looks at, and how its logits join the answer.

Source: VTMR Fig. 4 and its section on target-aware zooming; docs/method.md §B, §L.1-2;
docs/decisions/0004-zoom.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtmr.geometry import Frame
from vtmr.masks import Mask, draw_discs
from vtmr.segmenter.layers import LogitLayer
from vtmr.segmenter.logits import LOGIT_LIMIT
from vtmr.spec import Guidance
from vtmr.types import Click, FloatMap, places_of
from vtmr.zoom import Warp


def zoom_guidance(
    fresh_mask: Mask, clicks: Sequence[Click], radius: float, wanted: Guidance
) -> Mask:
    """Where to look: the fresh mask, the discs of all clicks, or both.

    All bool S x S, the clicks on the same grid.
    """
    if wanted == "mask":
        return fresh_mask
    guidance = np.zeros_like(fresh_mask)
    if wanted == "both":
        guidance = fresh_mask.copy()
    points, _ = places_of(clicks)
    draw_discs(guidance, points, radius)
    return guidance


def blended(
    plain: FloatMap, zoomed: FloatMap, warp: Warp, frame: Frame, weight: float
) -> LogitLayer:
    """A layer on the frame's box: (1 - weight) times the plain logits + weight times the unwarped
    ones.

    plain: logits on the frame's grid; zoomed: on the warp's. The blend is taken at the centres of
    the frame's cells, with both sides held within LOGIT_LIMIT, and is bilinear in between.
    """
    share = np.float32(weight)
    logits = np.clip(plain, -LOGIT_LIMIT, LOGIT_LIMIT) * (1 - share)
    logits += np.clip(warp.unwarp(zoomed, frame), -LOGIT_LIMIT, LOGIT_LIMIT) * share
    return LogitLayer.of(frame.box, logits)
