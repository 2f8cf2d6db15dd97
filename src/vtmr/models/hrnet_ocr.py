"""RITM's network, HRNet with an object-context head, and FocalClick's, which adds the refiner
[docs/method.md §A.5, §G.8]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from vtmr.models.encoder_weights import hrnet_weights
from vtmr.models.hrnet import HRNet, HRNetSize
from vtmr.models.interaction import click_branch
from vtmr.models.network import InteractiveNetwork
from vtmr.models.ocr import ObjectContextHead
from vtmr.models.refiner import Refiner
from vtmr.models.residual import upsampled
from vtmr.spec import ModelSpec


class HRNetOcr(InteractiveNetwork):
    """The coarse network, and its refiner where `spec.refines`."""

    encoder: HRNet

    def __init__(self, spec: ModelSpec, size: HRNetSize, ocr_width: int) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = HRNet(size)
        self.interaction = click_branch(3)
        self.head = ObjectContextHead(self.encoder.channels, ocr_width)
        self.refiner = None
        if spec.refines:
            self.refiner = Refiner(2 * ocr_width)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """From a file of `hrnetv2_*_imagenet_pretrained.pth`; see the base class.

        Those weights are under MIT.
        """
        self.encoder.load_state_dict(hrnet_weights(path, self.encoder))
        return self.spec

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """See the base class."""
        return self.encoder.early_parameters()

    def early(self, image: Tensor) -> Tensor:
        """The first convolution's map, B x 64 x S/2 x S/2."""
        return self.encoder.early(image)

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; features are B x 2 ocr_width x S/4 x S/4."""
        logits, features, auxiliary = self.head(self.encoder.late(c1 + self.interaction(maps)))
        return upsampled(logits, maps), features, upsampled(auxiliary, maps)
