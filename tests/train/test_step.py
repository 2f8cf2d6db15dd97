"""One training step: what it changes, what it must not, and where gradients go (docs/method.md
§C.5-C.7, §K.10)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import write_recipe

from vtmr.models import build
from vtmr.models.lite0 import Lite0
from vtmr.train.batches import Batch, batches, click_maps, click_rngs, step_rng
from vtmr.train.losses import normalised_focal_loss
from vtmr.train.optimiser import freeze
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.step import TrainingStep, normalised, set_training

EARLY = ("encoder.stem", "encoder.stages.0", "encoder.stages.1")


@pytest.fixture
def network(small: int) -> Any:
    torch.manual_seed(1)
    return build("lite0")


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path), ("clicks.max_further=3",))


@pytest.fixture
def batch(recipe: Recipe, tmp_path: Path, small: int) -> Batch:
    return next(batches(recipe, tmp_path / "data", small, 0))


def statistics(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.named_buffers()}


def changed(before: dict[str, torch.Tensor], network: torch.nn.Module) -> set[str]:
    """The first parts of the names of the buffers that differ."""
    return {
        name.split(".")[0]
        for name, value in network.named_buffers()
        if not torch.equal(before[name], value)
    }


def test_the_iterative_clicks_leave_the_statistics_alone(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    network.train()
    before = statistics(network)
    step = TrainingStep(network, recipe)
    image = normalised(batch.image, step.spec.coarse_normalisation)
    longest = 0
    for steps in range(4):
        _, interaction, _ = step.iterate_clicks(
            image, batch, None, steps, click_rngs(0, steps, batch.positions)
        )
        longest = max(longest, len(interaction.clicks[0]))
    assert changed(before, network) == set()
    assert longest > len(batch.clicks[0])  # there were passes


@pytest.mark.parametrize(
    ("mode", "frozen", "parts"),
    [
        ("eval", (), {"interaction", "head", "refiner"}),
        ("train", (), {"encoder", "interaction", "head", "refiner"}),
        ("train", ("encoder", "head"), {"interaction", "refiner"}),
    ],
)
def test_whose_statistics_a_step_updates(
    network: Lite0,
    recipe: Recipe,
    batch: Batch,
    mode: str,
    frozen: tuple[str, ...],
    parts: set[str],
) -> None:
    recipe = replace(
        recipe, optimiser=replace(recipe.optimiser, encoder_batch_norm=mode, frozen=frozen)
    )
    freeze(network, frozen)
    before = statistics(network)
    TrainingStep(network, recipe)(batch, 0)
    assert changed(before, network) == parts


def test_gradients_reach_every_part_but_the_frozen_ones(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    freeze(network, EARLY)
    TrainingStep(network, recipe)(batch, 0).total.backward()
    for name, parameter in network.named_parameters():
        if name.startswith(EARLY):
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None, name
    for part in (network.interaction, network.head, network.refiner, network.encoder.stages[6]):
        assert part is not None
        assert sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None) > 0


def test_a_frozen_beginning_gives_the_same_losses(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    """Its features are reused from the iterative clicks, which changes nothing but the time."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    whole = TrainingStep(network, recipe)(batch, 0)
    network.load_state_dict(state)
    freeze(network, EARLY)
    step = TrainingStep(network, replace(recipe, optimiser=replace(recipe.optimiser, frozen=EARLY)))
    assert step.early_frozen
    torch.testing.assert_close(step(batch, 0).total, whole.total, rtol=1e-5, atol=1e-6)


