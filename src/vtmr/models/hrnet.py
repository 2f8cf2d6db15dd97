"""HRNetV2 as an encoder: branches at strides 4 to 32 that keep exchanging [hrnet2020;
docs/method.md §A.5]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.residual import EXPANSION, basic_block, bottleneck, conv_norm, upsampled

STEM = 64
BOTTLENECK = 64


class HRNetSize(NamedTuple):
    """Width of the finest branch (each further one has twice as many), blocks per branch, exchanges
    per stage.

    rectified: whether a branch's sum of all passes a ReLU; in FCFI's it doesn't.
    """

    width: int
    blocks: int
    exchanges: tuple[int, int, int]
    rectified: bool = True


class Exchange(nn.Module):
    """Blocks on every branch, then every branch gets the sum of all, each brought to its resolution
    and width."""

    def __init__(self, widths: tuple[int, ...], blocks: int, rectified: bool = True) -> None:
        super().__init__()
        self.rectified = rectified
        self.branches = nn.ModuleList()
        for width in widths:
            branch = [basic_block(width, width) for _ in range(blocks)]
            self.branches.append(nn.Sequential(*branch))
        self.fusions = nn.ModuleList()
        for target in range(len(widths)):
            fusions = [self._fusion(widths, source, target) for source in range(len(widths))]
            self.fusions.append(nn.ModuleList(fusions))

    @staticmethod
    def _fusion(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
        """From a coarser branch one 1x1 convolution (then upsampling), from a finer one halvings by
        convolution."""
        if source == target:
            return nn.Identity()
        if source > target:
            # Without a ReLU: it is the sum that passes one.
            return conv_norm(widths[source], widths[target], 1, relu=False)
        width = widths[source]
        halvings = [conv_norm(width, width, 3, 2) for _ in range(target - source - 1)]
        return nn.Sequential(*halvings, conv_norm(width, widths[target], 3, 2, relu=False))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map per branch, finest first, to the same shapes."""
        own = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused: list[Tensor] = []
        for target, fusions in enumerate(self.fusions):
            parts = [fusion(x) for fusion, x in zip(cast(nn.ModuleList, fusions), own, strict=True)]
            finer, coarser = parts[: target + 1], parts[target + 1 :]
            enlarged = [upsampled(part, own[target]) for part in coarser]
            total = cast(Tensor, sum(finer) + sum(enlarged))
            if self.rectified:
                total = F.relu(total)
            fused.append(total)
        return fused


class Stage(nn.Module):
    """A transition that opens one more branch, then exchanges."""

    def __init__(
        self, before: tuple[int, ...], widths: tuple[int, ...], size: HRNetSize, exchanges: int
    ) -> None:
        super().__init__()
        opened = conv_norm(before[-1], widths[-1], 3, 2)
        self.transition = nn.ModuleList()
        for old, new in zip(before, widths, strict=False):  # `widths` has the opened branch as well
            if old == new:
                self.transition.append(nn.Identity())
            else:
                self.transition.append(conv_norm(old, new, 3))
        self.transition.append(opened)
        repeated = [Exchange(widths, size.blocks, size.rectified) for _ in range(exchanges)]
        self.exchanges = nn.Sequential(*repeated)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map per branch, finest first, to one more; the new branch grows from the coarsest."""
        sources = [*maps, maps[-1]]
        opened = [step(x) for step, x in zip(self.transition, sources, strict=True)]
        exchanged: list[Tensor] = self.exchanges(opened)
        return exchanged


class HRNet(nn.Module):
    """All branches at stride 4, 15 * width channels; the clicks join at stride 2."""

    def __init__(self, size: HRNetSize) -> None:
        super().__init__()
        w = size.width
        widths = (w, 2 * w, 4 * w, 8 * w)
        outputs = EXPANSION * BOTTLENECK
        self.channels = sum(widths)
        self.stem1 = conv_norm(3, STEM, 3, 2)
        self.stem2 = conv_norm(STEM, STEM, 3, 2)
        further = [bottleneck(outputs, BOTTLENECK) for _ in range(size.blocks - 1)]
        self.bottlenecks = nn.Sequential(bottleneck(STEM, BOTTLENECK), *further)
        self.stage2 = Stage((outputs,), widths[:2], size, size.exchanges[0])
        self.stage3 = Stage(widths[:2], widths[:3], size, size.exchanges[1])
        self.stage4 = Stage(widths[:3], widths, size, size.exchanges[2])

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """Those that `early` uses."""
        return self.stem1.parameters()

    def early(self, image: Tensor) -> Tensor:
        """B x 64 x S/2 x S/2: all that doesn't depend on the clicks."""
        x: Tensor = self.stem1(image)
        return x

    def late(self, x: Tensor) -> Tensor:
        """B x 15 width x S/4 x S/4 from the map at stride 2, clicks included."""
        single = self.bottlenecks(self.stem2(x))
        finest, *coarser = self.stage4(self.stage3(self.stage2([single])))
        enlarged = [upsampled(x, finest) for x in coarser]
        return torch.cat([finest, *enlarged], dim=1)
