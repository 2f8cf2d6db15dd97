"""FCFI's two modules, which mend what the network is told of its last answer and then use it
[fcfi2023; docs/zoo.md §Z.6].

"Feedback" is that answer's probability, at the features' resolution. It is first corrected around
the newest click, then updated together with the features, which it is finally added to.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.refiner import ConvUnit, SeparableUnit
from vtmr.models.residual import upsampled

BOX_RATIO = 0.3  # of the image's sides: the box around the newest click that is corrected
SOFTNESS = 10.0  # of that box's edges in training, per cell


class Newest(NamedTuple):
    """The newest click of each of B samples: row and column in pixels (whole numbers), whether it
    is positive and whether there were clicks before it (both 0 or 1); float tensors of B."""

    row: Tensor
    col: Tensor
    positive: Tensor
    later: Tensor

    @staticmethod
    def of(maps: Tensor) -> Newest:
        """From B x 1 x H x W maps as `inputs.newest_map` makes them."""
        flat = maps.flatten(1)
        # Its pixel alone isn't 0; a map without a click gives the first pixel and a value of 0.
        place = flat.abs().argmax(dim=1)
        value = flat.gather(1, place[:, None])[:, 0]
        width = maps.shape[3]
        row, col = torch.div(place, width, rounding_mode="floor"), place % width
        return Newest(
            row.to(maps.dtype),
            col.to(maps.dtype),
            (value > 0).to(maps.dtype),
            (value.abs() > 1).to(maps.dtype),
        )


class Span(NamedTuple):
    """Of B boxes along one axis of the features: the click's cell, and from where to where the box
    reaches."""

    cell: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(click: Tensor, pixels: int, cells: int) -> Span:
        """click: in whole pixels along that axis, of which the image has `pixels`."""
        half = int(BOX_RATIO * pixels / 2 + 0.5)
        low, high = (click - half).clamp(min=0), (click + half).clamp(max=pixels)
        scale = cells / pixels
        return Span((click * scale).floor(), (low * scale).floor(), (high * scale).ceil())

    def inside(self, cells: int) -> Tensor:
        """B x cells: 1 in the box, else 0."""
        knots = torch.arange(cells, device=self.low.device)[None]
        return ((knots >= self.low[:, None]) & (knots < self.high[:, None])).to(self.low.dtype)

    def softly_inside(self, cells: int) -> Tensor:
        """B x cells: the same with soft edges, for training."""
        knots = torch.arange(cells, device=self.low.device, dtype=self.low.dtype)[None]
        rise = torch.sigmoid(SOFTNESS * (knots - self.low[:, None]))
        return rise - torch.sigmoid(SOFTNESS * (knots - self.high[:, None]))


class FocusedCorrection(nn.Module):
    """Around the newest click, cells that look like the click's own take its label.

    inputs: channels of all that is looked at: image, click maps, feedback and features.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            ConvUnit(inputs, width, 3), SeparableUnit(width), SeparableUnit(width)
        )

    def forward(
        self, image: Tensor, maps: Tensor, feedback: Tensor, features: Tensor, newest: Newest
    ) -> tuple[Tensor, Tensor]:
        """The corrected feedback and the box, both B x 1 x h x w.

        image: normalised B x 3 x H x W; maps: the clicks', B x C x H x W; feedback: probability
        B x 1 x H x W; features: B x E x h x w.
        """
        rows = Span.of(newest.row, image.shape[2], features.shape[2])
        cols = Span.of(newest.col, image.shape[3], features.shape[3])
        coarse = upsampled(feedback, features)
        seen = [upsampled(image, features), upsampled(maps, features), coarse, features]
        encoded = F.normalize(self.encoder(torch.cat(seen, dim=1)), dim=1)
        # Both are normalised: the product is the cosine of their angle.
        similar = (encoded * at_cells(encoded, rows.cell, cols.cell)).sum(dim=1, keepdim=True)
        height, width = features.shape[2:]
        if self.training:
            box = rows.softly_inside(height)[:, :, None] * cols.softly_inside(width)[:, None]
        else:
            box = rows.inside(height)[:, :, None] * cols.inside(width)[:, None]
        box = box[:, None]
        label = newest.positive[:, None, None, None]
        return coarse + box * similar * (label - coarse), box


def at_cells(maps: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """B x C x 1 x 1: each sample's features in its cell."""
    samples = torch.arange(len(maps), device=maps.device)
    picked: Tensor = maps[samples, :, rows.long(), cols.long()]
    return picked[:, :, None, None]


class CollaborativeFusion(nn.Module):
    """Feedback and features mend each other: the feedback is predicted anew, then added to every
    feature."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.narrow = ConvUnit(features, width, 1)
        self.update = nn.Sequential(
            ConvUnit(width + 1, width, 3),
            SeparableUnit(width),
            SeparableUnit(width),
            nn.Conv2d(width, 1, 3, padding=1),
        )
        self.residual = ConvUnit(features + 1, 1, 1)

    def forward(self, features: Tensor, feedback: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """The features with what the feedback adds, and the updated feedback B x 1 x h x w.

        gate: of B, 0 where nothing is to be added: the first click has no feedback.
        """
        updated = torch.sigmoid(self.update(torch.cat([feedback, self.narrow(features)], dim=1)))
        residual = self.residual(torch.cat([features, updated], dim=1))
        return features + gate[:, None, None, None] * residual, updated
