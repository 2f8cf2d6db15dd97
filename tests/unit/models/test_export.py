"""Export of the real network, with random weights and statistics: nothing lost, nothing merged, the
same answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from vtmr import modelfile
from vtmr.errors import CheckpointError, ConfigError, InputError
from vtmr.models import build, read_weights
from vtmr.models.efficientnet_lite import SameConv
from vtmr.models.export import export_checkpoint, model_bytes, release
from vtmr.models.lite0 import Lite0
from vtmr.models.loading import load_torch_network
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.models.weights import sealed
from vtmr.runtime import OnnxNetwork, bundled_models, load_network
from vtmr.spec import ModelSpec, Run
from vtmr.types import Click

SPEC = replace(
    build("lite0").spec,
    training_data=("pairs",),
    lineage=(Run("r.toml", "abc", "2024-01-01", 1, 2, 3.0, ""),),
    terms="research only",
)


def random_network() -> Lite0:
    """lite0 whose BatchNorms have statistics and scales of their own, so that a swap or a merge
    would show.

    Its logits are scaled to a trained network's size (about ±10), without which 1e-4 would be a
    weak promise.
    """
    torch.manual_seed(7)
    network = build("lite0")
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
            module.num_batches_tracked.fill_(int(torch.randint(1, 1000, ())))
    network.head.logits.weight.data *= 100
    network.refiner.detail.weight.data *= 100
    return network


@pytest.fixture(scope="module")
def network() -> Lite0:
    return random_network()


@pytest.fixture(scope="module")
def exported(network: Lite0, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "random.onnx"
    path.write_bytes(model_bytes(network, SPEC))
    return path


def save_checkpoint(path: Path, network: Lite0, spec: ModelSpec | None = SPEC) -> Path:
    """As training writes it."""
    save_file(
        network.state_dict(), path, metadata={"spec": spec.to_json()} if spec else {"format": "pt"}
    )
    return path


def assert_same_state(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert found[name].numpy().tobytes() == value.numpy().tobytes(), name


def test_every_parameter_and_buffer_comes_back_bit_for_bit(network: Lite0, exported: Path) -> None:
    state, spec = read_weights(exported)
    assert spec == SPEC
    assert_same_state(state, network.state_dict())
    restored, _ = restore(exported)
    assert_same_state(restored.state_dict(), network.state_dict())


@pytest.mark.slow
def test_equal_tensors_of_a_fresh_network_are_not_merged(tmp_path: Path) -> None:
    # Many biases are 0 and many variances 1: torch's exporter likes to merge those.
    fresh = build("lite0")
    path = tmp_path / "fresh.onnx"
    path.write_bytes(model_bytes(fresh, SPEC))
    assert_same_state(read_weights(path)[0], fresh.state_dict())


def test_batch_norm_is_left_unfolded(network: Lite0, exported: Path) -> None:
    model = modelfile.parse(exported.read_bytes(), "exported")
    kinds = [
        node.op_type
        for graph in (model.coarse, model.refine)
        for node in onnx.load_from_string(graph).graph.node
    ]
    norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert kinds.count("BatchNormalization") == norms > 50


def test_uneven_padding_is_part_of_its_convolution(network: Lite0, exported: Path) -> None:
    """A node of its own takes ONNX Runtime's blocked maps apart and together again, a sixth of the
    pass."""
    nodes = onnx.load_from_string(
        modelfile.parse(exported.read_bytes(), "exported").coarse
    ).graph.node
    assert "Pad" not in {node.op_type for node in nodes}
    pads = [
        list(a.ints)
        for node in nodes
        if node.op_type == "Conv"
        for a in node.attribute
        if a.name == "pads"
    ]
    uneven = [p for p in pads if p[:2] != p[2:]]
    extras = [
        module.extra
        for module in network.modules()
        if isinstance(module, SameConv) and module.extra
    ]
    assert uneven == [[before, before, after, after] for before, after in extras]
    assert len(uneven) == 5


def test_the_file_passes_onnx_checks_and_stays_small(exported: Path) -> None:
    model = modelfile.parse(exported.read_bytes(), "exported")
    for graph in (model.coarse, model.refine):
        onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    assert exported.stat().st_size < 16_000_000


@pytest.mark.slow
def test_exporting_leaves_the_network_as_it_was(network: Lite0) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    model_bytes(network, SPEC)
    assert all(module.training for module in network.modules())
    assert "forward" not in vars(network)
    assert_same_state(network.state_dict(), before)


@pytest.mark.slow
def test_a_weight_that_no_pass_uses_is_refused() -> None:
    odd = build("lite0")
    odd.spare = torch.nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=r"'spare\.\w+' would get lost"):
        model_bytes(odd, SPEC)


@pytest.fixture(scope="module")
def pair(network: Lite0, exported: Path) -> tuple[TorchNetwork, OnnxNetwork]:
    return TorchNetwork(network, SPEC), load_network(exported)


def scene(
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Click], tuple[float, float, float, float]]:
    """A random crop, patch, previous mask, some clicks (fractional, at the rim too) and a focus
    box."""
    rng = np.random.default_rng(seed)
    size = SPEC.input_size
    crop, patch = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    prev_mask = (
        rng.random((size, size), np.float32) if seed % 2 else np.zeros((size, size), np.float32)
    )
    clicks = [
        Click(x, y, bool(i % 3 != 1)) for i, (x, y) in enumerate(rng.uniform(0, size, (seed, 2)))
    ]
    clicks += [Click(0.0, size - 1e-6)]
    low, high = np.sort(rng.uniform(0, size, (2, 2)), axis=0)
    box = (
        (0.0, 0.0, float(size), float(size))
        if seed == 1
        else (*map(float, low), *map(float, high + 1e-3))
    )
    return crop, patch, prev_mask, clicks, box


def assert_agree(pair: tuple[TorchNetwork, OnnxNetwork], seed: int) -> None:
    crop, patch, prev_mask, clicks, box = scene(seed)
    answers = []
    for each in pair:
        coarse, features = each.coarse(crop, prev_mask, clicks)
        answers.append((coarse, each.refine(patch, clicks, coarse, features, box)))
    for torch_logits, onnx_logits in zip(*answers, strict=True):
        assert torch_logits.shape == onnx_logits.shape == (SPEC.input_size, SPEC.input_size)
        assert np.ptp(torch_logits) > 1, "constant logits would agree by accident"
        np.testing.assert_allclose(torch_logits, onnx_logits, rtol=0, atol=1e-4)


def test_torch_and_onnx_agree(pair: tuple[TorchNetwork, OnnxNetwork]) -> None:
    assert_agree(pair, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 13))
def test_torch_and_onnx_agree_on_many_boxes_and_clicks(
    pair: tuple[TorchNetwork, OnnxNetwork], seed: int
) -> None:
    assert_agree(pair, seed)


def test_torch_and_onnx_agree_on_a_zoomed_grid_of_another_size(
    pair: tuple[TorchNetwork, OnnxNetwork],
) -> None:
    rng = np.random.default_rng(0)
    crop, seen = rng.integers(0, 256, (96, 96, 3), np.uint8), rng.random((96, 96), np.float32)
    logits = []
    for each in pair:
        found, _ = each.coarse(crop, seen, [Click(30.5, 60.5), Click(70.25, 8.0, False)])
        logits.append(found)
    assert logits[0].shape == (96, 96) and SPEC.input_size != 96
    assert np.ptp(logits[0]) > 1, "constant logits would agree by accident"
    np.testing.assert_allclose(*logits, rtol=0, atol=1e-4)


def test_the_number_of_threads_does_not_change_a_bit(exported: Path) -> None:
    crop, patch, prev_mask, clicks, box = scene(4)
    answers = []
    for threads in (1, 2):
        network = load_network(exported, threads=threads)
        coarse, features = network.coarse(crop, prev_mask, clicks)
        answers.append(
            (coarse.tobytes(), network.refine(patch, clicks, coarse, features, box).tobytes())
        )
    assert answers[0] == answers[1]


@pytest.mark.slow
def test_a_checkpoint_becomes_a_model_file(tmp_path: Path, network: Lite0) -> None:
    checkpoint = save_checkpoint(tmp_path / "run.safetensors", network)
    assert export_checkpoint(checkpoint, tmp_path / "run.onnx") == SPEC
    assert_same_state(read_weights(tmp_path / "run.onnx")[0], network.state_dict())
    assert load_network(tmp_path / "run.onnx").spec == SPEC
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.onnx", "run.safetensors"]


def test_a_release_enters_the_manifest_and_keeps_the_others(tmp_path: Path, exported: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    release(exported, "first", {"NoC@90": 3.0}, folder)
    release(exported, "second", {"NoC@90": 2.0}, folder, {"small": (32, {"NoC@90": 4.0})})
    assert [(m.name, m.figures) for m in bundled_models(folder)] == [
        ("first", {"NoC@90": 3.0}),
        ("second", {"NoC@90": 2.0}),
        ("small", {"NoC@90": 4.0}),
    ]
    assert load_network("small", folder=folder).spec == replace(SPEC, input_size=32)
    assert load_network("second", folder=folder).spec == SPEC


@pytest.mark.slow
def test_export_into_a_missing_folder_says_so_and_leaves_nothing(
    tmp_path: Path, network: Lite0
) -> None:
    checkpoint = save_checkpoint(tmp_path / "run.safetensors", network)
    with pytest.raises(InputError, match=r"nowhere/run\.onnx can't be written: No such file"):
        export_checkpoint(checkpoint, tmp_path / "nowhere" / "run.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


def test_checkpoints_that_are_not_ours_are_refused(tmp_path: Path, network: Lite0) -> None:
    path = tmp_path / "run.safetensors"
    with pytest.raises(CheckpointError, match="There is no weights file"):
        read_weights(path)
    path.write_bytes(b"junk" * 100)
    with pytest.raises(CheckpointError, match="can't be read as safetensors"):
        read_weights(path)
    save_checkpoint(path, network, spec=None)
    with pytest.raises(CheckpointError, match="holds no model spec"):
        read_weights(path)
    save_checkpoint(path, network, replace(SPEC, model="lite9"))
    with pytest.raises(CheckpointError, match="don't fit the network 'lite9': There is no network"):
        restore(path)
    pickle = tmp_path / "run.pth"
    torch.save(network.state_dict(), pickle)
    with pytest.raises(
        CheckpointError, match=r"expected \.safetensors \(training\) or \.onnx \(exported\)"
    ):
        read_weights(pickle)


def test_weights_of_another_shape_are_refused(tmp_path: Path, network: Lite0) -> None:
    state = dict(network.state_dict())
    state["head.logits.weight"] = torch.zeros(2, 2)
    path = tmp_path / "run.safetensors"
    save_file(state, path, metadata={"spec": json.dumps(json.loads(SPEC.to_json()))})
    with pytest.raises(
        CheckpointError, match=r"don't fit the network 'lite0': .*head\.logits\.weight"
    ):
        restore(path)


def test_the_torch_network_loads_from_either_file_and_names_a_missing_device(
    exported: Path,
) -> None:
    assert load_torch_network(exported).spec == SPEC
    with pytest.raises(ConfigError, match="torch has no device 'abacus' here"):
        load_torch_network(exported, "abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch has no device 'cuda' here"):
            load_torch_network(exported, "cuda")


def test_a_damaged_checkpoint_is_noticed(tmp_path: Path) -> None:
    """One byte inverted in the middle of a sealed file, where only values are."""
    path = tmp_path / "run.safetensors"
    whole = sealed(build("lite0").state_dict(), {"spec": SPEC.to_json()})
    middle = len(whole) // 2
    path.write_bytes(whole)
    assert restore(path)[1] == SPEC
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    with pytest.raises(
        CheckpointError, match=r"run\.safetensors is damaged: its tensors don't match their SHA-256"
    ):
        restore(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = build("lite0")
    network.head.logits.bias.data.fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"no numbers, in 'head\.logits\.bias'"):
        restore(save_checkpoint(tmp_path / "run.safetensors", network))


def test_an_export_never_replaces_its_checkpoint(tmp_path: Path, network: Lite0) -> None:
    checkpoint = save_checkpoint(tmp_path / "run.safetensors", network)
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match=r"run\.safetensors must end in \.onnx"):
        export_checkpoint(checkpoint, checkpoint)
    assert checkpoint.read_bytes() == before
