"""ImageNet encoders from the layouts of docs/method.md §A.7: the official flat one, Hugging Face's,
HRNet's."""

from __future__ import annotations

from pathlib import Path

import official
import pytest
import torch
from safetensors.torch import save_file

from vtmr.errors import CheckpointError
from vtmr.models import build
from vtmr.models.encoder_weights import NVIDIA_LICENCE
from vtmr.models.segformer import SegFormer

PREFIX = "feature_extractor.backbone."


def mit_b0() -> dict[str, torch.Tensor]:
    """A file like mit_b0.pth: flat names, no clicks' embedding, the classifier still there."""
    shapes = official.key_shapes("focalclick-b0")
    state = {
        key.removeprefix(PREFIX): official.fill(key, shape)
        for key, shape in shapes.items()
        if key.startswith(PREFIX) and "side1" not in key
    }
    return state | {"head.weight": torch.zeros(1000, 256), "head.bias": torch.zeros(1000)}


def hugging_face_name(name: str) -> str:
    """§A.7's table of names, written the other way round than in the program."""
    for s in "1234":
        name = name.replace(f"patch_embed{s}.norm", f"patch_embeddings.{int(s) - 1}.layer_norm")
        name = name.replace(f"patch_embed{s}.", f"patch_embeddings.{int(s) - 1}.")
        name = name.replace(f"block{s}.", f"block.{int(s) - 1}.")
        if name.startswith(f"norm{s}."):
            name = name.replace(f"norm{s}.", f"layer_norm.{int(s) - 1}.")
    table = {
        ".norm1.": ".layer_norm_1.",
        ".norm2.": ".layer_norm_2.",
        ".attn.q.": ".attention.self.query.",
        ".attn.sr.": ".attention.self.sr.",
        ".attn.norm.": ".attention.self.layer_norm.",
        ".attn.proj.": ".attention.output.dense.",
        ".fc1.": ".dense1.",
        ".fc2.": ".dense2.",
    }
    for theirs, hf in table.items():
        name = name.replace(theirs, hf)
    return f"segformer.encoder.{name}"


def as_hugging_face(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    result = {"classifier.weight": state["head.weight"], "classifier.bias": state["head.bias"]}
    for name, value in state.items():
        if ".attn.kv." in name:
            half = value.shape[0] // 2
            base = hugging_face_name(name).replace(".attn.kv.", ".attention.self.{}.")
            result[base.format("key")], result[base.format("value")] = (
                value[:half].clone(),
                value[half:].clone(),
            )
        elif not name.startswith("head."):
            result[hugging_face_name(name)] = value
    return result


def assert_started_from_mit(network: SegFormer) -> None:
    """Spot checks by hand-written pairs of names, of values that no two weights share."""
    pairs = {
        "patch_embed2.proj.weight": "stages.1.embed.conv.weight",
        "block1.1.attn.kv.weight": "stages.0.blocks.1.attention.key_value.weight",
        "block4.0.mlp.dwconv.dwconv.weight": "stages.3.blocks.0.mlp.mix.weight",
        "block3.0.norm2.bias": "stages.2.blocks.0.mlp_norm.bias",
        "norm4.weight": "stages.3.norm.weight",
    }
    source, state = mit_b0(), network.encoder.state_dict()
    for theirs, ours in pairs.items():
        assert torch.equal(state[ours], source[theirs]), ours


@pytest.fixture
def network() -> SegFormer:
    torch.manual_seed(1)
    network = build("vtmr-b0")
    assert isinstance(network, SegFormer)
    return network


@pytest.mark.parametrize(
    "layout", ["official", "official in state_dict", "hugging face", "hugging face safetensors"]
)
def test_every_layout_gives_the_same_encoder(
    layout: str, network: SegFormer, tmp_path: Path
) -> None:
    embedding = network.encoder.interaction.conv.weight.clone()
    state = mit_b0() if "official" in layout else as_hugging_face(mit_b0())
    path = tmp_path / ("mit.safetensors" if "safetensors" in layout else "mit.pth")
    if "safetensors" in layout:
        save_file(state, path)
    else:
        torch.save({"state_dict": state} if "state_dict" in layout else state, path)
    spec = network.load_imagenet(path)
    assert_started_from_mit(network)
    # Not in those files: stays random.
    assert torch.equal(network.encoder.interaction.conv.weight, embedding)
    assert spec.licence == NVIDIA_LICENCE
    assert spec.model == "vtmr-b0"


def test_absent_weights_say_where_they_are_to_be_had(network: SegFormer, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no file was named.*NVlabs/SegFormer.*nvidia/mit-b"):
        network.load_imagenet()
    with pytest.raises(CheckpointError, match=r"mit\.pth doesn't exist.*NVlabs/SegFormer"):
        network.load_imagenet(tmp_path / "mit.pth")
    with pytest.raises(CheckpointError, match=r"HRNet.*HRNet-Image-Classification"):
        build("ritm-hrnet18s").load_imagenet()


def test_weights_of_another_size_are_refused(network: SegFormer, tmp_path: Path) -> None:
    state = mit_b0()
    state["patch_embed1.proj.bias"] = torch.zeros(64)
    torch.save(state, tmp_path / "mit.pth")
    with pytest.raises(
        CheckpointError, match=r"shape \(64,\) for 'stages\.0\.embed\.conv\.bias': expected \(32,\)"
    ):
        network.load_imagenet(tmp_path / "mit.pth")


@pytest.mark.parametrize("lost", ["key", "value"])
def test_half_a_pair_of_keys_and_values_is_refused(
    lost: str, network: SegFormer, tmp_path: Path
) -> None:
    state = as_hugging_face(mit_b0())
    del state[f"segformer.encoder.block.0.0.attention.self.{lost}.weight"]
    torch.save(state, tmp_path / "mit.pth")
    with pytest.raises(CheckpointError, match="lacks"):
        network.load_imagenet(tmp_path / "mit.pth")


def test_an_hrnet_starts_from_its_classifier(tmp_path: Path) -> None:
    shapes = official.key_shapes("ritm-hrnet18s")
    state = {
        key.removeprefix("feature_extractor."): official.fill(key, shape)
        for key, shape in shapes.items()
        if key.startswith("feature_extractor.")
        and not any(part in key for part in ("ocr", "cls_head", "aux_head"))
    }
    state["incre_modules.0.0.conv1.weight"] = state["classifier.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "hrnet.pth")
    network = build("focalclick-hrnet18s")
    assert network.load_imagenet(tmp_path / "hrnet.pth") == network.spec
    ours = network.encoder.state_dict()["stage4.exchanges.1.fusions.3.0.2.1.running_var"]
    assert torch.equal(ours, state["stage4.1.fuse_layers.3.0.2.1.running_var"])


def test_lite0_takes_a_file_too(tmp_path: Path) -> None:
    network = build("lite0")
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "lite.pth")
    with pytest.raises(CheckpointError, match=r"lite\.pth lacks weights"):
        network.load_imagenet(tmp_path / "lite.pth")
