"""The paper's networks and RITM's as model files: torch and ONNX Runtime give the same logits,
nothing gets lost.

The weights are those of the golden tests, so that logits have a size that 1e-4 means something for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import official
import pytest
import torch

from vtmr.errors import ConfigError
from vtmr.models import build, read_weights
from vtmr.models.converted import import_checkpoint
from vtmr.models.export import export_checkpoint, model_bytes
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.models.torch_network import TorchNetwork
from vtmr.runtime import load_network
from vtmr.types import Click

CLICKS = [Click(30.25, 40.75), Click(200.5, 90.0), Click(128.0, 250.5, positive=False)]


def settled(name: str, size: int) -> InteractiveNetwork:
    """Random weights for a smaller grid; BatchNorm's statistics are those of noise, so that no
    signal dies."""
    torch.manual_seed(3)
    module = build(name)
    module.spec = replace(module.spec, input_size=size)
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    module.train()
    with torch.no_grad():
        logits, features = module.coarse(
            torch.randn(2, 3, size, size), torch.rand(2, 3, size, size)
        )
        if module.refiner is not None:
            boxes = torch.tensor([[4.0, 8.0, 0.8 * size, 0.9 * size]]).repeat(2, 1)
            module.refine(
                torch.rand(2, 3, size, size),
                torch.rand(2, 2, size, size).round(),
                logits,
                features,
                boxes,
            )
    for norm in module.modules():
        if isinstance(
            norm, torch.nn.BatchNorm2d
        ):  # two samples of one object's context hardly differ
            norm.running_var.clamp_(min=0.1)
    return module.eval()


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[InteractiveNetwork, Path]]:
    """The golden network of a name and its model file, which is made once for all tests."""

    @cache
    def export(name: str) -> tuple[InteractiveNetwork, Path]:
        folder = tmp_path_factory.mktemp("export")
        import_checkpoint(
            official.write(name, folder / "official.pth"), folder / "ours.safetensors"
        )
        module, spec = restore(folder / "ours.safetensors")
        assert export_checkpoint(folder / "ours.safetensors", folder / "ours.onnx") == spec
        return module, folder / "ours.onnx"

    return export


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["focalclick-b0", "focalclick-b0-s1", "focalclick-hrnet18s", "ritm-hrnet18s"]
)
def test_torch_and_onnx_agree(
    name: str, exported: Callable[[str], tuple[InteractiveNetwork, Path]]
) -> None:
    """To 1e-4; the golden HRNets' values are far larger than a trained network's, so relative to
    their spread there."""
    assert_agreement(*exported(name))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("vtmr-b3", marks=pytest.mark.slow),
        pytest.param("focalclick-hrnet32", marks=pytest.mark.slow),
        pytest.param("ritm-hrnet18", marks=pytest.mark.proof),
        pytest.param("ritm-hrnet32", marks=pytest.mark.proof),
    ],
)
def test_large_networks_agree_too(name: str, tmp_path: Path) -> None:
    """On a smaller grid, and not with the golden weights: with them HRNet32 amplifies rounding."""
    module = settled(name, 96)
    (tmp_path / "ours.onnx").write_bytes(model_bytes(module, module.spec))
    assert_agreement(module, tmp_path / "ours.onnx")


def assert_agreement(module: InteractiveNetwork, path: Path, input_size: int | None = None) -> None:
    """Of weights to the bit, and of logits."""
    spec = module.spec
    state, _ = read_weights(path)
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())

    networks = (TorchNetwork(module, spec), load_network(path, threads=1, input_size=input_size))
    size = spec.input_size
    clicks = [replace(click, x=click.x * size / 256, y=click.y * size / 256) for click in CLICKS]
    rng = np.random.default_rng(5)
    crop, patch = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    prev_mask = rng.random((size, size), np.float32)
    answers = []
    for network in networks:
        coarse, features = network.coarse(crop, prev_mask, clicks)
        answers.append([coarse])
        if spec.refines:
            box = (0.04 * size, 0.08 * size, 0.78 * size, 0.7 * size)
            answers[-1].append(network.refine(patch, clicks, coarse, features, box))
    for torch_logits, onnx_logits in zip(*answers, strict=True):
        spread = float(np.std(torch_logits))
        assert spread > 0.05, "constant logits would agree by accident"
        np.testing.assert_allclose(torch_logits, onnx_logits, rtol=0, atol=1e-4 * max(1.0, spread))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lite0", "focalclick-b0-s1", "ritm-hrnet18s"])
def test_one_file_serves_other_input_sizes(name: str, tmp_path: Path) -> None:
    """One of each family of encoders, with a refiner and without."""
    module = settled(name, 128)
    (tmp_path / "ours.onnx").write_bytes(model_bytes(module, module.spec))
    module.spec = replace(module.spec, input_size=192)
    assert_agreement(module, tmp_path / "ours.onnx", input_size=192)


@pytest.mark.slow
def test_a_model_file_without_a_refiner_says_so(
    exported: Callable[[str], tuple[InteractiveNetwork, Path]],
) -> None:
    network = load_network(exported("ritm-hrnet18s")[1])
    grid = np.zeros((384, 384), np.float32)
    with pytest.raises(ConfigError, match="ritm-hrnet18s has no refiner"):
        network.refine(
            np.zeros((384, 384, 3), np.uint8), CLICKS, grid, None, (0.0, 0.0, 384.0, 384.0)
        )


@pytest.mark.slow
def test_equal_weights_of_a_fresh_network_are_not_merged(tmp_path: Path) -> None:
    """Zero biases and unit norms of a new SegFormer are many and equal; each must come back under
    its own name."""
    network = build("vtmr-b0")
    path = tmp_path / "fresh.onnx"
    path.write_bytes(model_bytes(network, network.spec))
    state, spec = read_weights(path)
    assert spec == network.spec
    assert state.keys() == network.state_dict().keys()
