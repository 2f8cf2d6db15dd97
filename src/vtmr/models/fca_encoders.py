"""FCA's two encoders, ResNet-101 and Res2Net-101, whose first layer sees image and clicks
[fca2020; docs/zoo.md §Z.5].

Both end at stride 16; the last stage's three blocks have dilations 2, 4 and 8.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.residual import EXPANSION, bottleneck, conv_norm

INPUTS, STEM = 5, 64
LAYERS = (3, 4, 23, 3)
STRIDES = (1, 2, 2, 1)  # of the stages' first blocks
LAST_DILATIONS = (2, 4, 8)
SPLITS, SPLIT_SHARE = 4, 26 / 64  # of Res2Net "26w x 4"


class SplitBlock(nn.Module):
    """Res2Net's block: the channels in four parts, each but the first also seeing the answer of the
    one before.

    first: of a stage, where the parts don't see each other and the stride is.
    """

    def __init__(self, inputs: int, width: int, stride: int, dilation: int, *, first: bool) -> None:
        super().__init__()
        outputs, part = EXPANSION * width, int(width * SPLIT_SHARE)
        self.first = first
        self.narrow = conv_norm(inputs, SPLITS * part, 1)
        splits = [conv_norm(part, part, 3, stride, dilation=dilation) for _ in range(SPLITS - 1)]
        self.splits = nn.ModuleList(splits)
        self.rest: nn.Module = nn.Identity()
        if stride > 1:
            self.rest = nn.AvgPool2d(3, stride, padding=1)
        self.widen = conv_norm(SPLITS * part, outputs, 1, relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if first:
            self.shortcut = nn.Sequential(
                # Of an odd side the last row counts, too, with the pixels that it has.
                nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
                *conv_norm(inputs, outputs, 1, relu=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x outputs x h/stride x w/stride."""
        *parts, rest = self.narrow(x).chunk(SPLITS, dim=1)
        answers: list[Tensor] = []
        for split, part in zip(self.splits, parts, strict=True):
            if answers and not self.first:
                part = part + answers[-1]
            answers.append(split(part))
        mixed = self.widen(torch.cat([*answers, self.rest(rest)], dim=1))
        return F.relu(mixed + self.shortcut(x))


class FcaEncoder(nn.Module):
    """Stem and four stages."""

    def __init__(self, stem: nn.Sequential) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList()
        inputs = STEM
        for number, layers in enumerate(LAYERS):
            width = STEM * 2**number
            stride, dilations = STRIDES[number], [1] * layers
            if number == 3:
                dilations = list(LAST_DILATIONS)
            blocks: list[nn.Module] = []
            for dilation in dilations:
                first = not blocks
                blocks.append(self.block(inputs, width, stride, dilation, first=first))
                inputs, stride = EXPANSION * width, 1
            self.stages.append(nn.Sequential(*blocks))

    @staticmethod
    @abstractmethod
    def block(inputs: int, width: int, stride: int, dilation: int, *, first: bool) -> nn.Module:
        """One block of a stage."""

    def fine(self, x: Tensor) -> Tensor:
        """B x 5 x H x W to B x 256 x H/4 x W/4."""
        x = F.max_pool2d(self.stem(x), 3, 2, padding=1)
        fine: Tensor = self.stages[0](x)
        return fine

    def deep(self, fine: Tensor) -> Tensor:
        """What `fine` gives to B x 2048 x H/16 x W/16."""
        x = fine
        for stage in self.stages[1:]:
            x = stage(x)
        return x


class ResNet101(FcaEncoder):
    """With one 7x7 convolution first."""

    def __init__(self) -> None:
        super().__init__(conv_norm(INPUTS, STEM, 7, 2))

    @staticmethod
    def block(inputs: int, width: int, stride: int, dilation: int, *, first: bool) -> nn.Module:
        """See the base class."""
        return bottleneck(inputs, width, stride, dilation)


class Res2Net101(FcaEncoder):
    """With three 3x3 convolutions first."""

    def __init__(self) -> None:
        half = STEM // 2
        super().__init__(
            nn.Sequential(
                *conv_norm(INPUTS, half, 3, 2), *conv_norm(half, half, 3), *conv_norm(half, STEM, 3)
            )
        )

    @staticmethod
    def block(inputs: int, width: int, stride: int, dilation: int, *, first: bool) -> nn.Module:
        """See the base class."""
        return SplitBlock(inputs, width, stride, dilation, first=first)
