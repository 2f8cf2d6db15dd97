"""MaskMatch against the list of docs/method.md §K.8 and §I.11-15, on a network that says what its
image shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shapes import RECIPE, write_recipe
from torch import Tensor, nn

from vtmr.bench.robot import next_click
from vtmr.errors import ConfigError
from vtmr.masks import Mask, iou
from vtmr.models.lite0 import SPEC, Lite0
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import RAW, ModelSpec
from vtmr.train import step as step_module
from vtmr.train.batches import Batch, click_maps, click_rngs, collate, step_rng
from vtmr.train.checkpoint import comparable
from vtmr.train.clicks import corrective_click
from vtmr.train.iterative_clicks import IterativeClicks
from vtmr.train.loop import run
from vtmr.train.losses import matching_loss, normalised_focal_loss
from vtmr.train.maskmatch import second_interaction
from vtmr.train.recipe import MaskMatchRecipe, Recipe, load_recipe
from vtmr.train.refiner_targets import edge_band
from vtmr.train.sampling import Sample
from vtmr.train.step import TrainingStep, normalised, set_training
from vtmr.types import Click

SIZE = 64
SMALL = replace(SPEC, input_size=SIZE)


def square(x0: int, y0: int, x1: int, y1: int) -> Mask:
    mask = np.zeros((SIZE, SIZE), np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


GT = square(12, 12, 52, 52)
GOOD = square(12, 12, 52, 50)  # IoU .95
POOR = square(12, 12, 52, 32)  # IoU .5


def batch_of(shown: Sequence[Mask], gt_mask: Mask = GT) -> Batch:
    """Images that are bright where `shown` is on; one click in the middle of each object."""
    samples = [
        Sample(
            image=np.repeat(mask[..., None] * np.uint8(255), 3, axis=2),
            gt_mask=gt_mask,
            patch=np.zeros((SIZE, SIZE, 3), np.uint8),
            patch_gt=gt_mask,
            patch_edge=edge_band(gt_mask),
            focus=(8.0, 8.0, 56.0, 56.0),
            clicks=(Click(32.5, 32.5),),
            ignore_mask=np.zeros_like(gt_mask),
            patch_ignore=np.zeros_like(gt_mask),
        )
        for mask in shown
    ]
    return collate(samples, 0.0)


class Recorder(nn.Module):
    """A refiner that gives the coarse logits back and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []

    def narrowed(self, features: Tensor) -> Tensor:
        return features

    def forward(
        self, patch: Tensor, discs: Tensor, logits: Tensor, features: Tensor, boxes: Tensor
    ) -> Any:
        self.asked.append(logits)
        return logits, logits


class Shown(InteractiveNetwork):
    """Logits of about +-`sureness` where the image is bright or not, whatever the clicks; keeps
    what it was asked.

    The previous mask takes away a little, so that the two interactions' logits differ and their
    masks don't.
    """

    def __init__(self, sureness: float = 6.0) -> None:
        super().__init__()
        self.spec = replace(SMALL, coarse_normalisation=RAW)
        self.encoder = nn.Identity()
        self.refiner = Recorder()  # type: ignore[assignment]
        self.gain = nn.Parameter(torch.tensor(2 * sureness))
        self.passes: list[tuple[bool, Tensor, Tensor]] = []  # (training, maps, logits)

    def load_imagenet(self, path: Path | None = None) -> ModelSpec:
        return self.spec

    def early_parameters(self) -> Iterator[nn.Parameter]:
        return iter(())

    def early(self, image: Tensor) -> Tensor:
        return image

    def decode(self, c1: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, None]:
        logits = self.gain * (c1[:, :1] - 0.5) - 0.5 * maps[:, :1]
        if logits.requires_grad:
            logits.retain_grad()
        self.passes.append((self.training, maps, logits))
        return logits, maps, None

    @property
    def refined(self) -> list[Tensor]:
        return self.refiner.asked  # type: ignore[union-attr]

    def learning(self) -> list[Tensor]:
        return [logits for training, _, logits in self.passes if training]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return replace(load_recipe(path, ["clicks.max_further=3"]), maskmatch=MaskMatchRecipe())


def drawn_steps(recipe: Recipe, step: int) -> int:
    """K, as the plain step draws it: after the seed of the dropout."""
    rng = step_rng(recipe.seed, step)
    rng.integers(2**31)
    return int(rng.integers(recipe.clicks.max_further + 1))


