"""Losses on logits. Labels are float: 1 object, 0 background, -1 ignored."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12


def normalised_focal_loss(logits: Tensor, labels: Tensor, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Focal loss whose weights sum to the number of valid pixels in each sample [adaptis2019; facts.md §C.7].

    logits, labels: B x 1 x H x W. Returns B losses. The normaliser is detached: gradients flow through the focal
    weight and the logarithm only.

    >>> logits = torch.linspace(-3, 3, 16).reshape(1, 1, 4, 4)
    >>> labels = (torch.arange(16) % 3 == 0).float().reshape(1, 1, 4, 4)
    >>> round(normalised_focal_loss(logits, labels).item(), 6)
    0.967398
    """
    valid = labels != -1
    confidence = torch.where(valid, 1 - (labels - torch.sigmoid(logits)).abs(), torch.ones_like(logits))
    focal = (1 - confidence) ** gamma
    count = valid.sum(dim=(1, 2, 3)).to(logits.dtype)
    with torch.no_grad():
        scale = count / ((focal * valid).sum(dim=(1, 2, 3)) + TINY)
    balance = torch.where(labels > 0.5, alpha, 1 - alpha)
    pixel = -balance * scale[:, None, None, None] * focal * torch.log((confidence + TINY).clamp(max=1)) * valid
    return pixel.sum(dim=(1, 2, 3)) / (count + TINY)
