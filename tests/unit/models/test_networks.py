"""What the golden numbers can't see of the networks: sizes, epsilons, where the clicks come in,
training behaviour."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vtmr.errors import ConfigError
from vtmr.models import BUILDERS, build
from vtmr.models.hrnet_ocr import HRNetOcr
from vtmr.models.mit import MixTransformer, ReducedAttention, StochasticDepth, initialise
from vtmr.models.network import InteractiveNetwork
from vtmr.models.segformer import MlpFusionHead, SegFormer

# docs/method.md §A.6, less what no pass uses: 5,089 of maps_transform and 33 of feature_gate in the
# SegFormers
PARAMETERS = {
    "vtmr-b0": 3_740_773 - 5_089 - 33,
    "vtmr-b3": 45_687_941 - 5_089 - 33,
    "focalclick-b0": 3_740_773 - 5_089 - 33,
    "focalclick-b0-s1": 3_740_773 - 5_089 - 33,
    "focalclick-b3": 45_687_941 - 5_089 - 33,
    "focalclick-hrnet18s": 4_231_377,
    "focalclick-hrnet32": 30_967_813,
    "ritm-hrnet18s": 4_220_047,
    "ritm-hrnet18": 10_032_019,
    "ritm-hrnet32": 30_951_363,
    # docs/zoo.md §Z.3.1 and §Z.4.1
    "fbrs-resnet34": 23_341_692,
    "fbrs-resnet50": 31_396_604,
    "fbrs-resnet101": 58_431_612,
    "fbrs-hrnet18": 10_022_765,
    "fbrs-hrnet32": 30_942_109,
    "cdnet-resnet34": 23_465_815,
    "cdnet-resnet101": 58_891_799,
    # docs/zoo.md §Z.5 to §Z.8; LD's are those that it trained, without VGG-19
    "fcfi-hrnet18s": 10_156_998,
    "fcfi-resnet101": 58_540_599,
    "fca-resnet101": 73_034_658,
    "fca-res2net101": 73_705_722,
    "brs-densenet": 17_572_389,
    "ld-vgg19": 427_482,
}


@pytest.fixture(scope="module")
def b0() -> SegFormer:
    torch.manual_seed(3)
    network = build("vtmr-b0")
    assert isinstance(network, SegFormer)
    return network.eval()


@pytest.fixture(scope="module")
def hrnet() -> HRNetOcr:
    torch.manual_seed(4)
    network = build("focalclick-hrnet18s")
    assert isinstance(network, HRNetOcr)
    return network.eval()


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_are_those_of_the_released_networks(name: str) -> None:
    with torch.device("meta"):  # shapes alone: the values of the largest take seconds to draw
        network = build(name)
    assert network.spec.model == name
    trained = [p for p in network.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trained) == PARAMETERS[name]


def test_every_builder_has_its_size_checked() -> None:
    assert BUILDERS.keys() - PARAMETERS.keys() == {"lite0"}


def test_parts_of_b0_have_the_released_sizes(b0: SegFormer) -> None:
    """§A.6: encoder 3,324,192 with 4,800 of the clicks' embedding, head 395,009, refiner 16,483 of
    which 33 unused."""
    assert b0.refiner is not None
    parts = (b0.encoder, b0.encoder.interaction, b0.head, b0.refiner)
    assert [sum(p.numel() for p in part.parameters()) for part in parts] == [
        3_324_192,
        4_800,
        395_009,
        16_450,
    ]


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no network 'vtmr-b1'.*Did you mean 'vtmr-b"):
        build("vtmr-b1")


def test_norms_have_their_epsilons(b0: SegFormer) -> None:
    """§A.2: 1e-6 in blocks and after stages, 1e-5 after patch embeddings and inside reduced
    attention."""
    norms = {
        name: module.eps for name, module in b0.named_modules() if isinstance(module, nn.LayerNorm)
    }
    inner = {
        name
        for name in norms
        if name.endswith((".embed.norm", ".attention.norm", "interaction.norm"))
    }
    assert len(inner) == 4 + 3 * 2 + 1
    assert len(norms) == len(inner) + 4 + 2 * 8
    assert all(norms[name] == (1e-5 if name in inner else 1e-6) for name in norms)
    assert all(m.eps == 1e-5 for m in b0.modules() if isinstance(m, nn.BatchNorm2d))


def seen_by_head(
    network: SegFormer, image: torch.Tensor, maps: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    seen: list[tuple[torch.Tensor, ...]] = []
    handle = network.head.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        network.coarse(image, maps)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("halved", [False, True])
def test_clicks_reach_every_level_but_the_first(b0: SegFormer, halved: bool) -> None:
    """§A.2's parity trap: the decoder's first map is the one before the clicks are added."""
    generator = torch.Generator().manual_seed(0)
    image, maps, others = (torch.rand(1, 3, 128, 128, generator=generator) for _ in range(3))
    b0.halved = halved
    try:
        before, after = seen_by_head(b0, image, maps), seen_by_head(b0, image, others)
        assert torch.equal(before[0], b0.early(image))
    finally:
        b0.halved = False
    assert torch.equal(before[0], after[0])
    assert [bool(torch.equal(x, y)) for x, y in zip(before, after, strict=True)] == [
        True,
        False,
        False,
        False,
    ]
    assert before[0].shape == (1, 32, *((16, 16) if halved else (32, 32)))


def test_the_head_is_the_one_of_the_papers() -> None:
    """Against the order in which it is written (§A.3): project, upsample, concatenate deepest
    first, mix."""
    torch.manual_seed(0)
    head = MlpFusionHead((3, 5, 7), 8).eval()
    head.norm.running_mean.normal_()
    maps = tuple(torch.randn(2, c, 16 // 2**i, 16 // 2**i) for i, c in enumerate((3, 5, 7)))
    projected = [
        level(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        for level, x in zip(head.levels, maps, strict=True)
    ]
    upsampled = [nn.functional.interpolate(x, size=(16, 16), mode="bilinear") for x in projected]
    expected = torch.relu(head.norm(head.fuse(torch.cat(upsampled[::-1], dim=1))))
    logits, features = head(maps)
    torch.testing.assert_close(features, expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(logits, head.logits(expected), rtol=0, atol=2e-6)


def test_attention_is_softmax_over_the_reduced_tokens() -> None:
    """Against the formula, per head in float64; the first rows of the joint projection are the
    keys'."""
    torch.manual_seed(0)
    attention = ReducedAttention(8, 2, 2).double()
    tokens, like = torch.randn(1, 16, 8, dtype=torch.float64), torch.empty(1, 1, 4, 4)
    square = tokens.transpose(1, 2).reshape(1, 8, 4, 4)
    reduced = attention.norm(attention.reduce(square).flatten(2).transpose(1, 2))
    weight, bias = attention.key_value.weight, attention.key_value.bias
    query, key, value = (
        attention.query(tokens),
        reduced @ weight[:8].T + bias[:8],
        reduced @ weight[8:].T + bias[8:],
    )
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        shares = torch.softmax(query[..., part] @ key[..., part].transpose(1, 2) / 4**0.5, dim=-1)
        heads.append(shares @ value[..., part])
    torch.testing.assert_close(attention(tokens, like), attention.project(torch.cat(heads, dim=2)))


