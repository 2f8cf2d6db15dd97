"""FCFI's two networks: RITM's kind, with feedback that is corrected and fused [docs/zoo.md §Z.6].

The paper that this project follows calls them FICI.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.deeplab import DeepLabDecoder, separable_head
from vtmr.models.encoder_weights import hrnet_weights, resnet_weights
from vtmr.models.feedback import CollaborativeFusion, FocusedCorrection, Newest
from vtmr.models.hrnet import HRNet, HRNetSize
from vtmr.models.interaction import click_branch
from vtmr.models.network import FeedbackMaps, InteractiveNetwork
from vtmr.models.ocr import ObjectContextHead
from vtmr.models.residual import upsampled
from vtmr.models.resnet import ResNet, ResNetSize
from vtmr.spec import ModelSpec


class Fcfi(InteractiveNetwork):
    """What both have: the two modules between features and answer, and how they are fed.

    Maps are [prev_mask, positive discs, negative discs, newest click].
    """

    runs_on_onnx: ClassVar[bool] = False
    sees_mask: ClassVar[bool]  # whether the click branch is told of the mask, besides the feedback
    feedback_weight: ClassVar[float]  # of the losses on the feedback

    def __init__(self, spec: ModelSpec, channels: int, feedback_width: int) -> None:
        """channels: of the features; feedback_width: inside the two modules."""
        super().__init__()
        self.spec = spec
        told = 2
        if self.sees_mask:
            told = 3
        self.interaction = click_branch(told)
        self.correction = FocusedCorrection(3 + told + 1 + channels, feedback_width)
        self.fusion = CollaborativeFusion(channels, feedback_width)
        self.refiner = None

    @abstractmethod
    def features(self, image: Tensor, clicks: Tensor) -> tuple[Tensor, Tensor]:
        """B x channels x H/4 x W/4, and a map of the same sides that `answer` is given beside them.

        clicks: what the click branch gives.
        """

    @abstractmethod
    def answer(self, features: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits, what they are made of, and auxiliary logits, all at the features' resolution."""

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """None: the correction looks at the image again."""
        return iter(())

    def early(self, image: Tensor) -> Tensor:
        """The image itself."""
        return image

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, FeedbackMaps]:
        """See the base class."""
        feedback, newest = maps[:, :1], Newest.of(maps[:, 3:])
        told = maps[:, 1:3]
        if self.sees_mask:
            told = maps[:, :3]
        features, beside = self.features(c1, self.interaction(told))
        corrected, box = self.correction(c1, told, feedback, features, newest)
        features, updated = self.fusion(features, corrected, newest.later)
        logits, context, auxiliary = self.answer(features, beside)
        if auxiliary is not None:
            auxiliary = upsampled(auxiliary, maps)
        extra = FeedbackMaps(auxiliary, corrected, updated, box, self.feedback_weight)
        return upsampled(logits, maps), context, extra


class FcfiHRNet(Fcfi):
    """With an HRNet and its object-context head."""

    sees_mask: ClassVar[bool] = True
    feedback_weight: ClassVar[float] = 0.2
    encoder: HRNet

    def __init__(
        self, spec: ModelSpec, size: HRNetSize, ocr_width: int, feedback_width: int
    ) -> None:
        encoder = HRNet(size)  # first, as the modules' widths depend on it
        super().__init__(spec, encoder.channels, feedback_width)
        self.encoder = encoder
        self.head = ObjectContextHead(encoder.channels, ocr_width)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """As `HRNetOcr.load_imagenet`."""
        self.encoder.load_state_dict(hrnet_weights(path, self.encoder))
        return self.spec

    def features(self, image: Tensor, clicks: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class; the clicks join after the first convolution."""
        features = self.encoder.late(self.encoder.early(image) + clicks)
        return features, features

    def answer(self, features: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; nothing is needed beside the features."""
        logits, context, auxiliary = self.head(features)
        return logits, context, auxiliary


class FcfiResNet(Fcfi):
    """With a dilated ResNet and DeepLabV3+."""

    sees_mask: ClassVar[bool] = False
    feedback_weight: ClassVar[float] = 1.0
    encoder: ResNet

    def __init__(
        self, spec: ModelSpec, size: ResNetSize, width: int, dropout: float, feedback_width: int
    ) -> None:
        super().__init__(spec, width, feedback_width)
        self.encoder = ResNet(size)
        self.decoder = DeepLabDecoder(*self.encoder.channels, width, dropout)
        self.head = separable_head(width, width // 2, 1)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """See the base class."""
        self.encoder.load_state_dict(resnet_weights(path, self.encoder))
        return self.spec

    def features(self, image: Tensor, clicks: Tensor) -> tuple[Tensor, Tensor]:
        """See the base class: the pyramid's map, enlarged to the first stage's, which is the other.

        The clicks join the first 64 channels of the stem's map.
        """
        early = self.encoder.early(image)
        clicks = F.pad(clicks, (0, 0, 0, 0, 0, early.shape[1] - clicks.shape[1]))
        low, high = self.encoder.late(early + clicks)
        return upsampled(self.decoder.aspp(high), low), low

    def answer(self, features: Tensor, beside: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """See the base class; there are no auxiliary logits."""
        context = self.decoder.decoder(self.decoder.joined(features, beside))
        return self.head(context), context, None
