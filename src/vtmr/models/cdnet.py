"""CDNet: DeepLabV3+ in which a feature diffusion module (FDM) carries the clicks' labels to pixels
that look alike [cdnet2021; docs/zoo.md §Z.4.1]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.models.deeplab import DeepLabDecoder, separable_head
from vtmr.models.encoder_weights import resnet_weights
from vtmr.models.interaction import click_branch
from vtmr.models.network import DiversityMaps, InteractiveNetwork
from vtmr.models.residual import upsampled
from vtmr.models.resnet import ResNet, ResNetSize
from vtmr.spec import ModelSpec

LATENT_MASKS = 4
CERTAIN = 0.8  # a gate above it counts as if a click were there


class FeatureDiffusion(nn.Module):
    """Each pixel takes from those that look like it, and near clicks or surely labelled, once for
    either label ("FDM v3").

    The gate says which pixels belong to the object; it is learnt by its own loss alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = separable_head(width, width, 1, depth=1)
        self.seeker = nn.Conv2d(width, width, 1, bias=False)
        self.sought = nn.Conv2d(width, width, 1, bias=False)
        self.carried = nn.Conv2d(width, width, 1, bias=False)
        self.objects = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
        self.background = nn.Sequential(
            nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor, discs: Tensor) -> tuple[Tensor, Tensor]:
        """The map with what was carried, B x width x h x w, and the gate's probabilities B x 1 x h
        x w.

        discs: the wide ones, B x 2 x h x w, 0 to 1.
        """
        gate = torch.sigmoid(self.gate(x))
        seeker = self.seeker(x).flatten(2).transpose(1, 2)
        # No scaling, and no masking either: where the weight is 0 the softmax still sees exp(0).
        affinity = torch.matmul(seeker, self.sought(x).flatten(2))  # B x hw (to) x hw (from)
        carried = self.carried(x).flatten(2).transpose(1, 2)
        sure = gate.detach()
        result = x
        for disc, open_, leave in (
            (discs[:, :1], sure, self.objects),
            (discs[:, 1:], 1 - sure, self.background),
        ):
            weight = (disc + (open_ > CERTAIN).to(disc.dtype)).flatten(2)
            share = torch.softmax(affinity * weight, dim=2) * open_.flatten(2).transpose(1, 2)
            taken = torch.matmul(share, carried).transpose(1, 2).reshape(x.shape)
            result = result + leave(taken)
        return result, gate


class CDNet(InteractiveNetwork):
    """Sees discs of two radii: narrow ones beside the image's first map, wide ones in the FDM.

    It isn't told of the previous mask.
    """

    runs_on_onnx: ClassVar[bool] = False
    encoder: ResNet

    def __init__(self, spec: ModelSpec, size: ResNetSize, width: int, dropout: float) -> None:
        super().__init__()
        self.spec = spec
        self.refiner = None
        self.encoder = ResNet(size)
        self.interaction = click_branch(2)
        self.decoder = DeepLabDecoder(*self.encoder.channels, width, dropout)
        self.diffusion = FeatureDiffusion(width)
        self.head = separable_head(width, width // 2, 1)
        self.latent = separable_head(width, width // 2, LATENT_MASKS)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """See the base class."""
        self.encoder.load_state_dict(resnet_weights(path, self.encoder))
        return self.spec

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """See the base class."""
        return self.encoder.early_parameters()

    def early(self, image: Tensor) -> Tensor:
        """The stem's map, B x 64 (128 with bottlenecks) x S/2 x S/2."""
        return self.encoder.early(image)

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, DiversityMaps]:
        """See the base class; features are B x width x S/4 x S/4."""
        narrow, wide = maps[:, :2], maps[:, 2:]
        clicks = self.interaction(narrow)
        # A deep stem has 128 channels: the clicks join the first 64.
        clicks = F.pad(clicks, (0, 0, 0, 0, 0, c1.shape[1] - clicks.shape[1]))
        low, high = self.encoder.late(c1 + clicks)
        context, gate = self.diffusion(self.decoder.aspp(high), upsampled(wide, high))
        features = self.decoder.decoder(self.decoder.joined(context, low))
        latent = upsampled(self.latent(features), maps)
        auxiliary = DiversityMaps(upsampled(gate, maps), latent, narrow)
        return upsampled(self.head(features), maps), features, auxiliary