def test_only_samples_with_an_open_gate_count_and_the_mean_is_over_the_batch(
    recipe: Recipe,
) -> None:
    network = Shown()
    losses = TrainingStep(network, recipe)(batch_of([POOR, GOOD, POOR]), 0)
    first, second = network.learning()
    assert first.shape[0] == 3 and second.shape[0] == 1
    assert losses.match is not None and losses.gate is not None
    expected = matching_loss(second, first[1:2]).sum() / 3
    assert losses.match.item() == pytest.approx(expected.item()) and expected > 0
    assert losses.gate.item() == pytest.approx(1 / 3)
    torch.testing.assert_close(
        losses.total, losses.coarse + losses.refined + losses.edge + losses.match
    )
    assert list(losses.by_name) == ["coarse", "refined", "edge", "iou", "match", "gate"]


def test_no_gradient_flows_through_the_first_interaction(recipe: Recipe) -> None:
    network = Shown()
    losses = TrainingStep(network, recipe)(batch_of([GOOD, POOR]), 0)
    assert losses.match is not None
    losses.match.backward()  # type: ignore[no-untyped-call]
    first, second = network.learning()
    assert first.grad is None
    assert second.grad is not None and second.grad.any()


def test_it_is_zero_when_no_pixel_is_sure_enough(recipe: Recipe) -> None:
    # sigmoid(2.19) = .8993.
    losses = TrainingStep(Shown(sureness=2.19), recipe)(batch_of([GOOD]), 0)
    assert losses.match is not None and losses.match.item() == 0
    assert losses.gate is not None and losses.gate.item() == 1


@pytest.mark.parametrize("alpha", [0.95, 0.97])
def test_nothing_is_computed_when_the_mask_is_not_better_than_alpha(
    recipe: Recipe, alpha: float
) -> None:
    """GOOD has 40 x 38 of 40 x 40 pixels: an IoU of .95 exactly, and the gate wants more than
    alpha."""
    network = Shown()
    losses = TrainingStep(network, replace(recipe, maskmatch=MaskMatchRecipe(alpha=alpha)))(
        batch_of([GOOD, POOR]), 0
    )
    assert losses.match is not None and losses.match.item() == 0
    assert losses.gate is not None and losses.gate.item() == 0
    assert len(network.learning()) == 1


def test_both_interactions_make_the_same_steps_and_the_refiner_sees_the_first_alone(
    recipe: Recipe,
) -> None:
    """Passes: one for M'01, K for interaction 1, K for interaction 2, then one each that learns; K
    clicks and one more."""
    seen = set()
    for step in range(12):
        network, k = Shown(), drawn_steps(recipe, step)
        training = TrainingStep(network, recipe)
        losses = training(batch_of([POOR, GOOD]), step)
        assert losses.match is not None
        sizes = [(training, len(logits)) for training, _, logits in network.passes]
        assert sizes == [(False, 2)] * (1 + k) + [(False, 1)] * k + [(True, 2), (True, 1)]
        assert not network.passes[0][1][:, 0].any()  # a blank mask
        assert [len(logits) for logits in network.refined] == [2]
        assert torch.equal(network.refined[0], network.learning()[0])
        image, rngs = normalised(batch_of([POOR, GOOD]).image, RAW), click_rngs(0, step, (0, 1))
        _, interaction, second = training.iterate_clicks(
            image, batch_of([POOR, GOOD]), recipe.maskmatch, k, rngs
        )
        assert second is not None and second.samples.tolist() == [1]
        assert [len(clicks) for clicks in interaction.clicks] == [1 + k + 1] * 2
        assert [len(clicks) for clicks in second.interaction.clicks] == [k + 1]
        seen.add(k)
    assert seen == {0, 1, 2, 3}


def test_the_second_interaction_begins_with_an_equally_good_mask_and_a_click_on_its_error() -> None:
    gt_mask = square(8, 8, 56, 56)
    for rows, expected in ((54, 46 / 48), (44, 36 / 48), (32, 0.5)):
        first_mask = torch.from_numpy(square(8, 8, 56, rows))[None, None].float() * 0.8
        last = IterativeClicks(
            torch.from_numpy(gt_mask)[None, None].float(), ((),), (gt_mask,), click_rngs(1, 0, (0,))
        )
        second = second_interaction(first_mask, last, 0.5, MaskMatchRecipe())
        assert second is not None
        start = second.interaction.prev_mask[0, 0].numpy()
        assert set(np.unique(start)) == {0.0, 1.0}
        assert iou(start > 0.5, gt_mask) == pytest.approx(expected, abs=0.02)
        ((click,),) = second.interaction.clicks
        assert click.positive == gt_mask[click.pixel] != (start[click.pixel] > 0.5)


