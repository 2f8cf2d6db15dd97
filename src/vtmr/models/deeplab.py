"""The DeepLabV3+ decoder and heads of separable convolutions, of CDNet, f-BRS and FCFI
[deeplabv3plus2018; docs/zoo.md §Z.2]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vtmr.models.residual import conv_norm, upsampled

SKIP = 32  # channels that the fine map is narrowed to
DILATIONS = (12, 24, 36)


class SeparableConv(nn.Sequential):
    """Depthwise 3x3 and 1x1 convolutions without bias and nothing in between, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


def separable_head(inputs: int, width: int, outputs: int, depth: int = 2) -> nn.Sequential:
    """`depth` separable convolutions, then a 1x1 convolution with bias to `outputs`."""
    units: list[nn.Module] = [SeparableConv(inputs, width)]
    for _ in range(depth - 1):
        units.append(SeparableConv(width, width))
    return nn.Sequential(*units, nn.Conv2d(width, outputs, 1))


class Aspp(nn.Module):
    """The same map seen at five scales, mixed by a 1x1 convolution: inputs to `width` channels."""

    def __init__(self, inputs: int, width: int, dilations: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList([conv_norm(inputs, width, 1)])
        for dilation in dilations:
            self.branches.append(conv_norm(inputs, width, 3, dilation=dilation))
        self.pooled = conv_norm(inputs, width, 1)
        self.project = conv_norm((len(dilations) + 2) * width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x width x h x w."""
        whole = self.pooled(x.mean(dim=(2, 3), keepdim=True))
        seen = [branch(x) for branch in self.branches]
        # To enlarge a single cell bilinearly, as the authors do, is to repeat it.
        together = torch.cat([*seen, whole.expand_as(seen[0])], dim=1)
        mixed: Tensor = self.dropout(self.project(together))
        return mixed


class DeepLabDecoder(nn.Module):
    """From a backbone's maps at strides 4 (low) and 8 (high) to `width` channels at stride 4.

    In three parts, since f-BRS corrects the maps between them and CDNet passes messages there:
    `decoder(joined(aspp(high), low))` is the whole.
    """

    def __init__(self, low: int, high: int, width: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.skip = conv_norm(low, SKIP, 1)
        self.aspp = Aspp(high, width, DILATIONS, dropout)
        self.decoder = separable_head(width + SKIP, width, width)

    def joined(self, context: Tensor, low: Tensor) -> Tensor:
        """B x (width + SKIP) at stride 4. context: the ASPP's map at stride 8."""
        skip = self.skip(low)
        return torch.cat([upsampled(context, skip), skip], dim=1)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """All three parts."""
        features: Tensor = self.decoder(self.joined(self.aspp(high), low))
        return features
