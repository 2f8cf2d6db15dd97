"""Convolutions with BatchNorm, and the residual blocks that ResNets and HRNets are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

EXPANSION = 4  # a bottleneck's outputs, in its widths


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    dilation: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution without bias, BatchNorm and, unless told otherwise, ReLU."""
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if relu:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def upsampled(maps: Tensor, like: Tensor) -> Tensor:
    """Bilinear, corners aligned, to the height and width of `like`."""
    return F.interpolate(maps, size=like.shape[2:], mode="bilinear", align_corners=True)


class ResidualBlock(nn.Module):
    """The input, or a shortcut where its width changes, plus a body of convolutions; then ReLU."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x outputs x h / stride x w / stride."""
        return F.relu(self.body(x) + self.shortcut(x))


def basic_block(
    inputs: int, width: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)
) -> ResidualBlock:
    """Two 3x3 convolutions, the first with the stride."""
    first, second = dilations
    body = nn.Sequential(
        conv_norm(inputs, width, 3, stride, dilation=first),
        conv_norm(width, width, 3, dilation=second, relu=False),
    )
    return ResidualBlock(body, _shortcut(inputs, width, stride))


def bottleneck(inputs: int, width: int, stride: int = 1, dilation: int = 1) -> ResidualBlock:
    """1x1, 3x3 (with stride and dilation) and 1x1 convolutions, to EXPANSION * width channels."""
    outputs = EXPANSION * width
    body = nn.Sequential(
        conv_norm(inputs, width, 1),
        conv_norm(width, width, 3, stride, dilation=dilation),
        conv_norm(width, outputs, 1, relu=False),
    )
    return ResidualBlock(body, _shortcut(inputs, outputs, stride))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return conv_norm(inputs, outputs, 1, stride, relu=False)
