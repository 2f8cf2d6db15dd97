"""BRS's network: a DenseNet-121 whose first layer sees the clicks, a coarse and a fine decoder
[brs2019; docs/zoo.md §Z.7].

Written as the authors' Caffe network is laid out: a unit is a convolution, a PReLU and then a
BatchNorm without scale and shift.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.errors import CheckpointError
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import ModelSpec

STEM, GROWTH, BOTTLENECK = 64, 32, 128  # DenseNet-121's channels
BLOCKS = (6, 12, 24, 16)  # its layers, by block
TAPS = (256, 512, 1024, 1024)  # channels of the blocks' ends, at strides 4, 8, 16 and 32
SQUEEZED = (16, 32, 64, 64)  # channels that each tap's gate is computed from
DECODED = (64, 128, 256, 512)  # widths of the coarse decoder's levels
FINE, BRANCH, DILATIONS = 32, 16, (1, 2, 3)


def unit(
    inputs: int, outputs: int, kernel: int, dilation: int = 1, *, bias: bool = False
) -> nn.Sequential:
    """Convolution, PReLU with a slope for each channel, BatchNorm without scale and shift."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=bias),
        nn.PReLU(outputs),
        nn.BatchNorm2d(outputs, affine=False),
    )


class DenseLayer(nn.Module):
    """Adds 32 channels to those that came in."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, BOTTLENECK, 1, bias=False),
            nn.BatchNorm2d(BOTTLENECK),
            nn.ReLU(),
            nn.Conv2d(BOTTLENECK, GROWTH, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x (inputs + 32) x h x w."""
        return torch.cat([x, self.body(x)], dim=1)


class DenseNet121(nn.Module):
    """The four blocks' raw ends, finest first: what is concatenated there, before any BatchNorm."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, STEM, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(STEM),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
        )
        self.blocks = nn.ModuleList()
        width = STEM
        for count, tap in zip(BLOCKS, TAPS, strict=True):
            layers = [DenseLayer(width + GROWTH * i) for i in range(count)]
            self.blocks.append(nn.Sequential(*layers))
            width = tap // 2  # the transition behind a block halves its channels
        self.transitions = nn.ModuleList()
        for tap in TAPS[:3]:
            narrow = nn.Conv2d(tap, tap // 2, 1, bias=False)
            transition = nn.Sequential(nn.BatchNorm2d(tap), nn.ReLU(), narrow, nn.AvgPool2d(2))
            self.transitions.append(transition)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: B x inputs x H x W, whose sides are multiples of 32."""
        x, ends = self.stem(x), []
        for block, transition in zip(self.blocks, [*self.transitions, nn.Identity()], strict=True):
            ends.append(block(x))
            x = transition(ends[-1])
        return ends


class ChannelGate(nn.Module):
    """Scales each channel by what the means of all channels say: squeeze and excitation."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Any B x channels x h x w."""
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))


class CoarseLevel(nn.Module):
    """Three units on one level; every level but the deepest first joins what comes from below with
    its own tap."""

    def __init__(self, tap: int, squeezed: int, width: int, *, joins: bool) -> None:
        super().__init__()
        self.gate = ChannelGate(tap, squeezed)
        self.skip: nn.Module = nn.Identity()
        inputs = tap
        if joins:
            self.skip = unit(tap, width, 1, bias=True)
            inputs = 2 * width
        self.units = nn.Sequential(
            unit(inputs, width, 3), unit(width, width, 3), unit(width, width // 2, 1)
        )

    def forward(self, tap: Tensor, below: Tensor | None) -> Tensor:
        """B x width / 2 x h x w at the tap's resolution."""
        own = self.skip(self.gate(tap))
        if below is not None:
            own = torch.cat([below, own], dim=1)
        joined: Tensor = self.units(own)
        return joined


def doubled(width: int) -> nn.Sequential:
    """A learned upsampling to twice the resolution."""
    return nn.Sequential(
        nn.ConvTranspose2d(width, width, 2, 2, bias=False),
        nn.PReLU(width),
        nn.BatchNorm2d(width, affine=False),
    )


class CoarseDecoder(nn.Module):
    """From the taps to logits at the input's resolution, by way of a prediction at a quarter of
    it."""

    def __init__(self) -> None:
        super().__init__()
        deepest_first = list(zip(TAPS, SQUEEZED, DECODED, strict=True))[::-1]
        self.levels = nn.ModuleList()
        for tap, squeezed, width in deepest_first:
            self.levels.append(CoarseLevel(tap, squeezed, width, joins=len(self.levels) > 0))
        # Behind every level but the finest, which ends with half of its width.
        self.doublings = nn.ModuleList([doubled(width // 2) for width in DECODED[:0:-1]])
        self.predict = nn.Conv2d(DECODED[0] // 2, 1, 1)
        self.enlarge = nn.ConvTranspose2d(1, 1, 4, 4, bias=False)

    def forward(self, taps: list[Tensor]) -> Tensor:
        """taps: finest first. Logits B x 1 x H x W."""
        deepest, *others = self.levels
        x = deepest(taps[-1], None)
        for level, tap, double in zip(others, taps[-2::-1], self.doublings, strict=True):
            x = level(tap, double(x))
        logits: Tensor = self.enlarge(self.predict(x))
        return logits


class FineDecoder(nn.Module):
    """From input and coarse probability to the last logits, at full resolution: three dilations
    side by side."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for dilation in DILATIONS:
            wide = unit(inputs, FINE, 3, dilation)
            self.branches.append(nn.Sequential(wide, unit(FINE, FINE, 3), unit(FINE, BRANCH, 1)))
        channels = BRANCH * len(DILATIONS)
        self.gate = ChannelGate(channels, 3)
        self.mix = unit(channels, BRANCH, 3)
        self.logits = nn.Conv2d(BRANCH, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits B x 1 x H x W and features B x 48 x H x W."""
        seen = [branch(x) for branch in self.branches]
        features = self.gate(torch.cat(seen, dim=1))
        return self.logits(self.mix(features)), features


class BrsDenseNet(InteractiveNetwork):
    """The network; its maps are the nearness of positive and of negative clicks, B x 2 x H x W."""

    encoder: DenseNet121
    runs_on_onnx: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = DenseNet121(5)
        self.coarse_decoder = CoarseDecoder()
        self.fine_decoder = FineDecoder(6)
        self.refiner = None

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """Raises CheckpointError: nobody published such weights for five input channels."""
        raise CheckpointError(
            f"There are no ImageNet weights for {self.spec.model}, whose first layer sees the "
            "clicks: start from imported weights with --init."
        )

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """None: already the first layer sees the clicks."""
        return iter(())

    def early(self, image: Tensor) -> Tensor:
        """The image as the network has it, blue first."""
        return image.flip(1)

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the base class; features are B x 48 x H x W, third are the coarse decoder's
        logits."""
        seen = torch.cat([c1, maps], dim=1)
        coarse = self.coarse_decoder(self.encoder(seen))
        logits, features = self.fine_decoder(torch.cat([seen, torch.sigmoid(coarse)], dim=1))
        return logits, features, coarse
