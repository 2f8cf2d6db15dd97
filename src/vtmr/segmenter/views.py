"""The view policy: in which crops a click is answered, so that no answer ends at a crop's side.

A target crop follows the last answer, so an answer that grows beyond it would be cut along a
straight line. Where an answer reaches a side at which the image goes on, the pass is made anew in a
wider crop. Inference and training's rollouts ask the same functions. Source:
docs/decisions/0016-views.md; the re-crop pass: docs/decisions/0011-recrop-pass.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.segmenter.crops import closer_box
from vtmr.segmenter.layers import LogitLayer, logits_on
from vtmr.segmenter.logits import LOGIT_LIMIT
from vtmr.spec import ModelSpec, ViewPolicy
from vtmr.types import Click, FloatMap


def reaches_out(mask: Mask, box: Box, limits: Box, share: float) -> bool:
    """Whether an answer covers more than `share` of a side of its crop beyond which there is more.

    mask: bool S x S, the answer on the crop's grid; box: the crop; limits: as far as a view may go,
    in image coordinates like the box. At a side where the box ends with them nothing is cut.
    """
    sides = (
        (mask[:, 0], box.x0 > limits.x0),
        (mask[0], box.y0 > limits.y0),
        (mask[:, -1], box.x1 < limits.x1),
        (mask[-1], box.y1 < limits.y1),
    )
    return any(goes_on and float(side.mean()) > share for side, goes_on in sides)


def wider_box(
    mask: Mask, box: Box, limits: Box, policy: ViewPolicy, already_wider: int
) -> Box | None:
    """The crop in which a pass is made anew because its answer reaches out; None where it needn't.

    already_wider: such passes made for this click. The other arguments as for `reaches_out`.
    """
    if already_wider >= policy.most_wider:
        return None
    if not reaches_out(mask, box, limits, policy.touch_share):
        return None
    return box.expanded(policy.widening, limits)


def recrop_box(spec: ModelSpec, mask: Mask, clicks: Sequence[Click], frame: Frame) -> Box | None:
    """The crop in which a first answer is made anew: its own; None where that isn't much closer.

    mask: bool, that answer on the frame's grid; clicks: in image coordinates.
    """
    closer = closer_box(mask, clicks, frame, spec.target_ratio)
    if closer is None or closer.area >= spec.recrop_share * frame.box.area:
        return None
    return closer


def eased(
    refined: LogitLayer, base: Sequence[LogitLayer], within: Box, easing: float
) -> LogitLayer:
    """The refined layer going over into what lies under it, on its sides inside of `within`.

    within: the image. At a side of the target crop, too, the refined answer may reach further than
    the coarse one, by which the crop was judged. easing: the share of its width and height over
    which it does; there the logits are mixed, both held within LOGIT_LIMIT, since outside every
    layer they are minus infinity.
    """
    height, width = refined.logits.shape
    box = refined.box
    along_x = _ramp(width, easing, box.x0 > within.x0, box.x1 < within.x1)
    along_y = _ramp(height, easing, box.y0 > within.y0, box.y1 < within.y1)
    own = np.minimum(along_x[None, :], along_y[:, None])
    below = np.clip(logits_on(base, Frame(box, width, height)), -LOGIT_LIMIT, LOGIT_LIMIT)
    below += (np.clip(refined.logits, -LOGIT_LIMIT, LOGIT_LIMIT) - below) * own
    return LogitLayer.of(box, below)


def _ramp(cells: int, easing: float, at_start: bool, at_end: bool) -> FloatMap:
    """The refined answer's share along an axis: 1, but rising from 0 at the ends that are eased."""
    rising = (np.arange(cells, dtype=np.float32) + np.float32(0.5)) / np.float32(easing * cells)
    share = np.ones(cells, np.float32)
    if at_start:
        np.minimum(share, rising, out=share)
    if at_end:
        np.minimum(share, rising[::-1], out=share)
    return share
