"""f-BRS's networks: clicks as distance maps, mixed into the image before the first layer
[fbrs2020; docs/zoo.md §Z.3.1].

Between their parts a feature map can be taken out and put back, which is where backpropagating
refinement corrects it: see `vtmr.models.corrections`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from vtmr.models.deeplab import DeepLabDecoder, separable_head
from vtmr.models.encoder_weights import hrnet_weights, resnet_weights
from vtmr.models.hrnet import HRNet, HRNetSize
from vtmr.models.network import InteractiveNetwork
from vtmr.models.ocr import ObjectContextHead
from vtmr.models.residual import upsampled
from vtmr.models.resnet import ResNet, ResNetSize
from vtmr.spec import ModelSpec

Place = Literal["a", "b", "c"]


class RefinableNetwork(InteractiveNetwork):
    """A network that can be left and entered again at three places: a, early, to c, late."""

    runs_on_onnx: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        # Refinement is backpropagation here, no second network.
        self.refiner = None
        # RGB and two maps go in and three channels come out, so that the backbone stays as ImageNet
        # trained it. Normalised behind the activation: the released weights are.
        self.interaction = nn.Sequential(
            nn.Conv2d(5, 8, 1), nn.LeakyReLU(0.2), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)
        )

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """None: the clicks come first."""
        return iter(())

    def early(self, image: Tensor) -> Tensor:
        """The image itself, B x 3 x H x W: the clicks join it before the first layer."""
        return image

    @abstractmethod
    def before(self, image: Tensor, distances: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """The features at that place, B x C x h x w, and a map that goes around it (empty where
        none does).

        image: normalised B x 3 x H x W; distances: B x 2 x H x W.
        """

    @abstractmethod
    def after(self, features: Tensor, around: Tensor, place: Place) -> Tensor:
        """Logits B x 1 x H/4 x W/4 from what `before` gave at the same place."""

    def answered(self, image: Tensor, distances: Tensor) -> Tensor:
        """Logits B x 1 x H x W, with nothing corrected."""
        return upsampled(self.after(*self.before(image, distances, "c"), "c"), image)

    def mixed(self, image: Tensor, distances: Tensor) -> Tensor:
        """What the backbone sees instead of the image."""
        result: Tensor = self.interaction(torch.cat([image, distances], dim=1))
        return result


class FbrsDeepLab(RefinableNetwork):
    """DeepLabV3+ on a dilated ResNet."""

    encoder: ResNet

    def __init__(self, spec: ModelSpec, size: ResNetSize, width: int, dropout: float) -> None:
        super().__init__(spec)
        self.encoder = ResNet(size)
        self.decoder = DeepLabDecoder(*self.encoder.channels, width, dropout)
        self.head = separable_head(width, width // 2, 1)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """See the base class."""
        self.encoder.load_state_dict(resnet_weights(path, self.encoder))
        return self.spec

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; features are B x width x S/4 x S/4."""
        features, _ = self.before(c1, maps, "c")
        return upsampled(self.head(features), maps), features, None

    def before(self, image: Tensor, distances: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """a: the last stage's map (the first stage's goes around it); b: joined with the ASPP's;
        c: decoded."""
        decoder = self.decoder
        low, high = self.encoder.late(self.encoder.early(self.mixed(image, distances)))
        if place == "a":
            return high, low
        joined = decoder.joined(decoder.aspp(high), low)
        nothing = joined.new_zeros(0)
        if place == "b":
            return joined, nothing
        return decoder.decoder(joined), nothing

    def after(self, features: Tensor, around: Tensor, place: Place) -> Tensor:
        """See the base class."""
        decoder = self.decoder
        if place == "a":
            features = decoder.joined(decoder.aspp(features), around)
        if place != "c":
            features = decoder.decoder(features)
        logits: Tensor = self.head(features)
        return logits


class FbrsHRNet(RefinableNetwork):
    """HRNet with an object-context head; its places a and b are the same."""

    encoder: HRNet

    def __init__(self, spec: ModelSpec, size: HRNetSize, ocr_width: int) -> None:
        super().__init__(spec)
        self.encoder = HRNet(size)
        self.head = ObjectContextHead(self.encoder.channels, ocr_width)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """See the base class."""
        self.encoder.load_state_dict(hrnet_weights(path, self.encoder))
        return self.spec

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; features are B x 2 ocr_width x S/4 x S/4."""
        joined, _ = self.before(c1, maps, "b")
        logits, features, auxiliary = self.head(joined)
        return upsampled(logits, maps), features, upsampled(auxiliary, maps)

    def before(self, image: Tensor, distances: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """a and b: all branches' maps side by side; c: the object context's features."""
        joined = self.encoder.late(self.encoder.early(self.mixed(image, distances)))
        if place == "c":
            _, joined, _ = self.head(joined)
        return joined, joined.new_zeros(0)

    def after(self, features: Tensor, around: Tensor, place: Place) -> Tensor:
        """See the base class."""
        logits: Tensor
        if place == "c":
            logits = self.head.logits(features)
        else:
            logits, _, _ = self.head(features)
        return logits
