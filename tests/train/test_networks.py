"""What the trainer does differently for other networks than lite0: auxiliary logits, no refiner,
encoder weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import official
import pytest
import torch
from shapes import write_recipe
from torch.nn import functional as F

from vtmr.errors import CheckpointError
from vtmr.models import build
from vtmr.models.encoder_weights import NVIDIA_LICENCE
from vtmr.models.network import InteractiveNetwork
from vtmr.train.batches import Batch, batches
from vtmr.train.loop import initial_network
from vtmr.train.losses import normalised_focal_loss
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.step import TrainingStep

SIZE = 64


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path), ("clicks.max_further=0",))


@pytest.fixture
def batch(recipe: Recipe, tmp_path: Path) -> Batch:
    return next(batches(recipe, tmp_path / "data", SIZE, 0))


def small(name: str) -> InteractiveNetwork:
    torch.manual_seed(2)
    network = build(name)
    network.spec = replace(network.spec, input_size=SIZE)
    return network


@pytest.mark.slow
def test_ritm_is_trained_on_both_of_its_outputs(recipe: Recipe, batch: Batch) -> None:
    """docs/method.md §G.8: focal loss and .4 of the cross-entropy on the auxiliary logits; there is
    nothing to refine."""
    network = small("ritm-hrnet18s")
    answers: list[tuple[torch.Tensor, ...]] = []
    decode = network.decode
    network.decode = lambda c1, maps: answers.append(decode(c1, maps)) or answers[-1]  # type: ignore[method-assign]
    losses = TrainingStep(network, recipe)(batch, 0)
    logits, _, auxiliary = answers[-1]
    gt = batch.gt.float()
    expected = normalised_focal_loss(logits, gt).mean() + 0.4 * F.binary_cross_entropy_with_logits(
        auxiliary, gt
    )
    torch.testing.assert_close(losses.coarse, expected)
    assert losses.refined == losses.edge == 0
    losses.total.backward()
    assert network.head.auxiliary[3].weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_ritms_auxiliary_output_does_not_learn_what_is_ignored(
    recipe: Recipe, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small("ritm-hrnet18s")
    ignored = torch.zeros_like(batch.gt, dtype=torch.bool)
    ignored[..., 16:, :] = True
    auxiliary = torch.zeros(batch.gt.shape, requires_grad=True)
    decode = network.decode
    monkeypatch.setattr(network, "decode", lambda c1, maps: (*decode(c1, maps)[:2], auxiliary))
    losses = TrainingStep(network, recipe)(replace(batch, gt=batch.gt.masked_fill(ignored, -1)), 0)
    (gradient,) = torch.autograd.grad(losses.coarse, auxiliary)
    assert gradient[ignored].abs().max() == 0
    assert gradient[~ignored].abs().min() > 0


def test_a_segformer_takes_a_step(recipe: Recipe, batch: Batch) -> None:
    network = small("vtmr-b0")
    losses = TrainingStep(network, recipe)(batch, 0)
    losses.total.backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    assert losses.refined > 0 and losses.edge > 0


def test_the_recipe_names_the_encoders_weights(tmp_path: Path) -> None:
    """Relative to the data root; their licence becomes the run's."""
    prefix = "feature_extractor.backbone."
    state = {
        key.removeprefix(prefix): official.fill(key, shape)
        for key, shape in official.key_shapes("focalclick-b0").items()
        if key.startswith(prefix) and "side1" not in key
    }
    torch.save(state, tmp_path / "mit_b0.pth")
    path = write_recipe(tmp_path)
    recipe = load_recipe(path, ("model=vtmr-b0", "encoder_weights=mit_b0.pth"))
    network, spec = initial_network(recipe, None, tmp_path)
    assert spec.licence == NVIDIA_LICENCE
    assert torch.equal(network.state_dict()["encoder.stages.3.norm.bias"], state["norm4.bias"])
    with pytest.raises(
        CheckpointError, match=r"nowhere/mit_b0\.pth doesn't exist.*NVlabs/SegFormer"
    ):
        initial_network(recipe, None, tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="no file was named"):
        initial_network(load_recipe(path, ("model=vtmr-b0",)), None, tmp_path)