def test_the_second_interaction_has_the_first_ones_robots() -> None:
    """Both clicks are where the error is deepest, when the recipe's are."""
    rngs = click_rngs(1, 0, (0, 1))
    last = IterativeClicks(
        torch.from_numpy(np.stack([GT, GT]))[:, None].float(),
        ((), ()),
        (GT, GT),
        rngs,
        deepest_share=1.0,
    )
    first_mask = torch.from_numpy(np.stack([square(12, 12, 52, 40)] * 2))[:, None].float()
    second = second_interaction(first_mask, last, 0.5, MaskMatchRecipe())
    assert second is not None
    for start, clicks in zip(
        second.interaction.prev_mask[:, 0].numpy(), second.interaction.clicks, strict=True
    ):
        assert list(clicks) == [next_click(start > 0.5, GT)]
    assert second.interaction.rngs == last.rngs and second.interaction.deepest_share == 1.0


def test_a_first_mask_far_below_what_perturbation_reaches_is_no_match() -> None:
    """.3 is the least IoU of a perturbed mask; it stands for .1 at the least (docs/method.md
    §E.3)."""
    masks = torch.from_numpy(np.stack([GT, GT]))[:, None].float()
    last = IterativeClicks(masks, ((), ()), (GT, GT), click_rngs(1, 0, (0, 1)))
    first_mask = torch.from_numpy(np.stack([square(12, 12, 52, 15), square(12, 12, 52, 17)]))[
        :, None
    ].float()
    second = second_interaction(first_mask, last, 0.5, MaskMatchRecipe())  # .075 and .125
    assert second is not None and second.samples.tolist() == [1]


def test_supervision_may_take_the_place_of_matching(recipe: Recipe) -> None:
    """Table 4's "replace L_mr with L_sup": the second interaction's coarse logits against the
    ground truth, gate kept."""
    network = Shown()
    variant = MaskMatchRecipe(loss="supervised", weight=0.5)
    batch = batch_of([POOR, GOOD])
    losses = TrainingStep(network, replace(recipe, maskmatch=variant))(batch, 0)
    expected = 0.5 * normalised_focal_loss(network.learning()[1], batch.gt[1:2].float()).sum() / 2
    assert (
        losses.match is not None
        and losses.match.item() == pytest.approx(expected.item())
        and expected > 0
    )


def test_the_readings_of_equation_1_reach_the_loss(recipe: Recipe) -> None:
    network = Shown()
    variant = MaskMatchRecipe(two_sided=True, average="selected", confidence=0.95, weight=2)
    losses = TrainingStep(network, replace(recipe, maskmatch=variant))(batch_of([GOOD]), 0)
    first, second = network.learning()
    expected = 2 * matching_loss(second, first, 0.95, two_sided=True, by_count=True)
    assert losses.match is not None and losses.match.item() == pytest.approx(expected.item())


# --- without MaskMatch, and with it on the real network


def small_network() -> Lite0:
    torch.manual_seed(0)
    network = Lite0()
    network.spec = SMALL
    return network


def plain_step(
    network: Lite0, recipe: Recipe, batch: Batch, step: int
) -> tuple[Tensor, dict[str, Any]]:
    """A step without MaskMatch, in its order of draws: coarse loss and the state of the step's
    generator."""
    rng, rngs = step_rng(recipe.seed, step), click_rngs(recipe.seed, step, range(len(batch.clicks)))
    torch.manual_seed(int(rng.integers(2**31)))
    clicks = [list(sample) for sample in batch.clicks]

    def maps() -> Tensor:
        discs = click_maps(clicks, SMALL.disc_radius, SIZE)
        return torch.cat([prev_mask, discs], dim=1).contiguous(memory_format=torch.channels_last)

    network.eval()
    image = normalised(batch.image, SMALL.coarse_normalisation)
    prev_mask = torch.zeros(len(clicks), 1, SIZE, SIZE)
    with torch.no_grad():
        for _ in range(int(rng.integers(recipe.clicks.max_further + 1))):
            prev_mask = torch.sigmoid(network.late(network.early(image), maps())[0])
            for i, sample in enumerate(clicks):
                click = corrective_click(prev_mask[i, 0].numpy(), batch.gt_masks[i], rngs[i])
                sample.extend([click] if click else [])
    set_training(network, recipe, 0)
    logits, _ = network.late(network.early(image), maps())
    return normalised_focal_loss(logits, batch.gt.float()).sum() / len(clicks), dict(
        rng.bit_generator.state
    )


