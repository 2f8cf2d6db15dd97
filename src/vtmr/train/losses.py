"""Losses on logits. Labels are float: 1 object, 0 background, -1 ignored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-12  # no division by the weights of an answer that is right everywhere


def normalised_focal_loss(
    logits: Tensor, labels: Tensor, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """Focal loss whose weights sum to the number of valid pixels in each sample [adaptis2019;
    docs/method.md §C.7].

    logits, labels: B x 1 x H x W. Returns B losses. The normaliser is detached: gradients flow
    through the focal weight and the logarithm only.

    >>> logits = torch.linspace(-3, 3, 16).reshape(1, 1, 4, 4)
    >>> labels = (torch.arange(16) % 3 == 0).float().reshape(1, 1, 4, 4)
    >>> round(normalised_focal_loss(logits, labels).item(), 6)
    0.967398
    """
    pixel, count = focal_pixels(logits, labels, alpha, gamma)
    return pixel.sum(dim=(1, 2, 3)) / (count + TINY)


def boundary_focal_loss(
    logits: Tensor, labels: Tensor, edge: Tensor, total: Tensor | None = None
) -> Tensor:
    """The normalised focal loss with pixels of the edge band counted twice, one mean over the batch
    [docs/method.md §C.7].

    logits, labels: B x 1 x H x W; edge: 0 or 1, the same shape. Returns one number. total: the sum
    of `boundary_weights` over the whole batch, where this is a micro-batch of it; their losses add
    up to the whole's.
    """
    weight = boundary_weights(edge)
    pixel, _ = focal_pixels(logits, labels, alpha=0.5, gamma=2.0)
    if total is None:
        total = weight.sum()
    return (pixel * weight).sum() / total


def boundary_weights(edge: Tensor) -> Tensor:
    """1 in the edge band and .5 elsewhere; edge: 0 or 1."""
    return 0.5 + 0.5 * edge


def focal_pixels(
    logits: Tensor, labels: Tensor, alpha: float, gamma: float
) -> tuple[Tensor, Tensor]:
    """The loss of each pixel (0 where ignored), and the number of valid pixels in each of the B
    samples."""
    valid = labels != -1
    confidence = torch.where(
        valid, 1 - (labels - torch.sigmoid(logits)).abs(), torch.ones_like(logits)
    )
    focal = (1 - confidence) ** gamma
    count = valid.sum(dim=(1, 2, 3)).to(logits.dtype)
    # Well-answered pixels' weights vanish; scaled, those left count as much as all did before.
    with torch.no_grad():
        scale = count / ((focal * valid).sum(dim=(1, 2, 3)) + TINY)
    balance = torch.where(labels > 0.5, alpha, 1 - alpha)
    # Ignored pixels have confidence 1, whose logarithm is 0 without a gradient of infinity.
    pixel = (
        -balance
        * scale[:, None, None, None]
        * focal
        * torch.log((confidence + TINY).clamp(max=1))
        * valid
    )
    return pixel, count


def matching_loss(
    logits: Tensor,
    reference: Tensor,
    confidence: float = 0.9,
    two_sided: bool = False,
    by_count: bool = False,
) -> Tensor:
    """Cross-entropy to the probabilities of another prediction where that one is sure [vtmr2024,
    eq. 1].

    logits, reference: B x 1 x H x W, both logits. Returns B losses. The reference is a constant:
    gradients flow through `logits` alone. Sure means a probability above `confidence`, or also one
    below 1 - confidence when `two_sided`. The mean is over all pixels, or over the sure ones when
    `by_count` (0 where there are none). The least value possible is the reference's own entropy,
    not 0.

    >>> logits, reference = torch.zeros(1, 1, 1, 4), torch.tensor([[[[-9.0, 0.0, 2.0, 9.0]]]])
    >>> round(matching_loss(logits, reference).item(), 4)  # log 2 at the last pixel of four
    0.1733
    """
    target = torch.sigmoid(reference.detach())
    sure = target > confidence
    if two_sided:
        sure = sure | (target < 1 - confidence)
    pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * sure
    if by_count:
        return pixel.sum(dim=(1, 2, 3)) / sure.sum(dim=(1, 2, 3)).clamp(min=1)
    return pixel.mean(dim=(1, 2, 3))
