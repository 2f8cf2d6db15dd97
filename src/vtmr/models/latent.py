"""LD's segmentation network: a frozen VGG-19's maps and the clicks, mixed at full resolution into
six masks [ld2018; docs/zoo.md §Z.8].

A second network that chose among the six was never released: the first one is the answer. Every
BatchNorm uses the statistics of the image at hand, also after training: the authors' files hold no
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.errors import CheckpointError
from vtmr.models.network import Hypotheses, InteractiveNetwork
from vtmr.spec import ModelSpec

# VGG-19 as far as it is used: convolutions of each stage, and which of them is looked at
STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 2))
LOOKED_AT = 2  # the second convolution of every stage
MEANS = (123.68, 116.779, 103.939)  # taken off in the order in which the channels come: blue first
MASKS, WIDTH, GREATEST = 6, 64, 255.0
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 1)  # nine layers see 256 pixels to every side
EPSILON, SLOPE = 1e-3, 0.2  # of TensorFlow's normalisation, and of the leaky ReLU
INITIAL_OWN, INITIAL_NORMED = 1.0, 0.0  # of a mixed normalisation: the identity


class Vgg19(nn.Module):
    """The second convolution's map of each of the five stages; pooling takes means."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        inputs = 3
        for width, layers in STAGES:
            stage = nn.ModuleList()
            for _ in range(layers):
                stage.append(nn.Conv2d(inputs, width, 3, padding=1))
                inputs = width
            self.stages.append(stage)

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: B x 3 x H x W, blue first, 0..255 less MEANS."""
        x, seen = image, []
        for number, stage in enumerate(self.stages):
            if number:
                x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            for layer, convolution in enumerate(cast(nn.ModuleList, stage), start=1):
                x = F.relu(convolution(x))
                if layer == LOOKED_AT:
                    seen.append(x)
        return seen


def enlarged(maps: Tensor, height: int, width: int) -> Tensor:
    """Bilinear as TensorFlow 1 resized: a target's place is its index times the ratio of the sides,
    without a half pixel, so that the last ones repeat the edge."""
    for axis, target in ((2, height), (3, width)):
        length = maps.shape[axis]
        ratio = torch.tensor(length / target, dtype=torch.float32, device=maps.device)
        place = torch.arange(target, dtype=torch.float32, device=maps.device) * ratio
        low = place.floor().long().clamp(max=length - 1)
        share = (place - low).to(maps.dtype)
        if axis == 2:
            share = share[:, None]  # along the rows
        first = maps.index_select(axis, low)
        second = maps.index_select(axis, (low + 1).clamp(max=length - 1))
        maps = first + (second - first) * share
    return maps


class MixedNorm(nn.Module):
    """w0 x + w1 (x less its mean, over its deviation, plus beta), over each image by itself; then
    the leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.tensor(INITIAL_OWN))
        self.normed = nn.Parameter(torch.tensor(INITIAL_NORMED))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """B x channels x h x w."""
        normed = F.instance_norm(x, bias=self.shift, eps=EPSILON)
        return F.leaky_relu(self.own * x + self.normed * normed, SLOPE)


class LatentDiversity(InteractiveNetwork):
    """The network; its maps are [distance to positive, to negative clicks, positive, negative
    clicks], B x 4 x H x W in 0..255.

    Its logits are such that their sigmoid is half of the authors' tanh plus one half: their
    threshold of .5 is one of .75 here.
    """

    encoder: Vgg19
    runs_on_onnx: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = Vgg19()
        self.encoder.requires_grad_(False)
        looked_at = sum(width for width, _ in STAGES)
        self.first = nn.Conv2d(3 + 4 + looked_at, WIDTH, 1, bias=False)
        self.context = nn.ModuleList()
        self.norms = nn.ModuleList([MixedNorm(WIDTH)])  # behind the first layer
        for d in DILATIONS:
            self.context.append(nn.Conv2d(WIDTH, WIDTH, 3, padding=d, dilation=d, bias=False))
            self.norms.append(MixedNorm(WIDTH))
        self.masks = nn.Conv2d(WIDTH, MASKS, 1)
        self.refiner = None

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        """Raises CheckpointError: `vtmr import` brings VGG-19's weights along."""
        raise CheckpointError(
            f"{self.spec.model} isn't started from ImageNet weights alone: import the authors' "
            "checkpoint with VGG-19's file, and start from that with --init."
        )

    def early_parameters(self) -> Iterator[nn.Parameter]:
        """VGG-19's and the first layer's, which is applied to its maps before they are enlarged."""
        yield from self.encoder.parameters()
        yield from self.first.parameters()

    def early(self, image: Tensor) -> Tensor:
        """B x 64 x H x W: what image and VGG-19 add to the first layer; image: 0..255, red first.

        A 1x1 convolution and an enlargement commute, and 64 channels are enlarged sooner than
        1472.
        """
        height, width = image.shape[2:]
        image = image.flip(1)
        means = torch.tensor(MEANS, device=image.device)[:, None, None]
        weight = self.first.weight / GREATEST
        total: Tensor = F.conv2d(image, weight[:, :3])
        # The first layer's inputs are the image (3), the clicks (4) and then VGG-19's maps.
        start = 7
        for seen in self.encoder(image - means):
            channels = seen.shape[1]
            part = F.conv2d(seen, weight[:, start : start + channels])
            total = total + enlarged(part, height, width)
            start += channels
        return total

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Hypotheses]:
        """See the base class; features are B x 64 x H x W, third are all six masks."""
        x = c1 + F.conv2d(maps, self.first.weight[:, 3:7] / GREATEST)
        x = self.norms[0](x)
        for convolution, norm in zip(self.context, self.norms[1:], strict=True):
            x = norm(convolution(x))
        masks = self.masks(x)
        # tanh(x) is 2 sigmoid(2x) - 1: so the logits mean what the authors' tanh does.
        return 2 * masks[:, :1], x, Hypotheses(torch.tanh(masks), maps)