@pytest.mark.parametrize("maskmatch", [None, MaskMatchRecipe(share=0)])
def test_without_it_the_step_is_the_plain_one_bit_for_bit(
    recipe: Recipe, maskmatch: MaskMatchRecipe | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(recipe, maskmatch=maskmatch)
    generators: list[np.random.Generator] = []

    def kept(seed: int, step: int) -> np.random.Generator:
        generators.append(step_rng(seed, step))
        return generators[-1]

    monkeypatch.setattr(step_module, "step_rng", kept)
    reference, network, batch = small_network(), small_network(), batch_of([GOOD, POOR])
    assert {drawn_steps(recipe, step) for step in (0, 1, 2)} != {0}
    for step in (0, 1, 2):  # of networks whose running statistics move from step to step
        expected, state = plain_step(reference, recipe, batch, step)
        losses = TrainingStep(network, recipe)(batch, step)
        assert torch.equal(losses.coarse, expected)
        assert generators[-1].bit_generator.state == state
        extra = losses.total - (losses.coarse + losses.refined + losses.edge)
        assert extra.item() == 0


def test_steps_without_gradients_leave_the_statistics_of_batch_norm_alone(recipe: Recipe) -> None:
    network, batch = small_network(), batch_of([GOOD, GOOD])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    training = TrainingStep(network, replace(recipe, maskmatch=MaskMatchRecipe(alpha=0.0)))
    image = normalised(batch.image, SMALL.coarse_normalisation)
    training.iterate_clicks(image, batch, MaskMatchRecipe(alpha=0.0), 2, click_rngs(0, 1, (0, 1)))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_each_interaction_that_learns_updates_the_statistics_once(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an untrained network answers, here every gate is open; the same step again gives the
    same losses."""
    monkeypatch.setattr("vtmr.train.maskmatch.iou", lambda *_: 0.85)
    losses = []
    for _ in range(2):
        network = small_network()
        found = TrainingStep(network, recipe)(batch_of([GOOD, POOR]), 1)
        found.total.backward()  # type: ignore[no-untyped-call]
        assert network.head.norm.num_batches_tracked == 2
        assert found.gate is not None and found.gate.item() == 1
        assert all(
            p.grad is not None and p.grad.isfinite().all() for p in network.head.parameters()
        )
        losses.append(torch.stack(list(found.by_name.values())))
    assert torch.equal(losses[0], losses[1])


# --- the recipe


def test_a_share_of_the_steps_may_use_it(recipe: Recipe) -> None:
    """Three of four: 200 draws within four standard errors of 150."""
    training = TrainingStep(Shown(), replace(recipe, maskmatch=MaskMatchRecipe(share=0.75)))
    used = sum(training.matching(step_rng(0, step)) is not None for step in range(200))
    assert abs(used - 150) < 4 * (200 * 0.75 * 0.25) ** 0.5


def test_the_table_is_optional_and_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    assert load_recipe(path).maskmatch is None
    assert load_recipe(path, ["maskmatch={}"]).maskmatch == MaskMatchRecipe()
    assert load_recipe(path, ["maskmatch.alpha=0.7"]).maskmatch == MaskMatchRecipe(alpha=0.7)
    path.write_text(RECIPE + "\n[maskmatch]\ntwo_sided = true\n")
    assert load_recipe(path).maskmatch == MaskMatchRecipe(two_sided=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("maskmatch.alhpa=0.7", "Did you mean 'alpha'"),
        ("maskmatch.alpha=1.0", "alpha is 1.0"),
        ("maskmatch.share=1.5", "share is 1.5"),
        ("maskmatch.weight=-1", "weight is -1"),
        ("maskmatch.confidence=0.4", "confidence is 0.4"),
        ("maskmatch.average=some", "average is 'some'"),
        ("maskmatch.loss=none", "loss is 'none'"),
        ("maskmatch.two_sided=1", "two_sided is 1"),
        ("maskmatch=true", "expected a table"),
    ],
)
def test_values_that_mean_nothing_are_refused(tmp_path: Path, override: str, words: str) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    with pytest.raises(ConfigError, match=words):
        load_recipe(path, [override])


@pytest.mark.slow
def test_a_run_logs_the_matching_loss_and_how_many_gates_were_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrained network's masks are no better than alpha: the term is there, and 0."""
    monkeypatch.setattr("vtmr.train.loop.initial_network", lambda *_: (small_network(), SMALL))
    run(write_recipe(tmp_path), tmp_path / "out", overrides=["maskmatch={}", "steps=2"])
    (row,) = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert row["match"] == row["gate"] == 0 and row["coarse"] > 0
    assert (tmp_path / "out/loss.png").stat().st_size > 0


def test_a_state_saved_before_the_table_existed_is_resumed_without_it(recipe: Recipe) -> None:
    """`restore_checkpoint` takes a key that the saved recipe lacks for None."""
    assert comparable(replace(recipe, maskmatch=None))["maskmatch"] is None
    assert comparable(recipe)["maskmatch"] is not None