def test_a_step_is_a_function_of_seed_and_number(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    """Dropout and clicks included; statistics are put back in between."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    totals = []
    for number, stream in ((5, 1), (5, 99), (6, 1)):
        network.load_state_dict(state)
        torch.manual_seed(stream)
        totals.append(TrainingStep(network, recipe)(batch, number).total.item())
    assert totals[0] == totals[1]
    assert totals[0] != totals[2]


def test_the_batch_is_not_changed(network: Lite0, recipe: Recipe, batch: Batch) -> None:
    clicks, image = batch.clicks, batch.image.clone()
    TrainingStep(network, recipe)(batch, 0)
    assert batch.clicks == clicks
    assert torch.equal(batch.image, image)


def test_the_interaction_feeds_the_probability_back_and_adds_a_click_a_pass(
    network: Lite0, recipe: Recipe, batch: Batch, small: int
) -> None:
    """The previous mask is the last pass's probability."""
    step = TrainingStep(network, recipe)
    image = normalised(batch.image, step.spec.coarse_normalisation)
    for passes in range(4):
        c1, interaction, second = step.iterate_clicks(
            image, batch, None, passes, click_rngs(0, passes, batch.positions)
        )
        prev_mask = interaction.prev_mask
        assert second is None
        assert [
            len(after) - len(before)
            for after, before in zip(interaction.clicks, batch.clicks, strict=True)
        ] == [passes] * 2
        assert torch.equal(c1, network.eval().early(image))
        assert not prev_mask.requires_grad
        if passes == 0:
            assert not prev_mask.any()
        if passes == 1:
            with torch.no_grad():
                blank = torch.zeros_like(prev_mask)
                logits, _ = network.late(
                    c1, torch.cat([blank, click_maps(batch.clicks, 5.0, small)], dim=1)
                )
            torch.testing.assert_close(prev_mask, torch.sigmoid(logits))


def test_the_number_of_passes_is_drawn_for_the_whole_step(
    recipe: Recipe, batch: Batch, network: Lite0
) -> None:
    """0 to 3, from (seed, step) alone, whichever part of the batch it is."""
    for part in (batch, replace(batch, positions=(1, 3))):
        asked: list[int] = []
        step = TrainingStep(network, recipe)

        def iterate_clicks(*arguments: Any, asked: list[int] = asked) -> Any:
            asked.append(arguments[3])
            raise InterruptedError

        step.iterate_clicks = iterate_clicks  # type: ignore[method-assign]
        for number in range(20):
            with pytest.raises(InterruptedError):
                step(part, number)
        assert set(asked) == {0, 1, 2, 3}
        assert asked == [drawn_passes(recipe, number) for number in range(20)]


def drawn_passes(recipe: Recipe, step: int) -> int:
    """The second draw of the step's generator; the first is the dropout's seed."""
    rng = step_rng(recipe.seed, step)
    rng.integers(2**31)
    return int(rng.integers(recipe.clicks.max_further + 1))


def test_a_played_batch_is_learnt_from_as_it_was_played(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    """Its mask and its clicks, without a pass more."""
    prev_mask = torch.rand(
        len(batch.clicks), 1, *batch.gt.shape[2:], generator=torch.Generator().manual_seed(0)
    )
    played, step, learnt_from = (
        replace(batch, prev_mask=prev_mask),
        TrainingStep(network, recipe),
        [],
    )
    decode = network.decode

    def recorded(c1: Any, maps: torch.Tensor) -> Any:
        learnt_from.append(maps)
        return decode(c1, maps)

    network.decode = recorded  # type: ignore[method-assign]
    for number in range(4):
        step(played, number)
        (maps,) = learnt_from
        assert torch.equal(maps[:, :1], prev_mask)
        assert torch.equal(
            maps[:, 1:], click_maps(batch.clicks, network.spec.disc_radius, maps.shape[-1])
        )
        learnt_from.clear()


def test_bfloat16_passes_are_close_to_those_in_float32(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    found = []
    for precision in ("float32", "bfloat16"):
        step = TrainingStep(network, replace(recipe, no_grad_precision=precision))
        image = normalised(batch.image, step.spec.coarse_normalisation)
        found.append(step.iterate_clicks(image, batch, None, 2, click_rngs(0, 1, batch.positions)))
    assert found[1][0].dtype == found[1][1].prev_mask.dtype == torch.float32
    torch.testing.assert_close(found[1][0], found[0][0], rtol=0.1, atol=0.1)
    assert not torch.equal(found[1][0], found[0][0])  # it was asked for


@pytest.mark.parametrize("able", [{"avx2": True}, {"avx512_bf16": True}, {"bf16": True}])
def test_automatic_precision_is_what_the_processor_has(
    able: dict[str, bool],
    network: Lite0,
    recipe: Recipe,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where bfloat16 is emulated a step takes many times as long."""
    seen: list[bool] = []
    early = network.early
    monkeypatch.setattr(
        network,
        "early",
        lambda image: seen.append(torch.is_autocast_enabled("cpu")) or early(image),
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    step = TrainingStep(network, replace(recipe, no_grad_precision="auto"))
    image = normalised(batch.image, step.spec.coarse_normalisation)
    step.iterate_clicks(image, batch, None, 0, click_rngs(0, 1, batch.positions))
    assert seen == [able != {"avx2": True}]


def test_the_refiner_learns_from_its_share_of_the_batch(
    network: Lite0, recipe: Recipe, batch: Batch
) -> None:
    none = TrainingStep(network, replace(recipe, refiner_share=0.0))(batch, 0)
    assert none.refined.item() == none.edge.item() == 0
    none.total.backward()
    assert network.refiner is not None
    assert all(p.grad is None for p in network.refiner.parameters())
    half = TrainingStep(network, replace(recipe, refiner_share=0.5))(batch, 0)
    assert half.refined.item() > 0
    assert half.edge.item() > 0


@pytest.mark.parametrize("size", [64, 192])
def test_a_step_on_grids_of_another_size_than_the_networks(
    size: int, recipe: Recipe, tmp_path: Path
) -> None:
    """The refiner's clicks are in its patch's own grid: with the clicks all in the patch, all have
    their disc there."""
    network = build("lite0")
    assert network.spec.input_size == 256
    batch = next(batches(recipe, tmp_path / "data", size, 0))
    whole = replace(
        batch, focus=torch.tensor([[0.0, 0.0, size, size]]).expand(len(batch.clicks), 4)
    )
    discs: list[torch.Tensor] = []
    refiner = network.refiner
    assert refiner is not None
    refiner.register_forward_pre_hook(lambda _, inputs: discs.append(inputs[1]))
    losses = TrainingStep(network, replace(recipe, clicks=replace(recipe.clicks, max_further=0)))(
        whole, 0
    )
    losses.total.backward()
    assert torch.isfinite(losses.total)
    wanted = click_maps(batch.clicks, network.spec.refine_disc_radius, size)
    assert wanted.any()
    torch.testing.assert_close(discs[0], wanted[: len(discs[0])])


def test_clicks_and_focus_of_the_refiner_are_in_its_patch(
    network: Lite0, recipe: Recipe, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The discs given to the refiner lie where the patch shows the clicks; each loss has its own
    ground truth."""
    step = TrainingStep(network, replace(recipe, clicks=replace(recipe.clicks, max_further=0)))
    got: list[tuple[torch.Tensor, ...]] = []

    def spy(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        got.append(tensors)
        return tensors[2] * 1.0, tensors[2] * 1.0

    monkeypatch.setattr(network, "refine", spy)
    losses = step(batch, 0)
    patch, discs, logits, _, boxes = got[0]
    torch.testing.assert_close(patch, batch.patch / 255.0)
    assert torch.equal(boxes, batch.focus)
    for sample, (x0, y0, x1, y1), disc in zip(
        batch.clicks, batch.focus.tolist(), discs, strict=True
    ):
        for click in sample:
            if x0 + 1 < click.x < x1 - 1 and y0 + 1 < click.y < y1 - 1:
                col, row = (
                    int((click.x - x0) * 64 / (x1 - x0)),
                    int((click.y - y0) * 64 / (y1 - y0)),
                )
                assert disc[0 if click.positive else 1, row, col] == 1
    torch.testing.assert_close(
        losses.refined, normalised_focal_loss(logits, batch.patch_gt.float()).mean()
    )
    torch.testing.assert_close(
        losses.edge, normalised_focal_loss(logits, batch.patch_edge.float()).mean()
    )
    torch.testing.assert_close(
        losses.coarse, normalised_focal_loss(logits, batch.gt.float()).mean()
    )
    torch.testing.assert_close(losses.total, losses.coarse + losses.refined + losses.edge)
    common, either = (logits > 0) & batch.gt, (logits > 0) | batch.gt
    overlaps = common.sum(dim=(1, 2, 3)) / either.sum(dim=(1, 2, 3))
    assert losses.iou.item() == pytest.approx(overlaps.mean().item(), rel=1e-5)


def test_no_loss_counts_what_is_ignored(
    network: Lite0, recipe: Recipe, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gradient reaches the coarse and refined logits there, and some does elsewhere."""
    ignored = torch.zeros_like(batch.gt, dtype=torch.bool)
    ignored[..., 20:40, 10:50] = True
    batch = replace(
        batch,
        gt=batch.gt.masked_fill(ignored, -1),
        patch_gt=batch.patch_gt.masked_fill(ignored, -1),
    )
    seen: list[torch.Tensor] = []
    decode = network.decode

    def watched(c1: torch.Tensor, maps: torch.Tensor) -> Any:
        logits, features, auxiliary = decode(c1, maps)
        seen.append(logits)
        return logits, features, auxiliary

    def refine(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(torch.zeros_like(tensors[2], requires_grad=True))
        return seen[-1], torch.zeros_like(tensors[2])

    monkeypatch.setattr(network, "decode", watched)
    monkeypatch.setattr(network, "refine", refine)
    losses = TrainingStep(network, recipe)(batch, 0)
    coarse, refined = torch.autograd.grad(losses.total, seen[-2:])
    for gradient in (coarse, refined):
        where = ignored[: len(gradient)]
        assert gradient[where].abs().max() == 0
        assert (gradient[~where] != 0).float().mean() > 0.9


def test_modes(network: Lite0, recipe: Recipe) -> None:
    recipe = replace(recipe, optimiser=replace(recipe.optimiser, frozen=("head.mix",)))
    network.eval()
    set_training(network, recipe, 0)
    assert network.training
    assert network.head.training
    assert not network.head.mix.training
    assert not any(module.training for module in network.encoder.modules())


def test_batch_norm_learns_in_the_first_share_of_the_steps(network: Lite0, recipe: Recipe) -> None:
    """Of 10 steps those up to the eighth."""
    optimiser = replace(recipe.optimiser, encoder_batch_norm="train", batch_norm_share=0.8)
    recipe = replace(recipe, steps=10, optimiser=optimiser)
    learns = []
    for step in range(10):
        set_training(network, recipe, step)
        learns.append(network.encoder.training)
        assert network.head.training
    assert learns == [True] * 8 + [False] * 2


def test_normalisation_is_the_specs(network: Lite0) -> None:
    image = torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert normalised(image, network.spec.coarse_normalisation).flatten().tolist() == pytest.approx(
        [-1, 1, -0.6]
    )
    assert normalised(image, network.spec.refine_normalisation).flatten().tolist() == pytest.approx(
        [0, 1, 0.2]
    )


def test_streams_of_steps_differ() -> None:
    draws = {
        tuple(step_rng(seed, step).integers(1 << 30, size=2))
        for seed in range(5)
        for step in range(5)
    }
    assert len(draws) == 25
