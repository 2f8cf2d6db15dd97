"""How RITM's family lets clicks in: two convolutions, whose result is added to the image's first
map [ritm2022; docs/method.md §A.5]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = 64
INITIAL_SCALE = 0.05  # of the clicks' features beside the image's, before training


class Scale(nn.Module):
    """Multiplies by the absolute value of one learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), INITIAL_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """Any tensor."""
        return x * self.scale.abs()


def click_branch(maps: int) -> nn.Sequential:
    """B x maps x S x S to B x CHANNELS x S/2 x S/2, small at first."""
    return nn.Sequential(
        nn.Conv2d(maps, 16, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, CHANNELS, 3, 2, padding=1), Scale()
    )
