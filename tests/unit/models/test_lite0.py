"""lite0: its size, its shapes, and the promises that training and export rely on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtmr.errors import ConfigError
from vtmr.models import build
from vtmr.models.lite0 import HEAD_WIDTH, MIXER, Lite0, Mixer, MlpHead
from vtmr.models.torch_network import TorchNetwork


@pytest.fixture(scope="module")
def network() -> Lite0:
    torch.manual_seed(0)
    return build("lite0").eval()


def inputs(size: int = 64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return torch.randn(2, 3, size, size), torch.rand(2, 3, size, size)


def test_fewer_than_five_million_parameters(network: Lite0) -> None:
    """The issue's limit; the encoder alone has 3.0 M, so fewer than that would mean that a part is
    missing."""
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
    torch.testing.assert_close(
        both[1:], network.coarse(image[1:], maps[1:])[0], atol=1e-5, rtol=1e-4
    )


@torch.no_grad()
def test_the_factored_head_is_concatenation_and_a_1x1_convolution() -> None:
    """SegFormer's form (docs/method.md §A.3): project each level, upsample, concatenate, mix by
    1x1; at stride 8 the deeper levels, whose sum is then upsampled, while the mixer is new and the
    identity.

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
    levels = tuple(
        torch.randn(1, channels, size >> i, size >> i, dtype=torch.float64)
        for i, channels in enumerate(widths)
    )
    maps = torch.rand(1, 3, 4 * size, 4 * size, dtype=torch.float64)

    def upsampled(x: Tensor, side: int) -> Tensor:
        return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)

    fine, *deeper = (projection(x) for projection, x in zip(projections, levels, strict=True))
    deeper = [upsampled(upsampled(x, size // 2), size) for x in deeper]
    features = head.mix(F.relu(head.norm(mixing(torch.cat([fine, *deeper], dim=1)))))
    found_logits, found_features = head(levels, maps)
    torch.testing.assert_close(found_features, features)
    torch.testing.assert_close(found_logits, head.logits(features))
    head.mixer.out.weight.normal_()
    assert not torch.allclose(head(levels, maps)[1], features)


@torch.no_grad()
def test_the_mixer_sees_the_clicks_and_reaches_far() -> None:
    """A click in the first cell changes cells up to 1 + 4 x 2 away (a 3x3, four 5x5 convolutions)
    and no others."""
    torch.manual_seed(4)
    mixer = Mixer(16).double().eval()
    mixer.out.weight.normal_()
    x, maps = (
        torch.randn(1, 16, 24, 24, dtype=torch.float64),
        torch.zeros(1, 3, 192, 192, dtype=torch.float64),
    )
    before = mixer(x, maps)
    maps[:, 1, :8, :8] = 1  # the first cell
    changed = (mixer(x, maps) != before).any(dim=1)[0]
    assert changed[:8, :8].any(dim=1).all()
    assert not changed[10:].any() and not changed[:, 10:].any()


@torch.no_grad()
def test_weights_of_before_the_mixer_get_one_that_changes_nothing(network: Lite0) -> None:
    state = {
        name: value for name, value in network.state_dict().items() if not name.startswith(MIXER)
    }
    older = build("lite0").eval()
    older.load_state_dict(older.completed(state))
    torch.testing.assert_close(older.coarse(*inputs()), network.coarse(*inputs()))
    half = {**state, f"{MIXER}out.weight": network.head.mixer.out.weight}
    assert older.completed(half) is half  # a file that lacks only some of it is damaged


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
