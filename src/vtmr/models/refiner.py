"""The refiner: repairs the coarse logits in the focus crop from full-resolution pixels
[focalclick2022; docs/method.md §A.4]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 32  # channels of all its maps


def roi_align(maps: Tensor, boxes: Tensor, size: int, spatial_scale: float = 1.0) -> Tensor:
    """Crops B x C x H x W maps to B x C x size x size by one bilinear sample per bin
    (docs/method.md §L.5).

    boxes: B x 4 as (x0, y0, x1, y1), one per map, in units of 1/spatial_scale cells. Equal to
    torchvision's `roi_align(aligned=True)` with adaptive sampling while the grid is at least as
    fine as the box. Written as two products with hat-function matrices, which every exporter and
    every BLAS understands.
    """

    def weights(low: Tensor, high: Tensor, length: int) -> Tensor:
        steps = (torch.arange(size, dtype=maps.dtype, device=maps.device) + 0.5) / size
        index = (low[:, None] + (high - low)[:, None] * steps) * spatial_scale - 0.5
        index = index.clamp(0, length - 1)
        knots = torch.arange(length, dtype=maps.dtype, device=maps.device)
        return F.relu(1 - (index[:, :, None] - knots).abs())  # B x size x length

    rows = weights(boxes[:, 1], boxes[:, 3], maps.shape[2])
    cols = weights(boxes[:, 0], boxes[:, 2], maps.shape[3])
    return torch.matmul(torch.matmul(rows[:, None], maps), cols[:, None].transpose(2, 3))


def in_blocks(x: Tensor) -> Tensor:
    """x; in an exported graph by way of a convolution that changes nothing.

    It brings x into ONNX Runtime's blocked layout, which convolutions alone begin, and in which the
    upsampling that follows takes half the time. The runtime makes one operation of it and the
    BatchNorm after it.
    """
    if not torch.onnx.is_in_onnx_export():
        return x
    return F.conv2d(x, torch.ones(WIDTH, 1, 1, 1), groups=WIDTH)


class ConvUnit(nn.Sequential):
    """Convolution with bias, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class SeparableUnit(nn.Sequential):
    """Depthwise 3x3 and 1x1 convolutions with bias, BatchNorm, ReLU: FocalClick's "X" unit."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


class Refiner(nn.Module):
    """Detail and edge logits of a focus crop, the detail trusted where the edge is likely.

    features: channels of the coarse network's feature map at a quarter of the resolution.
    `narrowed` is what can be done before the crop is known: a 1x1 convolution and a crop commute,
    and WIDTH channels are handed over and cropped sooner than a head's 128 or 256.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.image = nn.Sequential(
            ConvUnit(6, WIDTH, 3, stride=2), SeparableUnit(WIDTH), SeparableUnit(WIDTH)
        )
        self.context = ConvUnit(features, WIDTH, 1)
        self.fusion = nn.Sequential(SeparableUnit(WIDTH), SeparableUnit(WIDTH))
        self.detail = nn.Conv2d(WIDTH, 1, 3, padding=1)
        self.edge = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def narrowed(self, features: Tensor) -> Tensor:
        """B x WIDTH x h x w of the coarse network's features B x E x h x w."""
        narrow: Tensor = self.context[0](features)
        return narrow

    def forward(
        self, patch: Tensor, discs: Tensor, coarse_logits: Tensor, narrow: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Refined logits and edge logits, both B x 1 x S x S.

        patch: B x 3 x S x S in [0, 1]; discs: B x 2 x S x S; coarse_logits: B x 1 x S x S and
        narrow: B x WIDTH x S/4 x S/4 (see `narrowed`) of the target crop; boxes: B x 4, the focus
        crop in the target crop's grid of S cells.
        """
        size, side = coarse_logits.shape[3], narrow.shape[3]
        coarse = roi_align(coarse_logits, boxes, patch.shape[3])
        # The convolution of this unit was made by `narrowed`, before the crop.
        _, norm, relu = self.context
        context = relu(norm(in_blocks(roi_align(narrow, boxes, side, side / size))))
        image = self.image(torch.cat([patch, discs, torch.sigmoid(coarse)], dim=1))
        context = F.interpolate(context, size=image.shape[2:], mode="bilinear", align_corners=True)
        fused = self.fusion(image + context)
        both = F.interpolate(
            self._heads(fused), size=patch.shape[2:], mode="bilinear", align_corners=True
        )
        detail, edge = both[:, :1], both[:, 1:]
        trust = torch.sigmoid(edge)
        return detail * trust + coarse * (1 - trust), edge

    def _heads(self, fused: Tensor) -> Tensor:
        """Detail and edge logits B x 2 x h x w, for even h and w.

        Both 3x3 convolutions in one, for each of the 2 x 2 places of a 4x4 patch at stride 2: eight
        outputs, because runtimes compute them by the eight and would throw six of them away.
        """
        weight = torch.cat([self.detail.weight, self.edge.weight])
        bias = torch.cat([self.detail.get_parameter("bias"), self.edge.get_parameter("bias")])
        # These matrices put a 3x3 kernel at one of the four places in a kernel of 4x4.
        four = torch.eye(4, dtype=weight.dtype, device=weight.device)
        low, high = four[:, :3], four[:, 1:]
        places = [
            low @ weight @ low.T,
            low @ weight @ high.T,
            high @ weight @ low.T,
            high @ weight @ high.T,
        ]
        # Stacked behind the outputs, as pixel_shuffle takes them: four neighbours for each output.
        eight = torch.stack(places, 1).reshape(8, -1, 4, 4)
        biases = torch.stack([bias] * 4, 1).reshape(8)
        return F.pixel_shuffle(F.conv2d(fused, eight, biases, stride=2, padding=1), 2)
