"""FCA's network: the first click has a branch of its own [fca2020; docs/zoo.md §Z.5]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from vtmr.errors import CheckpointError
from vtmr.models.deeplab import Aspp
from vtmr.models.fca_encoders import FcaEncoder
from vtmr.models.network import InteractiveNetwork
from vtmr.models.residual import conv_norm, upsampled
from vtmr.spec import ModelSpec

FINE, DEEP, BRANCH, WIDTH, SIDE = 256, 2048, 512, 256, 48
DILATIONS = (6, 12, 18)


def prediction_head(inputs: int, width: int) -> nn.Sequential:
    """Two 3x3 convolutions and the logits."""
    return nn.Sequential(
        *conv_norm(inputs, width, 3), *conv_norm(width, width, 3), nn.Conv2d(width, 1, 1)
    )


class Fca(InteractiveNetwork):
    """The network; its maps are Gaussians around positive, negative and the first click,
    B x 3 x H x W."""

    encoder: FcaEncoder
    runs_on_onnx: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec, encoder: FcaEncoder) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.first_branch = nn.Sequential(
            conv_norm(FINE + 1, FINE, 3, 2),
            conv_norm(FINE, FINE, 3),
            conv_norm(FINE, FINE, 3),
            conv_norm(FINE, BRANCH, 3, 2),
            conv_norm(BRANCH, BRANCH, 3),
            conv_norm(BRANCH, BRANCH, 3),
        )
        self.aspp = Aspp(BRANCH + DEEP, WIDTH, DILATIONS, dropout=0.0)
        # Narrow, so that the fine map doesn't outvote the deep one.
        self.side = conv_norm(FINE, SIDE, 1)
        self.merge = nn.Sequential(conv_norm(WIDTH + SIDE, WIDTH, 3), conv_norm(WIDTH, WIDTH, 3))
        self.head = prediction_head(WIDTH, WIDTH // 2)
        self.first_head = prediction_head(BRANCH, WIDTH)  # trains the branch, and answers nothing
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
        """The image itself."""
        return image

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the base class; features are B x 256 x H/4 x W/4, third are the first click's own
        logits."""
        fine = self.encoder.fine(torch.cat([c1, maps[:, :2]], dim=1))
        deep = self.encoder.deep(fine)
        first = self.first_branch(torch.cat([fine, upsampled(maps[:, 2:], fine)], dim=1))
        reached = upsampled(self.aspp(torch.cat([first, deep], dim=1)), fine)
        features = self.merge(torch.cat([reached, self.side(fine)], dim=1))
        logits, auxiliary = self.head(features), self.first_head(first)
        return upsampled(logits, maps), features, upsampled(auxiliary, maps)
