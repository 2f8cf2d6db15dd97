"""`vtmr import` on files in the official layout and on everything else.

That the weights arrive where they belong is proved by tests/golden; here is what is said of them
and what is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import official
import pytest
import torch

from vtmr.errors import CheckpointError, ConfigError, InputError
from vtmr.models import read_weights
from vtmr.models.builders import fbrs_spec, ritm_spec
from vtmr.models.converted import import_checkpoint, refined_by

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def b0() -> dict[str, Any]:
    return official.content("focalclick-b0")


def copied(content: dict[str, Any]) -> dict[str, Any]:
    config = {"class": content["config"]["class"], "params": dict(content["config"]["params"])}
    return {"state_dict": dict(content["state_dict"]), "config": config}


def save(content: object, folder: Path) -> Path:
    torch.save(content, folder / "official.pth")
    return folder / "official.pth"


@pytest.mark.slow
def test_ritm_files_are_told_from_focalclicks_by_their_weights(tmp_path: Path) -> None:
    """Both have the same class; RITM's has no refiner, and its code is under the MIT licence
    (docs/method.md §0)."""
    spec = import_checkpoint(
        official.write("ritm-hrnet18s", tmp_path / "a.pth"), tmp_path / "a.safetensors"
    )
    assert (spec.model, spec.pipeline, spec.refines) == ("ritm-hrnet18s", "ritm", False)
    assert spec.licence.startswith("MIT")
    spec = import_checkpoint(
        official.write("focalclick-hrnet18s", tmp_path / "b.pth"), tmp_path / "b.safetensors"
    )
    assert (spec.model, spec.pipeline, spec.refines) == ("focalclick-hrnet18s", "focalclick", True)
    assert spec.licence.startswith("Apache-2.0")


def test_half_precision_is_widened(b0: dict[str, Any], tmp_path: Path) -> None:
    content = copied(b0)
    key = "refiner.refine_pred.weight"
    content["state_dict"][key] = content["state_dict"][key].half()
    import_checkpoint(save(content, tmp_path), tmp_path / "ours.safetensors")
    state, _ = read_weights(tmp_path / "ours.safetensors")
    assert state["refiner.detail.weight"].dtype == torch.float32


def parameter(name: str, value: object) -> Change:
    return lambda content: content["config"]["params"].update(
        {name: {"type": "builtin", "value": value}}
    )


REFUSED: dict[str, tuple[Change, str]] = {
    "missing weight": (
        lambda c: c["state_dict"].pop("refiner.refine_pred.bias"),
        r"lacks weights for 'refiner\.detail\.bias': it is incomplete",
    ),
    "many missing": (
        lambda c: [c["state_dict"].pop(key) for key in list(c["state_dict"]) if "block4" in key],
        r"lacks weights for 'encoder\.stages\.3\.blocks\.0\.attention\.key_value\.bias' "
        r"and 31 more",
    ),
    "wrong shape": (
        lambda c: c["state_dict"].update({"refiner.refine_pred.bias": torch.zeros(2)}),
        r"of shape \(2,\) for 'refiner\.detail\.bias': expected \(1,\)",
    ),
    "unknown weight": (
        lambda c: c["state_dict"].update({"extra.weight": torch.zeros(2)}),
        "unexpected weight 'extra.weight'",
    ),
    "one block too many": (
        lambda c: c["state_dict"].update(
            {"feature_extractor.backbone.block1.2.attn.q.bias": torch.zeros(32)}
        ),
        r"'encoder\.stages\.0\.blocks\.2\.attention\.query\.bias', which the network doesn't have",
    ),
    "not a tensor": (
        lambda c: c["state_dict"].update({"refiner.refine_pred.bias": [0.0]}),
        "isn't a tensor by name",
    ),
    "no weights": (lambda c: c["state_dict"].clear(), "holds no table of weights"),
    "unknown class": (
        lambda c: c["config"].update({"class": "isegm.model.is_deeplab_model.DeeplabModel"}),
        r"unknown network class 'isegm\.model\.is_deeplab_model\.DeeplabModel'",
    ),
    "no class": (lambda c: c["config"].pop("class"), "damaged configuration"),
    "no configuration": (
        lambda c: c.pop("config"),
        "expected the two entries 'state_dict' and 'config'",
    ),
    "other size": (
        parameter("model_version", "b5"),
        "a SegFormer 'b5', pipeline 's2', which can't be imported",
    ),
    "odd size": (parameter("model_version", ["b0"]), "which can't be imported"),
    "distance maps": (parameter("use_disks", False), "trained with use_disks = False"),
    "other radius": (parameter("norm_radius", 260), "trained with norm_radius = 260"),
    "another network's class": (
        lambda c: c["config"].update({"class": official.HRNET}),
        r"lacks the weight 'feature_extractor\.transition1",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_unsound_files_are_refused_in_one_sentence(
    what: str, b0: dict[str, Any], tmp_path: Path
) -> None:
    change, says = REFUSED[what]
    content = copied(b0)
    change(content)
    path = save(content, tmp_path)
    with pytest.raises(CheckpointError, match=says) as caught:
        import_checkpoint(path, tmp_path / "ours.safetensors")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["official.pth"]


def test_hrnets_that_nobody_released_are_refused(tmp_path: Path) -> None:
    content = official.content("ritm-hrnet18s")
    content["state_dict"]["feature_extractor.conv3x3_ocr.0.weight"] = torch.zeros(200, 270, 3, 3)
    with pytest.raises(
        CheckpointError, match="an HRNet of width 18 with 200 object-context channels"
    ):
        import_checkpoint(save(content, tmp_path), tmp_path / "ours.safetensors")
    content = official.content("focalclick-hrnet18s")
    parameter("pipeline_version", "s1")(content)
    with pytest.raises(CheckpointError, match="an HRNet for the pipeline 's1'"):
        import_checkpoint(save(content, tmp_path), tmp_path / "ours.safetensors")


@pytest.mark.parametrize("data", [b"", b"no weights", b"PK\x03\x04 half a zip"])
def test_files_that_are_no_torch_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "official.pth"
    path.write_bytes(data)
    with pytest.raises(
        CheckpointError, match=r"official\.pth (is damaged|can't be read as a torch file)"
    ):
        import_checkpoint(path, tmp_path / "ours.safetensors")


def test_a_truncated_file(b0: dict[str, Any], tmp_path: Path) -> None:
    path = save(b0, tmp_path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(
        CheckpointError, match=r"official\.pth (is damaged|can't be read as a torch file)"
    ):
        import_checkpoint(path, tmp_path / "ours.safetensors")


def test_other_content(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no released checkpoint that is known here"):
        import_checkpoint(save([1, 2], tmp_path), tmp_path / "ours.safetensors")
    with pytest.raises(CheckpointError, match="There is no weights file"):
        import_checkpoint(tmp_path / "nothing.pth", tmp_path / "ours.safetensors")


def test_outputs_that_cannot_be(b0: dict[str, Any], tmp_path: Path) -> None:
    path = save(b0, tmp_path)
    with pytest.raises(CheckpointError, match=r"must end in \.safetensors"):
        import_checkpoint(path, tmp_path / "ours.onnx")
    with pytest.raises(InputError, match="can't be written"):
        import_checkpoint(path, tmp_path / "nowhere" / "ours.safetensors")


@pytest.fixture(scope="module")
def fbrs() -> dict[str, torch.Tensor]:
    return official.flat("fbrs-resnet34")


def test_flat_files_of_fbrs_may_lack_the_counters_of_batches(
    fbrs: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    """As those converted from MXNet do; the spec says how the network is played."""
    state = {key: value for key, value in fbrs.items() if "num_batches" not in key}
    spec = import_checkpoint(save(state, tmp_path), tmp_path / "ours.safetensors")
    assert (spec.model, spec.pipeline, spec.refinement) == ("fbrs-resnet34", "fbrs", "fbrs-b")
    assert (spec.eval_mode, spec.input_size, spec.threshold) == ("cvpr", 400, 0.49)
    assert spec.licence == "MPL-2.0 (f-BRS)"
    written, _ = read_weights(tmp_path / "ours.safetensors")
    assert torch.equal(written["interaction.3.bias"], fbrs["rgb_conv.3.bias"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("head.layers.2.bias", None, r"lacks weights for 'head\.2\.bias'"),
        ("head.layers.2.bias", torch.zeros(4), r"of shape \(4,\) for 'head\.2\.bias'"),
        ("head.layers.3.bias", torch.zeros(1), r"for 'head\.3\.bias', which the network doesn't"),
        ("rgb_conv.0.scale", torch.zeros(1), r"for 'interaction\.0\.scale', which the network"),
        ("refiner.x", torch.zeros(1), r"unexpected weight 'refiner\.x'"),
        ("rgb_conv.0.weight", None, "no released checkpoint that is known here"),
    ],
)
def test_wrong_and_missing_weights_of_fbrs_are_named(
    key: str,
    value: torch.Tensor | None,
    says: str,
    fbrs: dict[str, torch.Tensor],
    tmp_path: Path,
) -> None:
    state = dict(fbrs)
    state.pop(key, None)
    if value is not None:
        state[key] = value
    with pytest.raises(CheckpointError, match=says):
        import_checkpoint(save(state, tmp_path), tmp_path / "ours.safetensors")


def test_the_refinement_is_chosen_at_the_import() -> None:
    path = Path("official.pth")
    assert refined_by(fbrs_spec("fbrs-resnet34"), "rgb-brs", path).refinement == "rgb-brs"
    with pytest.raises(ConfigError, match="refinement is 'fbrs': expected one of none, fbrs-a"):
        refined_by(fbrs_spec("fbrs-resnet34"), "fbrs", path)
    with pytest.raises(InputError, match="ritm-hrnet18s, which isn't one of f-BRS"):
        refined_by(ritm_spec("ritm-hrnet18s"), "fbrs-a", path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("feature_extractor.FDM.z2.weight", None, r"lacks weights for 'diffusion\.background\.0"),
        ("feature_extractor.FDM.z3.weight", torch.zeros(1), "unexpected weight"),
        ("latent_head.layers.2.bias", torch.zeros(3), r"of shape \(3,\) for 'latent\.2\.bias'"),
        ("PDM.aff_y.kernel", torch.zeros(8, 1, 3, 3), r"unexpected weight 'PDM\.aff_y"),
    ],
)
def test_wrong_and_missing_weights_of_cdnet_are_named(
    key: str, value: torch.Tensor | None, says: str, tmp_path: Path
) -> None:
    content = official.content("cdnet-resnet34")
    content["state_dict"].pop(key, None)
    if value is not None:
        content["state_dict"][key] = value
    with pytest.raises(CheckpointError, match=says):
        import_checkpoint(save(content, tmp_path), tmp_path / "ours.safetensors")