def test_stochastic_depth_grows_over_the_blocks(b0: SegFormer) -> None:
    """§A.2: linear from 0 to .1 over all eight blocks."""
    found = [module.probability for module in b0.modules() if isinstance(module, StochasticDepth)]
    assert found == pytest.approx([0.1 * i / 7 for i in range(8)])
    assert [found[i] for i in (1, 3, 5, 7)] == pytest.approx(
        [0.0143, 0.0429, 0.0714, 0.1], abs=5e-5
    )


def test_stochastic_depth_keeps_the_mean_and_does_nothing_outside_training() -> None:
    torch.manual_seed(0)
    drop, ones = StochasticDepth(0.25), torch.ones(4000, 3)
    kept = drop(ones)
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(kept[:, 0], kept[:, 2])  # whole samples
    assert float(kept.mean()) == pytest.approx(1, abs=0.05)
    assert drop.eval()(ones) is ones


def test_fresh_weights_are_drawn_as_documented() -> None:
    """§A.2: linear truncated normal .02, convolutions normal with variance 2 / fan-out, biases
    0."""
    torch.manual_seed(0)
    linear, conv = nn.Linear(400, 300), nn.Conv2d(64, 64, 3, groups=4)
    for module in (linear, conv):
        initialise(module)
        assert not module.bias.any()
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 16)) ** 0.5, rel=0.05)


@pytest.mark.parametrize("name", ["vtmr-b0", "focalclick-hrnet18s", "lite0"])
def test_early_and_late_make_the_coarse_pass(name: str) -> None:
    network: InteractiveNetwork = build(name).eval()
    image, maps = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        (logits, narrow), (same, features) = (
            network.coarse(image, maps),
            network.late(network.early(image), maps),
        )
        assert network.refiner is not None
        assert torch.equal(narrow, network.refiner.narrowed(features))
    assert torch.equal(logits, same)
    assert logits.shape == (1, 1, 64, 64)


@pytest.mark.parametrize("name", ["vtmr-b0", "focalclick-hrnet18s", "lite0"])
def test_early_parameters_are_all_that_early_uses(name: str) -> None:
    network = build(name)
    network.early(torch.rand(2, 3, 64, 64)).sum().backward()
    used = {id(p) for p in network.parameters() if p.grad is not None}
    assert used == {id(p) for p in network.early_parameters()}
    assert used <= {id(p) for p in network.encoder.parameters()}


def test_only_hrnets_have_auxiliary_logits(b0: SegFormer, hrnet: HRNetOcr) -> None:
    image, maps = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        assert b0.decode(b0.early(image), maps)[2] is None
        auxiliary = hrnet.decode(hrnet.early(image), maps)[2]
    assert auxiliary is not None
    assert auxiliary.shape == (1, 1, 64, 64)


def test_clicks_join_the_hrnet_after_its_first_convolution(hrnet: HRNetOcr) -> None:
    """With the learned scale at 0 the maps can't matter; its sign can't either (§A.5)."""
    image, maps = torch.rand(2, 1, 3, 64, 64)
    scale = hrnet.interaction[3].scale
    answers = []
    with torch.no_grad():
        for value in (0.0, 0.05, -0.05):
            scale.fill_(value)
            answers.append([hrnet.coarse(image, m)[0] for m in (maps, torch.zeros_like(maps))])
        scale.fill_(0.05)
    assert torch.equal(*answers[0])
    assert not torch.equal(*answers[1])
    assert torch.equal(answers[1][0], answers[2][0])


def test_a_network_without_a_refiner_says_so() -> None:
    network = build("ritm-hrnet18s")
    assert not network.spec.refines
    assert network.refiner is None
    with pytest.raises(ConfigError, match="ritm-hrnet18s has no refiner"):
        network.refine(*[torch.zeros(1)] * 5)


def test_the_clicks_embedding_is_in_the_encoders_group(b0: SegFormer) -> None:
    """§C.8: FocalClick's encoder group, with its own learning rate, includes the clicks'
    embedding."""
    assert isinstance(b0.encoder, MixTransformer)
    assert any(p is b0.encoder.interaction.conv.weight for p in b0.encoder.parameters())
