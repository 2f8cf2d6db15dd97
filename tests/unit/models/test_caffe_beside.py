"""BRS's network beside another reader of Caffe's files: OpenCV's, which has one up to version 4.

The description is written here from docs/zoo.md §Z.7.1; OpenCV reads it and the .caffemodel by
protobuf's own code. That shows that such files are read as they are meant, and that a BatchNorm's
sums, a PReLU's slopes and a deconvolution's weights are.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import released
import torch

from vtmr.models import build
from vtmr.models.caffe_files import read_caffemodel
from vtmr.models.encoder_weights import with_counters
from vtmr.models.renaming import renamed
from vtmr.models.renaming_brs import OFFICIAL_BRS

ROWS, COLS = 96, 128


class Description:
    """A prototxt that grows layer by layer; each method returns the name of its answer."""

    def __init__(self) -> None:
        sides = "".join(f"input_dim: {side}\n" for side in (1, 5, ROWS, COLS))
        self.lines = [f'name: "BRS"\ninput: "data"\n{sides}']

    def layer(self, name: str, kind: str, *bottoms: str, settings: str = "") -> str:
        inputs = "".join(f' bottom: "{bottom}"' for bottom in bottoms)
        line = f'layer {{ name: "{name}" type: "{kind}"{inputs} top: "{name}" {settings} }}'
        self.lines.append(line)
        return name

    def convolution(
        self, name: str, x: str, outputs: int, kernel: int, *, bias: bool = False, **more: int
    ) -> str:
        settings = {"num_output": outputs, "kernel_size": kernel, **more}
        text = " ".join(f"{key}: {value}" for key, value in settings.items())
        kind = "Deconvolution" if more.get("stride") == kernel else "Convolution"
        bias_text = f"bias_term: {str(bias).lower()}"
        return self.layer(name, kind, x, settings=f"convolution_param {{ {text} {bias_text} }}")

    def norm(self, name: str, x: str) -> str:
        settings = "batch_norm_param { use_global_stats: true eps: 1e-5 }"
        return self.layer(name, "BatchNorm", x, settings=settings)

    def normed(self, prefix: str, x: str) -> str:
        """BatchNorm, scale, ReLU."""
        x = self.norm(f"{prefix}/bn", x)
        x = self.layer(f"{prefix}/scale", "Scale", x, settings="scale_param { bias_term: true }")
        return self.layer(f"{prefix}/relu", "ReLU", x)

    def pool(self, name: str, x: str, kind: str, kernel: int, pad: int = 0) -> str:
        settings = f"pool: {kind} kernel_size: {kernel} stride: 2 pad: {pad} ceil_mode: false"
        return self.layer(name, "Pooling", x, settings=f"pooling_param {{ {settings} }}")

    def gate(self, x: str, channels: int, squeezed: int, down: str, up: str) -> str:
        settings = "pooling_param { pool: AVE global_pooling: true }"
        mean = self.layer(f"{down}/mean", "Pooling", x, settings=settings)
        mean = self.convolution(down, mean, squeezed, 1, bias=True)
        mean = self.layer(f"{down}/relu", "ReLU", mean)
        mean = self.convolution(up, mean, channels, 1, bias=True)
        mean = self.layer(f"{up}/sigmoid", "Sigmoid", mean)
        settings = "eltwise_param { operation: PROD }"
        return self.layer(f"{up}/gated", "Eltwise", x, mean, settings=settings)

    def after(self, name: str, x: str) -> str:
        """PReLU and BatchNorm of the unit of that name."""
        return self.norm(f"bn_{name}", self.layer(f"prelu_{name}", "PReLU", x))

    def unit(self, name: str, x: str, outputs: int, kernel: int, dilation: int = 1) -> str:
        pad = dilation * (kernel // 2)
        x = self.convolution(f"conv_{name}", x, outputs, kernel, pad=pad, dilation=dilation)
        return self.after(name, x)


def encoder(net: Description) -> list[str]:
    """The four taps, finest first."""
    x = net.normed("conv1", net.convolution("conv1", "data", 64, 7, stride=2, pad=3))
    x, taps = net.pool("pool1", x, "MAX", 3, 1), []
    for block, (layers, width) in enumerate(((6, 128), (12, 256), (24, 512), (16, 0)), start=2):
        for i in range(1, layers + 1):
            name = f"conv{block}_{i}"
            grown = net.convolution(f"{name}/x1", net.normed(f"{name}/x1", x), 128, 1)
            grown = net.convolution(f"{name}/x2", net.normed(f"{name}/x2", grown), 32, 3, pad=1)
            x = net.layer(f"{name}/joined", "Concat", x, grown)
        taps.append(x)
        if width:
            name = f"conv{block}_blk"
            x = net.convolution(name, net.normed(name, x), width, 1)
            x = net.pool(f"{name}/pool", x, "AVE", 2)
    return taps


def description() -> str:
    net = Description()
    taps = encoder(net)
    levels = ((4, 256, 16, 64), (8, 512, 32, 128), (16, 1024, 64, 256), (32, 1024, 64, 512))
    below = ""
    for tap, (stride, channels, squeezed, width) in reversed(list(zip(taps, levels, strict=True))):
        name = f"1/{stride}"
        x = net.gate(tap, channels, squeezed, f"conv_SE_{name}_1", f"conv_SE_{name}_2")
        if below:
            up = net.convolution(f"deconv_{name}d", below, width, 2, stride=2)
            own = net.convolution(f"conv_SE_{name}", x, width, 1, bias=True)
            pair = net.after(f"{name}d", up), net.after(f"SE_{name}", own)
            x = net.layer(f"{name}/joined", "Concat", *pair)
        x = net.unit(f"{name}_2d", net.unit(f"{name}_1d", x, width, 3), width, 3)
        below = net.unit(f"{name}_3d", x, width // 2, 1)
    coarse = net.convolution("pred_1/4", below, 1, 1, bias=True)
    coarse = net.convolution("pred_step_1", coarse, 1, 4, stride=4)
    seen = net.layer("seen", "Concat", "data", net.layer("coarse", "Sigmoid", coarse))
    branches = []
    for dilation in (1, 2, 3):
        x = net.unit(f"atrous{dilation}_1", seen, 32, 3, dilation)
        x = net.unit(f"atrous{dilation}_2", x, 32, 3)
        branches.append(net.unit(f"atrous{dilation}_3", x, 16, 1))
    x = net.gate(net.layer("fine", "Concat", *branches), 48, 3, "conv_s2_down", "conv_s2_up")
    net.convolution("pred_step_2", net.unit("p1_1", x, 16, 3), 1, 1, bias=True)
    return "\n".join(net.lines) + "\n"


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromCaffe"), reason="OpenCV reads Caffe's files up to version 4"
)
def test_opencv_gives_the_same_answer(tmp_path: Path) -> None:
    weights, net = tmp_path / "brs.caffemodel", tmp_path / "brs.prototxt"
    weights.write_bytes(released.caffemodel(released.brs_values()))
    net.write_text(description())
    module = build("brs-densenet")
    state = renamed(read_caffemodel(weights), OFFICIAL_BRS, "BRS")
    module.load_state_dict(with_counters(state, module.state_dict()))
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, ROWS, COLS, generator=generator)
    maps = torch.rand(1, 2, ROWS, COLS, generator=generator)
    with torch.no_grad():
        logits, _, coarse = module.eval().decode(module.early(image), maps)
    theirs = cv2.dnn.readNetFromCaffe(str(net), str(weights))  # type: ignore[attr-defined]
    theirs.setInput(torch.cat([image.flip(1), maps], dim=1).numpy(), "data")
    found = theirs.forward(["pred_step_1", "pred_step_2"])
    assert isinstance(coarse, torch.Tensor)
    for ours, answer in zip((coarse, logits), found, strict=True):
        np.testing.assert_allclose(answer, ours.numpy(), rtol=0, atol=1e-4 * float(ours.std()))
