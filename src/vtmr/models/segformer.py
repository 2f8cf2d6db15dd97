"""FocalClick's and VTMR's SegFormer: Mix Transformer, MLP head, refiner [docs/method.md §A]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.encoder_weights import NVIDIA_LICENCE, mit_weights
from vtmr.models.mit import MitSize, MixTransformer
from vtmr.models.network import InteractiveNetwork
from vtmr.models.refiner import Refiner
from vtmr.spec import ModelSpec

DROPOUT = 0.1


class MlpFusionHead(nn.Module):
    """Each level projected by a linear layer, brought to the first level's size, all mixed by a 1x1
    convolution.

    Computed in another order than it is written in the papers: projection and mixing are linear and
    commute with upsampling, so each level is sent through the product of its two matrices at its
    own resolution. With B0 at 256 pixels that is 0.06 instead of 1.1 billion multiplications, for
    the same function and the same parameters.
    """

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(channels, width) for channels in levels)
        # Inputs: the deepest level first.
        self.fuse = nn.Conv2d(len(levels) * width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.logits = nn.Conv2d(width, 1, 1)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Logits B x 1 x h x w and features B x width x h x w at the first level's resolution."""
        # Each level's columns of the mixing matrix.
        blocks = self.fuse.weight[:, :, 0, 0].chunk(len(maps), dim=1)[::-1]
        total: Tensor | None = None
        for level, block, x in zip(cast(list[nn.Linear], self.levels), blocks, maps, strict=True):
            mixed = F.conv2d(
                x, torch.matmul(block, level.weight)[:, :, None, None], torch.mv(block, level.bias)
            )
            if total is None:
                total = mixed
            else:
                total = total + F.interpolate(
                    mixed, size=total.shape[2:], mode="bilinear", align_corners=False
                )
        features = self.dropout(F.relu(self.norm(total)))
        return self.logits(features), features


class SegFormer(InteractiveNetwork):
    """The coarse network with MiT and MLP head, and its refiner.

    halved: FocalClick's "S1", whose coarse network sees image and maps at half the input size.
    """

    encoder: MixTransformer

    def __init__(
        self, spec: ModelSpec, size: MitSize, head_width: int, *, halved: bool = False
    ) -> None:
        super().__init__()
        self.spec = spec
        self.halved = halved
        self.encoder = MixTransformer(size)
        self.head = MlpFusionHead(size.widths, head_width)
        self.refiner = Refiner(head_width)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """From a file of `mit_b*.pth` in the official layout or in that of Hugging Face; see the
        base class."""
        weights = mit_weights(path, self.encoder)
        # All but `interaction`, as mit_weights has checked.
        self.encoder.load_state_dict(weights, strict=False)
        return replace(self.spec, licence=NVIDIA_LICENCE)

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """See the base class."""
        return self.encoder.early_parameters()

    def early(self, image: Tensor) -> Tensor:
        """Stage 1's map, B x widths[0] x S/4 x S/4, or S/8 x S/8 where the input is halved."""
        return self.encoder.early(self._scaled(image))

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; features have the resolution of c1, there are no auxiliary logits."""
        logits, features = self.head((c1, *self.encoder.late(c1, self._scaled(maps))))
        # Corners aligned here, though not in the head: so it is in the official code.
        whole = F.interpolate(logits, size=maps.shape[2:], mode="bilinear", align_corners=True)
        return whole, features, None

    def _scaled(self, maps: Tensor) -> Tensor:
        if not self.halved:
            return maps
        size = (maps.shape[2] // 2, maps.shape[3] // 2)
        return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)
