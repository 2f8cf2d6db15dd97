"""lite0: its size, its shapes, and the promises that training and export rely on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.errors import ConfigError
from vtmr.models import build
from vtmr.models.lite0 import HEAD_WIDTH, Lite0, MlpHead
from vtmr.models.torch_network import TorchNetwork


@pytest.fixture(scope="module")
def network() -> Lite0:
    torch.manual_seed(0)
    return build("lite0").eval()


def inputs(size: int = 64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return torch.randn(2, 3, size, size), torch.rand(2, 3, size, size)


def test_fewer_than_five_million_parameters(network: Lite0) -> None:
    """The issue's limit; the encoder alone has 3.0 M, so fewer than that would mean that a part is missing."""
    assert 3.0e6 < sum(p.numel() for p in network.parameters()) < 5e6


@torch.no_grad()
def test_shapes(network: Lite0) -> None:
    image, maps = inputs()
    c1 = network.early(image)
    assert c1.shape == (2, 24, 16, 16)
    logits, features = network.late(c1, maps)
    assert logits.shape == (2, 1, 64, 64)
    assert features.shape == (2, HEAD_WIDTH, 16, 16)
    boxes = torch.tensor([[0.0, 0, 64, 64], [8, 8, 40, 40]])
    narrow = network.refiner.narrowed(features)
    assert narrow.shape == (2, 32, 16, 16)
    for out in network.refine(torch.rand(2, 3, 64, 64), maps[:, 1:], logits, narrow, boxes):
        assert out.shape == (2, 1, 64, 64)


@torch.no_grad()
def test_each_click_map_matters_and_enters_late(network: Lite0) -> None:
    image, maps = inputs()
    c1 = network.early(image)
    for channel in range(3):
        changed = maps.clone()
        changed[:, channel] = 1 - changed[:, channel]
        assert (network.late(c1, changed)[0] - network.late(c1, maps)[0]).abs().max() > 1e-3
    assert torch.equal(network.early(image), c1)


@torch.no_grad()
def test_samples_of_a_batch_do_not_mix(network: Lite0) -> None:
    image, maps = inputs()
    both = network.coarse(image, maps)[0]
    torch.testing.assert_close(both[1:], network.coarse(image[1:], maps[1:])[0], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_factored_head_is_concatenation_and_a_1x1_convolution() -> None:
    """SegFormer's form (facts.md §A.3): project each level, upsample, concatenate the coarsest first, mix by 1x1.

    A projection p and the mixing weights m of its quarter make the factored level's weights m p.
    """
    torch.manual_seed(4)
    widths, width, size = (24, 40, 112, 320), 16, 16
    head = MlpHead(widths, width).double().eval()
    head.norm.running_mean.normal_()
    head.norm.running_var.uniform_(0.5, 2)
    projections = [nn.Conv2d(channels, width, 1, bias=False).double() for channels in widths]
    mixing = nn.Conv2d(width * len(widths), width, 1, bias=False).double()
    for i, (level, projection) in enumerate(zip(head.levels, projections, strict=True)):
        quarter = mixing.weight[:, i * width : (i + 1) * width, 0, 0]
        level.weight.copy_((quarter @ projection.weight[:, :, 0, 0])[:, :, None, None])
    maps = tuple(
        torch.randn(1, channels, size >> i, size >> i, dtype=torch.float64) for i, channels in enumerate(widths)
    )
    upsampled = [
        F.interpolate(projection(x), size=(size, size), mode="bilinear", align_corners=False)
        for projection, x in zip(projections, maps, strict=True)
    ]
    features = head.mix(F.relu(head.norm(mixing(torch.cat(upsampled, dim=1)))))
    found_logits, found_features = head(maps)
    torch.testing.assert_close(found_features, features)
    torch.testing.assert_close(found_logits, head.logits(features))


def test_early_parameters_are_those_that_early_uses(network: Lite0) -> None:
    network.zero_grad()
    network.early(inputs()[0]).sum().backward()
    used = {id(p) for p in network.parameters() if p.grad is not None}
    assert used == {id(p) for p in network.early_parameters()}
    network.zero_grad()


def test_the_encoder_starts_from_imagenet() -> None:
    network = build("lite0")
    before = network.encoder.stem[0].weight.clone()
    network.load_imagenet()
    assert not torch.equal(before, network.encoder.stem[0].weight)
    assert (network.encoder.stem[1].running_var != 1).all()  # statistics too


def test_names_and_devices_that_do_not_exist_are_named(network: Lite0) -> None:
    with pytest.raises(ConfigError, match=r"no network 'lite1'.*Did you mean 'lite0'"):
        build("lite1")
    with pytest.raises(ConfigError, match="no device 'warp9'"):
        TorchNetwork(network, network.spec, "warp9")
