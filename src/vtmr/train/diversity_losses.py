"""What CDNet's network is trained by beside the focal loss of its answer [cdnet2021; docs/zoo.md
§Z.4.4]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vtmr.models.network import DiversityMaps
from vtmr.train.losses import normalised_focal_loss

GATE_WEIGHT = 0.4  # the authors'
ELSEWHERE = 0.01  # what a pixel counts beside one on a click's disc, which counts 1
TINY = 1e-6


def diversity_losses(maps: DiversityMaps, labels: Tensor) -> Tensor:
    """B losses: the gate's, the best latent mask's, and what all latent masks miss at the clicks.

    labels: 1, 0 or -1 (ignored), float B x 1 x S x S.
    """
    gate = normalised_focal_loss(torch.logit(maps.gate.float(), eps=TINY), labels)
    latent = maps.latent.float()
    count = latent.shape[1]
    each = latent.flatten(0, 1)[:, None]
    wanted = labels.repeat_interleave(count, dim=0)
    # The best one alone: the others are left free to mean something else.
    best = normalised_focal_loss(each, wanted).reshape(-1, count).min(dim=1).values
    return GATE_WEIGHT * gate + best + _at_clicks(latent, maps.discs, labels)


def _at_clicks(latent: Tensor, discs: Tensor, labels: Tensor) -> Tensor:
    """Each mask's mean cross-entropy, mostly of the pixels on discs, summed over the masks."""
    on_disc = discs.amax(dim=1, keepdim=True)
    weight = ((1 - ELSEWHERE) * on_disc + ELSEWHERE) * (labels != -1)
    wanted = labels.clamp(min=0).expand_as(latent)
    pixel = F.binary_cross_entropy_with_logits(latent, wanted, reduction="none")
    means = (pixel * weight).sum(dim=(2, 3)) / (weight.sum(dim=(2, 3)) + TINY)
    return means.sum(dim=1)
