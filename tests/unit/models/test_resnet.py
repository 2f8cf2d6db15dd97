"""The dilated ResNet and the DeepLabV3+ decoder: strides, names of weights, dilations (§Z.2).

That they compute what the official ones do is shown by tests/golden/test_fbrs.py and
test_cdnet.py.
"""

from __future__ import annotations

from pathlib import Path

import official
import pytest
import torch
from torch import nn

from vtmr.errors import CheckpointError
from vtmr.models.deeplab import DeepLabDecoder, separable_head
from vtmr.models.encoder_weights import resnet_weights
from vtmr.models.renaming import inside, renamed, require_fit
from vtmr.models.renaming_deeplab import DEEPLAB, RESNET, SEPARABLE_HEAD
from vtmr.models.resnet import RESNET_34, RESNET_50, RESNET_101, ResNet, ResNetSize

BACKBONE = "feature_extractor.backbone."
SIZES = {
    "fbrs-resnet34-dh128": (RESNET_34, 128),
    "fbrs-resnet50-dh128": (RESNET_50, 128),
    "fbrs-resnet101-dh256": (RESNET_101, 256),
}


class Whole(nn.Module):
    """As docs/zoo.md puts the parts together."""

    def __init__(self, size: ResNetSize, width: int) -> None:
        super().__init__()
        self.encoder = ResNet(size)
        self.decoder = DeepLabDecoder(*self.encoder.channels, width, dropout=0.2)
        self.head = separable_head(width, width // 2, 1)


@pytest.mark.parametrize("name", SIZES)
def test_every_official_weight_has_its_place_and_shape(name: str) -> None:
    """The names and shapes are those of the released files, but for where clicks come in."""
    rules = (
        *inside("feature_extractor.backbone", RESNET, "encoder"),
        *inside("feature_extractor", DEEPLAB, "decoder"),
        *inside("head", SEPARABLE_HEAD, "head"),
        (r"rgb_conv\..+", None),
    )
    shapes = official.shapes_in(name)
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    with torch.device("meta"):
        expected = Whole(*SIZES[name]).state_dict()
    require_fit(renamed(state, rules, name), expected, name)


def test_maps_have_their_strides_at_any_size() -> None:
    torch.manual_seed(0)
    network = Whole(ResNetSize((1, 1, 2, 2), bottlenecks=True), 16).eval()
    early = network.encoder.early(torch.zeros(2, 3, 64, 97))
    assert early.shape == (2, 128, 32, 49)
    low, high = network.encoder.late(early)
    assert (low.shape, high.shape) == ((2, 256, 16, 25), (2, 2048, 8, 13))
    assert network.decoder(low, high).shape == (2, 16, 16, 25)
    early_weights = {id(p) for p in network.encoder.early_parameters()}
    assert early_weights == {
        id(p) for name, p in network.encoder.named_parameters() if name.startswith(("stem", "norm"))
    }


@pytest.mark.parametrize(
    ("size", "stages"),
    [
        (RESNET_34, {2: [1, 2, 2, 2, 2, 2], 3: [2, 4, 4, 4, 4, 4]}),
        (RESNET_50, {2: [1, 2, 2, 2, 2, 2], 3: [2, 4, 4]}),
    ],
    ids=["basic", "bottleneck"],
)
def test_the_first_block_of_a_dilated_stage_still_has_the_dilation_before(
    size: ResNetSize, stages: dict[int, list[int]]
) -> None:
    with torch.device("meta"):
        network = ResNet(size)
    for stage, first in stages.items():
        found = [
            module.dilation[0]
            for module in network.stages[stage].modules()
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
        ]
        assert found[: len(first)] == first


def test_imagenet_weights_may_lack_the_counters_of_batches(tmp_path: Path) -> None:
    """As files converted from MXNet do; the classifier is left out, anything else must fit."""
    state = {
        key.removeprefix(BACKBONE): official.fill(key, shape)
        for key, shape in official.shapes_in("fbrs-resnet34-dh128").items()
        if key.startswith(BACKBONE) and not key.endswith("num_batches_tracked")
    }
    torch.save({**state, "fc.weight": torch.zeros(1000, 512)}, tmp_path / "resnet.pth")
    with torch.device("meta"):
        encoder = ResNet(RESNET_34)
    weights = resnet_weights(tmp_path / "resnet.pth", encoder)
    assert torch.equal(weights["stages.3.2.body.1.0.weight"], state["layer4.2.conv2.weight"])
    del state["layer4.2.conv2.weight"]
    torch.save(state, tmp_path / "resnet.pth")
    with pytest.raises(CheckpointError, match=r"lacks weights for 'stages\.3\.2\.body\.1\.0\."):
        resnet_weights(tmp_path / "resnet.pth", encoder)
