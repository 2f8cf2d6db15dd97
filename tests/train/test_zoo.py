"""One training step of each of the zoo's networks, and what their losses are (docs/zoo.md §Z.3 to
§Z.8)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from shapes import write_recipe

from vtmr.errors import CheckpointError, ConfigError
from vtmr.models import build
from vtmr.models.export import export_checkpoint
from vtmr.models.network import DiversityMaps, FeedbackMaps, Hypotheses, InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, sealed
from vtmr.train.batches import Batch, batches
from vtmr.train.coarse_losses import coarse_loss, feedback_losses, latent_losses
from vtmr.train.diversity_losses import diversity_losses
from vtmr.train.iterative_passes import iterative_passes
from vtmr.train.loop import run
from vtmr.train.losses import normalised_focal_loss
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.step import TrainingStep

SIZE = 64
NAMES = (
    "fcfi-hrnet18s",
    "fcfi-resnet101",
    "fca-resnet101",
    "fca-res2net101",
    "brs-densenet",
    "ld-vgg19",
    "cdnet-resnet34",
    "cdnet-resnet101",
    "fbrs-resnet34",
    "fbrs-resnet101",
    "fbrs-hrnet18",
)
LARGER = ("cdnet-resnet101", "fbrs-resnet101")  # the same heads on a larger encoder


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(
        write_recipe(tmp_path), ("clicks.max_further=1", "iterative_clicks_engine=auto")
    )


@pytest.fixture
def batch(recipe: Recipe, tmp_path: Path) -> Batch:
    return next(batches(recipe, tmp_path / "data", SIZE, 0))


def small(name: str) -> InteractiveNetwork:
    torch.manual_seed(2)
    network = build(name)
    network.spec = replace(network.spec, input_size=SIZE)
    return network


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.proof if name in LARGER else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_every_network_takes_a_step(name: str, recipe: Recipe, batch: Batch) -> None:
    """An interaction with a further click, the losses, and gradients for all that is trained."""
    network = small(name)
    losses = TrainingStep(network, recipe)(batch, 1)
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert losses.refined == losses.edge == 0
    trained = [(key, p) for key, p in network.named_parameters() if p.requires_grad]
    assert [key for key, p in trained if p.grad is None] == []
    assert all(bool(torch.isfinite(p.grad).all()) for _, p in trained if p.grad is not None)


@pytest.mark.slow
def test_a_run_leaves_a_checkpoint_that_is_played_and_not_exported(tmp_path: Path) -> None:
    """`vtmr train` from weights of the layout that `vtmr import` writes."""
    network = build("fcfi-hrnet18s")
    metadata = {CHECKPOINT_SPEC_KEY: network.spec.to_json()}
    init = tmp_path / "init.safetensors"
    init.write_bytes(sealed(network.state_dict(), metadata))
    overrides = (
        "model=fcfi-hrnet18s",
        "steps=1",
        f"input_size={SIZE}",
        "iterative_clicks_engine=auto",
    )
    outcome = run(write_recipe(tmp_path), tmp_path / "run", init=init, overrides=overrides)
    assert outcome is not None and outcome.samples == 2
    trained, spec = restore(tmp_path / "run" / "weights.safetensors")
    assert spec.pipeline == "fcfi" and len(spec.lineage) == 1
    before, after = network.state_dict(), trained.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    with pytest.raises(CheckpointError, match="fcfi-hrnet18s isn't exported"):
        export_checkpoint(tmp_path / "run" / "weights.safetensors", tmp_path / "x.onnx")


@pytest.mark.slow
def test_onnx_runtime_cannot_be_asked_for(recipe: Recipe) -> None:
    network = small("ld-vgg19")
    asked = replace(recipe, iterative_clicks_engine="onnxruntime")
    with pytest.raises(ConfigError, match="which ld-vgg19 can't be computed by"):
        iterative_passes(network, asked, torch.device("cpu"))


def labels() -> torch.Tensor:
    gt = torch.zeros(2, 1, 8, 8)
    gt[:, :, 2:6, 2:6] = 1
    return gt


def test_fcfis_losses_are_on_both_feedbacks_and_the_first_in_its_box() -> None:
    """§Z.6.3: probabilities taken for logits; a cell counts where the box is 1."""
    gt = labels()
    box = torch.zeros(2, 1, 4, 4)
    box[:, :, :2] = 1
    box[:, :, 2] = 0.99
    corrected, updated = torch.rand(2, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    logits = torch.randn(gt.shape, generator=torch.Generator().manual_seed(1))
    maps = FeedbackMaps(None, corrected, updated, box, 0.2)

    def enlarged(part: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(
            part, size=(8, 8), mode="bilinear", align_corners=True
        )

    inside = gt.clone()
    inside[:, :, 4:] = -1
    expected = 0.2 * (
        normalised_focal_loss(enlarged(corrected), inside)
        + normalised_focal_loss(enlarged(updated), gt)
    )
    torch.testing.assert_close(feedback_losses(maps, gt), expected)
    whole = coarse_loss(logits, maps, gt, 2)
    torch.testing.assert_close(whole, (normalised_focal_loss(logits, gt) + expected).mean())


def test_lds_loss_is_the_best_mask_the_ranks_and_the_clicks() -> None:
    """§Z.8.3, by its formula on one sample: ℓ = 1 - mean(f y) / mean(max(f, y))."""
    gt = labels()[:1]
    masks = torch.rand(1, 6, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    maps = torch.full((1, 4, 8, 8), 9.0)
    maps[0, 0, 3, 3] = maps[0, 1, 0, 7] = 0
    each = [
        1 - float((f * gt[0, 0]).mean() / (torch.maximum(f, gt[0, 0]).mean() + 1e-6))
        for f in masks[0]
    ]
    ranked = sum(weight * value for weight, value in zip((32, 16, 8, 4, 2, 1), each, strict=True))
    wrong = [(f - gt[0, 0]).abs() for f in masks[0]]
    clicked = sum(float(f[3, 3] + f[0, 7]) for f in wrong) / (2 * 6)
    expected = min(each) + 0.0025 * ranked + clicked
    found = latent_losses(Hypotheses(masks, maps), gt)
    assert float(found) == pytest.approx(expected, abs=1e-4)
    assert float(coarse_loss(masks[:, :1], Hypotheses(masks, maps), gt, 1)) == float(found)


def diversity_maps() -> DiversityMaps:
    generator = torch.Generator().manual_seed(0)
    gate = torch.rand(2, 1, 8, 8, generator=generator)
    latent = torch.randn(2, 4, 8, 8, generator=generator)
    discs = torch.zeros(2, 2, 8, 8)
    discs[:, 0, 3, 3] = discs[:, 1, 0, 7] = 1
    return DiversityMaps(gate, latent, discs)


def test_cdnets_losses_are_on_its_gate_the_best_latent_mask_and_the_clicks() -> None:
    """§Z.4.4, by its words: each latent mask's cross-entropy counts .01, on a disc 1."""
    gt, maps = labels(), diversity_maps()
    gate = normalised_focal_loss(torch.log(maps.gate / (1 - maps.gate)), gt)
    masks = [maps.latent[:, k : k + 1] for k in range(4)]
    focal = torch.stack([normalised_focal_loss(mask, gt) for mask in masks])
    weight = torch.full((2, 1, 8, 8), 0.01)
    weight[:, :, 3, 3] = weight[:, :, 0, 7] = 1
    at_clicks = torch.zeros(2)
    for mask in masks:
        p = torch.sigmoid(mask)
        entropy = -(gt * torch.log(p) + (1 - gt) * torch.log(1 - p))
        at_clicks += (entropy * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))
    expected = 0.4 * gate + focal.min(dim=0).values + at_clicks
    torch.testing.assert_close(diversity_losses(maps, gt), expected, rtol=1e-4, atol=1e-5)
    logits = torch.randn(gt.shape, generator=torch.Generator().manual_seed(1))
    whole = coarse_loss(logits, maps, gt, 2)
    wanted = (normalised_focal_loss(logits, gt) + expected).mean()
    torch.testing.assert_close(whole, wanted, rtol=1e-4, atol=1e-5)


def test_cdnets_losses_say_nothing_of_what_is_ignored() -> None:
    gt, maps = labels(), diversity_maps()
    ignored = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    ignored[:, :, 6:] = True
    parts = [part.clone().requires_grad_() for part in (maps.gate, maps.latent)]
    gate, latent = parts
    changed = DiversityMaps(gate, latent, maps.discs)
    losses = diversity_losses(changed, gt.masked_fill(ignored, -1))
    for part, gradient in zip(parts, torch.autograd.grad(losses.sum(), parts), strict=True):
        assert gradient[ignored.expand_as(part)].abs().max() == 0
        assert gradient[~ignored.expand_as(part)].abs().max() > 0
