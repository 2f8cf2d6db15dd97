"""What the refiner is trained by: the losses on its patches, and the clicks as it is shown them
[docs/method.md §C.6-C.7]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.train.losses import boundary_focal_loss, normalised_focal_loss
from vtmr.train.recipe import LossRecipe
from vtmr.types import Click


def refined_loss(
    logits: Tensor,
    labels: Tensor,
    band: Tensor,
    losses: LossRecipe,
    whole: int,
    edge_weight: Tensor | None,
) -> Tensor:
    """The patches' part in a step's mean, one number.

    logits, labels, band: float32 N x 1 x S x S, labels as in losses.py, band 0 or 1; whole: patches
    of the step, of which these are a part; edge_weight: of all of them, where it counts.
    """
    if losses.refined == "boundary":
        # FocalClick's mean is over the weights of the whole batch, not one mean for each patch.
        return boundary_focal_loss(logits, labels, band, edge_weight)
    return normalised_focal_loss(logits, labels).sum() / whole


def edge_loss(logits: Tensor, band: Tensor, losses: LossRecipe, whole: int) -> Tensor:
    """The same of the edge logits, whose labels are the edge band."""
    if losses.edge == "cross_entropy":
        # A mean over these patches, which has to add up with the other micro-batches' of the step.
        return F.binary_cross_entropy_with_logits(logits, band) * len(logits) / whole
    return normalised_focal_loss(logits, band).sum() / whole


def no_loss(refiner: nn.Module) -> Tensor:
    """Zero, with a gradient of zero for each of the refiner's parameters.

    A process without a patch needs it: the others wait for its gradient of every parameter.
    """
    sums = torch.stack([parameter.sum() for parameter in refiner.parameters()])
    return sums.sum() * 0


def clicks_on_patches(
    clicks: Sequence[Sequence[Click]], focus: Tensor, size: int
) -> list[list[Click]]:
    """Each sample's clicks in its patch's coordinates, those beside the patch as well.

    clicks: in the grid's coordinates; focus: float32 N x 4, the patches' boxes in that grid; size:
    the patches' side, in pixels.
    """
    found = []
    for sample, box in zip(clicks, focus.tolist(), strict=True):
        found.append([on_patch(click, box, size) for click in sample])
    return found


def on_patch(click: Click, box: Sequence[float], size: int) -> Click:
    """A click of the grid, by the offset and the scale of a patch's box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    x = (click.x - x0) * size / (x1 - x0)
    y = (click.y - y0) * size / (y1 - y0)
    return Click(x, y, click.positive)
