"""MaskMatch: the same object from two first masks of equal quality must end in the same mask
[vtmr2024, eq. 1-3].

The first interaction is the trainer's own; the second starts from a perturbed ground truth, and is
led only for the samples whose loss will count (docs/decisions/0005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vtmr.masks import Mask, iou
from vtmr.perturb import REACHABLE, perturb_to_iou
from vtmr.train.iterative_clicks import IterativeClicks
from vtmr.train.losses import matching_loss, normalised_focal_loss
from vtmr.train.recipe import MaskMatchRecipe

# A perturbation this much better than the first mask is no match for it (docs/method.md §E.3).
MOST_CLAMPED = 0.2


@dataclass(frozen=True)
class SecondInteraction:
    """The second interaction of the samples (indices of the batch, int64 N) whose gate is open."""

    samples: Tensor
    interaction: IterativeClicks


def second_interaction(
    first_mask: Tensor, last: IterativeClicks, threshold: float, recipe: MaskMatchRecipe
) -> SecondInteraction | None:
    """The beginning of the second interaction: perturbed masks as good as the first ones, and one
    click; None without any.

    first_mask: M'01, probabilities B x 1 x S x S. last: the first interaction at its end, with M01.
    A sample counts where IoU(M01, G) > alpha and its M'01 isn't far below what a perturbation
    reaches.
    """
    samples, initial_masks = [], []
    for i, gt_mask in enumerate(last.gt_masks):
        target = iou(binary(first_mask[i], threshold), gt_mask)
        good = iou(binary(last.prev_mask[i], threshold), gt_mask) > recipe.alpha
        if good and target >= REACHABLE[0] - MOST_CLAMPED:
            samples.append(i)
            initial_masks.append(perturb_to_iou(gt_mask, target, last.rngs[i])[0])
    if not samples:
        return None
    interaction = last.anew(samples).continued(
        torch.from_numpy(np.stack(initial_masks))[:, None].float().to(first_mask.device)
    )
    return SecondInteraction(torch.tensor(samples, device=first_mask.device), interaction)


def binary(prob: Tensor, threshold: float) -> Mask:
    """1 x S x S probabilities as a bool mask S x S."""
    return np.asarray(prob[0].cpu().numpy() > threshold)


def match_loss(logits: Tensor, reference: Tensor, gt: Tensor, recipe: MaskMatchRecipe) -> Tensor:
    """One loss for each of the N samples of the second interaction, weighted.

    logits: O12; reference: O11 of the same samples; gt: 1, 0 or -1 (ignored); all N x 1 x S x S.
    With `loss = "supervised"` the ground truth takes the place of O11 (the paper's Table 4).
    """
    if recipe.loss == "supervised":
        return recipe.weight * normalised_focal_loss(logits, gt.float())
    by_count = recipe.average == "selected"
    return recipe.weight * matching_loss(
        logits, reference, recipe.confidence, recipe.two_sided, by_count
    )
