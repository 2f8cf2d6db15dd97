"""What the coarse pass is trained by: the focal loss of all networks, and what some authors add or
have in its place [docs/method.md §C.7, docs/zoo.md]."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from vtmr.models.network import Auxiliary, DiversityMaps, FeedbackMaps, Hypotheses
from vtmr.train.diversity_losses import diversity_losses
from vtmr.train.losses import normalised_focal_loss

AUXILIARY_WEIGHT = 0.4  # of the cross-entropy on auxiliary logits [docs/method.md §C.7, §G.8]
RANKED_WEIGHT = 0.0025  # of LD's masks by their ranks, the first of which counts most
SMALLEST = 1e-6


def coarse_loss(logits: Tensor, auxiliary: Auxiliary, labels: Tensor, whole: int) -> Tensor:
    """The samples' part in a step's mean.

    logits: B x 1 x S x S; labels: 1, 0 or -1 (ignored), of the same shape; whole: samples of the
    step, of which these are a part.
    """
    if isinstance(auxiliary, Hypotheses):
        return latent_losses(auxiliary, labels).sum() / whole
    loss = normalised_focal_loss(logits, labels).sum() / whole
    if isinstance(auxiliary, FeedbackMaps):
        return loss + feedback_losses(auxiliary, labels).sum() / whole
    if isinstance(auxiliary, DiversityMaps):
        return loss + diversity_losses(auxiliary, labels).sum() / whole
    if auxiliary is None:
        return loss
    share = len(logits) / whole
    return loss + share * AUXILIARY_WEIGHT * auxiliary_loss(auxiliary.float(), labels)


def auxiliary_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over all pixels, ignored ones counting as right; labels: 1, 0 or -1 as in
    losses.py."""
    valid = (labels != -1).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), weight=valid)


def feedback_losses(maps: FeedbackMaps, labels: Tensor) -> Tensor:
    """FCFI's, one a sample: the focal loss of the corrected feedback, where its box is whole, and
    of the updated one.

    Both are probabilities that the authors take for logits, as is done here. Their cross-entropy
    on the auxiliary logits is set up but never added.
    """
    size = labels.shape[2:]
    inside = F.interpolate(maps.box.float(), size=size, mode="nearest") >= 1
    # With aligned corners, as the authors enlarge their maps.
    enlarged = partial(F.interpolate, size=size, mode="bilinear", align_corners=True)
    corrected, updated = enlarged(maps.corrected.float()), enlarged(maps.updated.float())
    outside_ignored = labels.masked_fill(~inside, -1)
    return maps.weight * (
        normalised_focal_loss(corrected, outside_ignored) + normalised_focal_loss(updated, labels)
    )


def latent_losses(found: Hypotheses, labels: Tensor) -> Tensor:
    """LD's, one a sample: the best mask's overlap loss, all masks' by their ranks, and the errors
    at the clicks."""
    masks, gt = found.masks.float(), labels.clamp(min=0)
    valid = (labels != -1).to(masks.dtype)
    masks = masks * valid
    common = (masks * gt).mean(dim=(2, 3))
    around = torch.maximum(masks, gt).mean(dim=(2, 3))
    overlap = 1 - common / (around + SMALLEST)  # B x masks
    count = overlap.shape[1]
    # Each mask counts twice as much as the one behind it: the network is to put the best first.
    ranks = 2.0 ** torch.arange(count - 1, -1, -1, device=overlap.device)
    clicked = (found.maps[:, :2] == 0).any(dim=1, keepdim=True).to(masks.dtype)
    # Of few pixels: their mean is made 1, so that one click weighs as much as many.
    weight = clicked / (clicked.mean(dim=(1, 2, 3), keepdim=True) + SMALLEST)
    wrong = ((masks - gt).abs() * weight).mean(dim=(1, 2, 3))
    best = overlap.min(dim=1).values
    return best + RANKED_WEIGHT * (overlap * ranks).sum(dim=1) + wrong
