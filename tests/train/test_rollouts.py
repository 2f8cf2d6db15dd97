"""Rollouts: what the network is shown in training is what inference would show it next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import ColourNetwork
from shapes import write_recipe

from vtmr.errors import ConfigError
from vtmr.geometry import Box
from vtmr.models import build
from vtmr.models.export import model_bytes
from vtmr.pyramid import crop_resized
from vtmr.segmenter import segmenter_for
from vtmr.session import Session
from vtmr.spec import WIDE
from vtmr.train.augmentation import Labelled
from vtmr.train.batches import Batch, MicroBatches
from vtmr.train.recipe import ClickRecipe, Recipe, load_recipe
from vtmr.train.rollouts import Rollouts, Shown
from vtmr.train.sampling import Sampler, resample_mask
from vtmr.types import BoxPrompt, Click, FloatMap, Image

SIZE = 64
CLICKS = ClickRecipe(init_clicks="single", max_further=4, deepest_share=0.5)


class Recorder(ColourNetwork):
    """Keeps what its coarse passes are shown."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**{"input_size": SIZE, "recrop_share": 0.5, **spec})
        self.shown: list[tuple[Image, FloatMap, tuple[Click, ...]]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        self.shown.append((image, prev_mask, tuple(clicks)))
        return super().coarse(image, prev_mask, clicks)


def scene() -> tuple[Image, np.ndarray]:
    """A bar of three colours on green: a click gets one of them."""
    image = np.full((120, 240, 3), (60, 150, 60), np.uint8)
    for x, colour in ((20, (220, 40, 40)), (90, (40, 40, 220)), (160, (230, 230, 40))):
        image[45:75, x : x + 70] = colour
    return image, (image != (60, 150, 60)).any(axis=2)


def in_the_image(shown: Shown) -> list[Click]:
    """The clicks in the image: they are made on the middle of pixels."""
    places = np.array([(click.x, click.y) for click in shown.clicks]).reshape(-1, 2)
    points = shown.frame.to_image(places)
    pixels = np.floor(points) + 0.5
    np.testing.assert_allclose(points, pixels, atol=1e-6)
    return [
        Click(float(x), float(y), click.positive)
        for (x, y), click in zip(pixels, shown.clicks, strict=True)
    ]


def test_what_is_shown_is_what_the_next_click_s_passes_see() -> None:
    image, target = scene()
    whole, seen = Box.whole(*target.shape), set()
    for seed in range(40):
        shown = Rollouts(segmenter_for(Recorder()), CLICKS).shown(
            image, target, whole, np.random.default_rng(seed)
        )
        network = Recorder()
        session = Session(segmenter_for(network), image)
        for click in in_the_image(shown):
            network.shown.clear()
            session = session.add(click)
        cut = target[shown.frame.box.slices].sum() < target.sum()
        again = len(shown.clicks) == 1 and shown.prev_mask.any()
        crop, prev_mask, clicks = network.shown[-1 if again else 0]
        np.testing.assert_array_equal(crop_resized(image, shown.frame.box, SIZE), crop)
        np.testing.assert_allclose(shown.prev_mask, prev_mask, atol=1e-6)
        assert shown.prev_mask.dtype == np.float32
        for found, expected in zip(shown.clicks, clicks, strict=True):
            assert (found.x, found.y) == pytest.approx((expected.x, expected.y))
            assert found.positive is expected.positive
        seen.add((len(shown.clicks), cut, again))
    assert {count for count, _, _ in seen} >= {1, 2, 3}
    assert (1, True, True) in seen  # a re-crop pass, at one of the two colours
    assert (2, True, False) in seen  # a target crop that cuts the object


@pytest.mark.slow
def test_wider_views_are_shown_as_inference_takes_them() -> None:
    """Half of the samples show a click's first pass, half its last; where the answer reaches a side
    of its crop, that is a wider one (docs/decisions/0016)."""
    image, target = scene()
    whole, seen = Box.whole(*target.shape), set()
    for seed in range(60):
        rollouts = Rollouts(segmenter_for(Recorder(views=WIDE)), CLICKS)
        shown = rollouts.shown(image, target, whole, np.random.default_rng(seed))
        network = Recorder(views=WIDE)
        session = Session(segmenter_for(network), image)
        for click in in_the_image(shown):
            network.shown.clear()
            session = session.add(click)
        passes = {
            name: np.array_equal(crop_resized(image, shown.frame.box, SIZE), crop)
            and np.allclose(shown.prev_mask, prev_mask, atol=1e-6)
            for name, (crop, prev_mask, _) in (
                ("first", network.shown[0]),
                ("last", network.shown[-1]),
            )
        }
        assert any(passes.values())
        wider = len(shown.clicks) > 1 and len(network.shown) > 1
        seen |= {(name, wider) for name, is_shown in passes.items() if is_shown}
    assert seen >= {("first", True), ("last", True), ("first", False)}


@pytest.mark.slow
def test_a_box_is_shown_as_inference_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filled box first, alone or with later clicks, in views that end with the box's crop."""
    image, target = scene()
    box = BoxPrompt(10.0, 35.0, 200.0, 90.0)
    monkeypatch.setattr("vtmr.train.rollouts.box_around", lambda target, rng: box)
    whole, seen = Box.whole(*target.shape), set()
    clicks = replace(CLICKS, rollout_share=1.0, casual_share=0.5, box_share=1.0)
    for seed in range(40):
        rollouts = Rollouts(segmenter_for(Recorder(views=WIDE, box_prompt=True)), clicks)
        shown = rollouts.shown(image, target, whole, np.random.default_rng(seed))
        network = Recorder(views=WIDE, box_prompt=True)
        session = Session(segmenter_for(network), image).add(box)
        for click in in_the_image(shown):
            network.shown.clear()
            session = session.add(click)
        passes = [
            np.array_equal(crop_resized(image, shown.frame.box, SIZE), crop)
            and np.allclose(shown.prev_mask, prev_mask, atol=1e-6)
            and len(told) == len(shown.clicks)
            for crop, prev_mask, told in (network.shown[0], network.shown[-1])
        ]
        assert any(passes)
        seen.add(len(shown.clicks))
    assert seen >= {0, 1, 2}


@pytest.mark.slow
def test_a_focus_crop_is_shown_as_the_coarse_network_sees_it_in_the_refiner_s_place() -> None:
    image, target = scene()
    whole, counts = Box.whole(*target.shape), set()
    clicks = replace(CLICKS, rollout_share=1.0, focus_share=1.0)
    for seed in range(30):
        rollouts = Rollouts(segmenter_for(Recorder(views=WIDE)), clicks)
        shown = rollouts.shown(image, target, whole, np.random.default_rng(seed))
        network = Recorder(views=WIDE, refined_by="coarse")
        session = Session(segmenter_for(network), image)
        for click in in_the_image(shown):
            network.shown.clear()
            session = session.add(click)
        crop, prev_mask, told = network.shown[-1]
        # The masks that earlier clicks led to may differ: there the refiner answered, not it.
        if len(shown.clicks) == 1:
            np.testing.assert_array_equal(crop_resized(image, shown.frame.box, SIZE), crop)
            np.testing.assert_allclose(shown.prev_mask, prev_mask, atol=1e-6)
            places = [[(click.x, click.y) for click in seen] for seen in (shown.clicks, told)]
            np.testing.assert_allclose(*places)
        assert shown.prev_mask.any()
        counts.add(len(shown.clicks))
    assert len(counts) > 1


def test_a_right_answer_is_not_clicked_on() -> None:
    image = np.full((40, 50, 3), (20, 160, 20), np.uint8)
    image[5:35, 5:45] = (220, 40, 40)
    target = image[..., 0] > 100
    rollouts = Rollouts(segmenter_for(Recorder()), replace(CLICKS, max_further=9))
    for seed in range(10):
        shown = rollouts.shown(image, target, Box.whole(40, 50), np.random.default_rng(seed))
        assert len(shown.clicks) <= 3


class Led:
    """Rollouts that lead to where it is told."""

    def __init__(self, shown: Shown) -> None:
        self.led_to = shown

    def shown(self, *arguments: Any) -> Shown:
        return self.led_to


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    overrides = (
        "clicks.rollout_share=0.5",
        "clicks.max_further=2",
        "augment.colour=0",
        "augment.flip=0",
        "steps=12",
    )
    return load_recipe(write_recipe(tmp_path), overrides)


def test_a_sample_is_of_the_crop_that_its_play_led_to(recipe: Recipe, tmp_path: Path) -> None:
    image, target = scene()
    played = Rollouts(segmenter_for(Recorder()), CLICKS)
    sampler = Sampler(recipe, tmp_path / "data", SIZE)
    for seed in range(10):
        shown = played.shown(image, target, Box.whole(*target.shape), np.random.default_rng(seed))
        labelled = Labelled(image, target, np.zeros_like(target))
        sample = sampler.crop(labelled, np.random.default_rng(0), Led(shown))  # type: ignore[arg-type]
        assert sample is not None
        np.testing.assert_array_equal(sample.image, crop_resized(image, shown.frame.box, SIZE))
        np.testing.assert_array_equal(sample.gt_mask, resample_mask(target, shown.frame.box, SIZE))
        assert sample.prev_mask is shown.prev_mask
        assert sample.clicks == shown.clicks
        x0, y0, x1, y1 = sample.focus
        assert -1e-6 <= x0 < x1 <= SIZE + 1e-6 and -1e-6 <= y0 < y1 <= SIZE + 1e-6


@pytest.fixture
def model(small: int, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = build("lite0")
    (tmp_path / "player.onnx").write_bytes(model_bytes(network, network.spec))
    return tmp_path / "player.onnx"


def made(recipe: Recipe, tmp_path: Path, model: Path | None = None) -> list[Batch]:
    micro_batches = MicroBatches(recipe, tmp_path / "data", SIZE, 0, 0, 1, model)
    return [micro_batches.make(step, 0) for step in range(recipe.steps)]


@pytest.mark.slow
def test_whole_steps_are_played_and_the_others_stay_as_they_were(
    recipe: Recipe, tmp_path: Path, model: Path
) -> None:
    found = made(recipe, tmp_path, model)
    plain = made(replace(recipe, clicks=replace(recipe.clicks, rollout_share=0.0)), tmp_path)
    played = [batch.prev_mask for batch in found if batch.prev_mask is not None]
    assert 0 < len(played) < len(found)
    assert all(mask.shape == (2, 1, SIZE, SIZE) and mask.dtype == torch.float32 for mask in played)
    for batch, before in zip(found, plain, strict=True):
        assert before.prev_mask is None
        assert batch.prev_mask is not None or (
            torch.equal(batch.image, before.image) and batch.clicks == before.clicks
        )
    again = made(recipe, tmp_path, model)
    assert all(
        torch.equal(a.image, b.image) and a.clicks == b.clicks
        for a, b in zip(found, again, strict=True)
    )


@pytest.mark.slow
def test_weights_of_another_pipeline_are_not_played(small: int, tmp_path: Path) -> None:
    network = build("lite0")
    (tmp_path / "m.onnx").write_bytes(
        model_bytes(network, replace(network.spec, pipeline="focalclick"))
    )
    with pytest.raises(
        ConfigError,
        match=r"clicks\.rollout_share asks for vtmr's pipeline.*'focalclick': leave it out",
    ):
        Rollouts.open(tmp_path / "m.onnx", CLICKS, SIZE)


def test_playing_needs_a_model(recipe: Recipe, tmp_path: Path, small: int) -> None:
    with pytest.raises(ConfigError, match="no model to roll out with"):
        made(recipe, tmp_path)
