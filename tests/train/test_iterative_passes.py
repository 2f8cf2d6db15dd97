"""The passes of iterative clicks: ONNX Runtime's are torch's but for rounding, of the weights that
the network has now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from shapes import write_recipe

from vtmr.errors import ConfigError
from vtmr.models import build
from vtmr.models.network import InteractiveNetwork
from vtmr.train.batches import Batch, batches, click_rngs
from vtmr.train.iterative_passes import OnnxPasses, TorchPasses, iterative_passes
from vtmr.train.recipe import MaskMatchRecipe, Recipe, load_recipe
from vtmr.train.step import TrainingStep, normalised

SIZE = 64


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path), ("clicks.max_further=3", "threads=1"))


@pytest.fixture
def batch(recipe: Recipe, tmp_path: Path) -> Batch:
    return next(batches(recipe, tmp_path / "data", SIZE, 0))


def lively(name: str, seed: int = 2) -> InteractiveNetwork:
    """Random weights, none of them as they are initialised."""
    torch.manual_seed(seed)
    network = build(name)
    network.spec = replace(network.spec, input_size=SIZE)
    change(network)
    return network


def saying_object() -> InteractiveNetwork:
    """Of a first mask without any overlap MaskMatch makes nothing."""
    network = lively("lite0")
    torch.nn.init.constant_(network.head.logits.bias, 1.0)
    return network


def change(network: InteractiveNetwork) -> None:
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.mul_(1 + 0.02 * torch.rand_like(value))


@pytest.mark.parametrize(
    "name",
    [
        "lite0",
        pytest.param("vtmr-b0", marks=pytest.mark.slow),
        pytest.param("ritm-hrnet18s", marks=pytest.mark.slow),
    ],
)
def test_both_engines_give_the_same_logits_after_every_change(name: str, batch: Batch) -> None:
    network = lively(name)
    image = normalised(batch.image, network.spec.coarse_normalisation)
    maps = torch.rand(len(image), 3, SIZE, SIZE)
    mine, torchs = OnnxPasses(network, 1), TorchPasses(network, "float32")
    before = None
    for _ in range(2):
        mine.refresh()
        torchs.refresh()
        c1 = torchs.early(image)
        scale = c1.abs().max().item()
        torch.testing.assert_close(mine.early(image), c1, rtol=1e-4, atol=1e-4 * scale)
        logits = torchs.logits(c1, maps)
        torch.testing.assert_close(
            mine.logits(c1, maps), logits, rtol=1e-4, atol=1e-4 * logits.abs().max().item()
        )
        assert before is None or not torch.allclose(before, logits, rtol=1e-3)
        before = logits
        change(network)


@pytest.mark.slow
def test_making_the_passes_leaves_the_network_alone(batch: Batch) -> None:
    network = lively("lite0")
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    passes = OnnxPasses(network, 1)
    passes.refresh()
    passes.logits(passes.early(batch.image.float()), torch.zeros(len(batch.image), 3, SIZE, SIZE))
    assert all(module.training for module in network.modules())
    assert "forward" not in vars(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
def test_a_long_run_takes_no_more_memory_than_a_short_one(batch: Batch) -> None:
    """Each step's weights are 12 MB: once every step kept them, and a run of two processes took 24
    GB by step 800."""
    network = lively("lite0")
    passes, process = OnnxPasses(network, 1), psutil.Process()
    image, maps = batch.image[:1].float(), torch.zeros(1, 3, SIZE, SIZE)

    def grown(steps: int) -> float:
        before = process.memory_info().rss
        for _ in range(steps):
            passes.refresh()
            passes.logits(passes.early(image), maps)
        return (process.memory_info().rss - before) / 2**20

    grown(10)
    assert grown(20) < 60


@pytest.mark.slow
@pytest.mark.parametrize("maskmatch", [None, MaskMatchRecipe(alpha=0.0)])
@pytest.mark.parametrize("size", [64, 128])
def test_a_step_is_the_same_with_both(
    size: int,
    maskmatch: MaskMatchRecipe | None,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clicks, losses and gradients, on grids of the network's size and another."""
    monkeypatch.setattr("vtmr.train.maskmatch.MOST_CLAMPED", 1.0)
    batch = next(batches(recipe, tmp_path / "data", size, 0))
    found = []
    for engine in ("torch", "onnxruntime"):
        network = saying_object()
        step = TrainingStep(
            network, replace(recipe, iterative_clicks_engine=engine, maskmatch=maskmatch)
        )
        image = normalised(batch.image, network.spec.coarse_normalisation)
        c1, interaction, second = step.iterate_clicks(
            image, batch, maskmatch, 2, click_rngs(0, 1, batch.positions)
        )
        assert c1.is_contiguous(memory_format=torch.channels_last)
        assert (second is None) == (maskmatch is None)
        losses = step(batch, 1)
        losses.total.backward()
        found.append((interaction, second, losses, network.head.logits.weight.grad))
    (interaction, second, losses, gradient), (other, other_second, other_losses, other_gradient) = (
        found
    )
    assert other.clicks == interaction.clicks
    np.testing.assert_allclose(other.prev_mask, interaction.prev_mask, atol=1e-4)
    if second is not None:
        assert other_second.interaction.clicks == second.interaction.clicks
    for name, value in losses.by_name.items():
        torch.testing.assert_close(other_losses.by_name[name], value, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(
        other_gradient, gradient, rtol=1e-2, atol=1e-3 * gradient.abs().max().item()
    )


@pytest.mark.parametrize(
    ("engine", "able", "expected"),
    [
        ("torch", {"avx2": True}, TorchPasses),
        ("onnxruntime", {"amx_bf16": True}, OnnxPasses),
        ("auto", {"avx2": True}, OnnxPasses),
        ("auto", {"avx512_bf16": True}, TorchPasses),
    ],
)
def test_which_engine_a_processor_gets(
    engine: str,
    able: dict[str, bool],
    expected: type,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    monkeypatch.setattr(OnnxPasses, "__init__", lambda *_: None)  # it would trace the network
    recipe = replace(recipe, iterative_clicks_engine=engine)
    assert type(iterative_passes(lively("lite0"), recipe, torch.device("cpu"))) is expected


def test_a_gpu_computes_its_own_passes(recipe: Recipe) -> None:
    network, gpu = lively("lite0"), torch.device("cuda")
    assert isinstance(
        iterative_passes(network, replace(recipe, iterative_clicks_engine="auto"), gpu), TorchPasses
    )
    with pytest.raises(
        ConfigError,
        match="clicks_engine is 'onnxruntime', which computes on CPUs, and the run is on cuda",
    ):
        iterative_passes(network, replace(recipe, iterative_clicks_engine="onnxruntime"), gpu)
