"""ResNet "v1s" with dilated last stages, the backbone of CDNet, f-BRS and FCFI [docs/zoo.md
§Z.2]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.residual import EXPANSION, basic_block, bottleneck, conv_norm

STEM = 64
WIDTHS = (64, 128, 256, 512)
STRIDES = (1, 2, 1, 1)  # of the stages: with stem and pooling the last two stay at stride 8
DILATIONS = (1, 1, 2, 4)


class ResNetSize(NamedTuple):
    """Blocks in each of the four stages; with bottlenecks the stem is three convolutions deep."""

    blocks: tuple[int, int, int, int]
    bottlenecks: bool


RESNET_34 = ResNetSize((3, 4, 6, 3), bottlenecks=False)
RESNET_50 = ResNetSize((3, 4, 6, 3), bottlenecks=True)
RESNET_101 = ResNetSize((3, 4, 23, 3), bottlenecks=True)


def bottlenecks(inputs: int, width: int, stride: int, dilations: Sequence[int]) -> nn.Sequential:
    """One stage of bottlenecks, as many as there are dilations (of their 3x3 convolutions)."""
    first, *others = dilations
    outputs = EXPANSION * width
    blocks = [bottleneck(inputs, width, stride, first)]
    blocks += [bottleneck(outputs, width, 1, dilation) for dilation in others]
    return nn.Sequential(*blocks)


def basic_blocks(inputs: int, width: int, stride: int, dilations: Sequence[int]) -> nn.Sequential:
    """One stage of basic blocks; dilations: of their first convolutions, the second ones have the
    last block's."""
    first, *others = dilations
    second = dilations[-1]
    blocks = [basic_block(inputs, width, stride, (first, second))]
    blocks += [basic_block(width, width, 1, (dilation, second)) for dilation in others]
    return nn.Sequential(*blocks)


class ResNet(nn.Module):
    """Maps at strides 2, 4 and 8. What joins the image may join it before or after `early`.

    early_channels: of `early`; channels: of the two maps that `late` gives.
    """

    def __init__(self, size: ResNetSize) -> None:
        super().__init__()
        self.stem: nn.Module
        if size.bottlenecks:
            self.early_channels, expansion, stage = 2 * STEM, EXPANSION, bottlenecks
            self.stem = _deep_stem()
        else:
            self.early_channels, expansion, stage = STEM, 1, basic_blocks
            self.stem = nn.Conv2d(3, STEM, 7, 2, 3, bias=False)
        self.channels = (expansion * WIDTHS[0], expansion * WIDTHS[-1])
        self.norm = nn.BatchNorm2d(self.early_channels)
        stages = []
        inputs = self.early_channels
        for width, blocks, stride, dilation in zip(
            WIDTHS, size.blocks, STRIDES, DILATIONS, strict=True
        ):
            # The first block of a dilated stage still has the stage before's dilation.
            dilations = [max(1, dilation // 2), *[dilation] * (blocks - 1)]
            stages.append(stage(inputs, width, stride, dilations))
            inputs = expansion * width
        self.stages = nn.ModuleList(stages)

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """Those that `early` uses."""
        return chain(self.stem.parameters(), self.norm.parameters())

    def early(self, image: Tensor) -> Tensor:
        """B x early_channels x H/2 x W/2 of B x 3 x H x W."""
        return F.relu(self.norm(self.stem(image)))

    def late(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From `early`'s map: the first stage's map at stride 4 and the last one's at stride 8."""
        low: Tensor = self.stages[0](F.max_pool2d(x, 3, 2, 1))
        high = low
        for stage in self.stages[1:]:
            high = stage(high)
        return low, high


def _deep_stem() -> nn.Sequential:
    """Three 3x3 convolutions, the first with stride 2; the last one's BatchNorm is the network's
    `norm`."""
    return nn.Sequential(
        *conv_norm(3, STEM, 3, 2),
        *conv_norm(STEM, STEM, 3),
        nn.Conv2d(STEM, 2 * STEM, 3, 1, 1, bias=False),
    )
