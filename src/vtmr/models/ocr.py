"""The object-context head [ocr2020; docs/method.md §A.5]: pixels look at the mean feature of what
seems to be the object."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vtmr.models.residual import conv_norm

DROPOUT = 0.05


class ObjectContextHead(nn.Module):
    """From features of `inputs` channels to 2 * width features, logits, and the auxiliary logits
    that guide them."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.auxiliary = nn.Sequential(
            nn.Conv2d(inputs, inputs, 1), nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 1, 1)
        )
        self.pixels = nn.Sequential(
            nn.Conv2d(inputs, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU()
        )
        self.query = nn.Sequential(conv_norm(2 * width, width, 1), conv_norm(width, width, 1))
        self.key = nn.Sequential(conv_norm(2 * width, width, 1), conv_norm(width, width, 1))
        self.value = conv_norm(2 * width, width, 1)
        self.spread = conv_norm(width, 2 * width, 1)
        self.mix = conv_norm(4 * width, 2 * width, 1)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.logits = nn.Conv2d(2 * width, 1, 1)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, features B x 2 width x h x w and auxiliary logits, all at the resolution of
        `maps`."""
        auxiliary = self.auxiliary(maps)
        pixels = self.pixels(maps)
        # B x 1 x hw: each pixel's part in the object.
        share = torch.softmax(auxiliary.flatten(2), dim=2)
        region = torch.matmul(share, pixels.flatten(2).transpose(1, 2))  # B x 1 x 2 width
        features = self.dropout(self.mix(torch.cat([self._context(pixels, region), pixels], dim=1)))
        return self.logits(features), features, auxiliary

    def _context(self, pixels: Tensor, region: Tensor) -> Tensor:
        """What each pixel takes from the regions. With one region, all of it: the softmax over
        regions is 1.

        Query and key are computed all the same, since the published weights have them.
        """
        regions = region.transpose(1, 2)[..., None]  # B x 2 width x regions x 1
        query = self.query(pixels).flatten(2).transpose(1, 2)
        similarity = torch.matmul(query, self.key(regions).flatten(2)) * self.width**-0.5
        value = self.value(regions).flatten(2).transpose(1, 2)
        context = torch.matmul(torch.softmax(similarity, dim=2), value).transpose(1, 2)
        spread: Tensor = self.spread(
            context.reshape(context.shape[0], self.width, *pixels.shape[2:])
        )
        return spread
