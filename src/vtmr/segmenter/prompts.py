"""What the user asked for, in a network's terms: which clicks it is shown, and where it may look.

A network that was never trained on boxes is shown a click in a box's place: a positive one in its
middle, in a crop around the box. docs/decisions/0018-boxes.md has the figures of this and of other
ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.types import Click, Event, active_box, active_clicks

# Of the box's shorter side: a negative click so near to its middle speaks against the click there.
TAKEN_BACK_SHARE = 0.1  # of a box's shorter side


@dataclass(frozen=True, slots=True)
class Prompts:
    """The clicks to answer and the views to answer them in, in image coordinates.

    clicks: what the network is shown, the user's last. made: how many of them the user made.
    region: what the first pass is shown. limits: as far as any view goes; nothing is answered
    outside. box: what the object began with. filled: whether the network was trained to be told
    the box as its previous mask.
    """

    clicks: tuple[Click, ...]
    made: int
    region: Box
    limits: Box
    box: Box | None = None
    filled: bool = False

    @staticmethod
    def of_clicks(clicks: Sequence[Click], region: Box | None, whole: Box) -> Prompts:
        """Clicks alone. region: what the caller looks at; whole: the image."""
        shown = whole
        if region is not None:
            shown = region.intersection(whole) or whole
        return Prompts(tuple(clicks), len(clicks), shown, whole)

    def fresh(self, answered: int) -> tuple[Click, ...]:
        """Those that the newest answer is for. answered: how many of the user's are answered."""
        made = self.clicks[len(self.clicks) - self.made :]
        # Of a box alone, the click in its middle is what is answered.
        return made[answered:] or self.clicks[-1:]


def prompts_of(
    events: Sequence[Event], region: Box | None, whole: Box, ratio: float, trained_on_boxes: bool
) -> Prompts:
    """The clicks and the box since the last new beginning.

    ratio: of a box's crop to the box. trained_on_boxes: whether the network was; see `Prompts`. The
    crop limits every view, until a positive click lies outside it.
    """
    clicks, prompt = active_clicks(events), active_box(events)
    if prompt is None:
        return Prompts.of_clicks(clicks, region, whole)
    box = prompt.pixels(whole)
    crop = box.expanded(ratio, whole)
    # A click beyond what the box's crop shows says that the object is larger than the box.
    limits = crop
    for click in clicks:
        if click.positive and not crop.contains(click.x, click.y):
            limits = whole
    middle = Click((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    shown = clicks
    if not trained_on_boxes and not taken_back(middle, clicks, box):
        shown = (middle, *clicks)
    return Prompts(shown, len(clicks), crop, limits, box, trained_on_boxes)


def taken_back(middle: Click, clicks: Sequence[Click], box: Box) -> bool:
    """Whether the user's own negative click says that the object isn't in the box's middle."""
    near = TAKEN_BACK_SHARE * min(box.width, box.height)
    for click in clicks:
        if not click.positive and math.hypot(click.x - middle.x, click.y - middle.y) <= near:
            return True
    return False


def filled(box: Box, whole: Box) -> Mask:
    """The box's pixels on: bool H x W."""
    mask = np.zeros((whole.height, whole.width), np.bool_)
    mask[box.slices] = True
    return mask
