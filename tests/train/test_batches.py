"""Batches: what is stacked is what was drawn, in an order that depends on the step alone."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from shapes import write_recipe

from vtmr.errors import DataError
from vtmr.masks import disc_maps
from vtmr.train.batches import SAMPLE_STREAM, Batch, batches, click_maps
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.sampling import Sampler
from vtmr.types import Click

SIZE = 64


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(write_recipe(tmp_path))


def made(recipe: Recipe, tmp_path: Path, first: int = 0) -> list[Batch]:
    return list(batches(recipe, tmp_path / "data", SIZE, first))


def assert_equal(found: Batch, expected: Batch) -> None:
    for name in ("image", "gt", "patch", "patch_gt", "patch_edge", "focus"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert found.clicks == expected.clicks


def test_a_batch_is_its_samples(recipe: Recipe, tmp_path: Path) -> None:
    found = made(recipe, tmp_path)
    assert len(found) == recipe.steps
    sampler = Sampler(recipe, tmp_path / "data", SIZE)
    for step, batch in enumerate(found):
        for i in range(recipe.batch):
            sample = sampler.draw(
                np.random.default_rng((recipe.seed, SAMPLE_STREAM, step * recipe.batch + i))
            )
            assert batch.image.dtype == torch.uint8
            np.testing.assert_array_equal(batch.image[i].permute(1, 2, 0), sample.image)
            np.testing.assert_array_equal(batch.patch[i].permute(1, 2, 0), sample.patch)
            np.testing.assert_array_equal(batch.gt[i, 0], sample.gt_mask)
            np.testing.assert_array_equal(batch.gt_masks[i], sample.gt_mask)
            np.testing.assert_array_equal(batch.patch_gt[i, 0], sample.patch_gt)
            np.testing.assert_array_equal(batch.patch_edge[i, 0], sample.patch_edge)
            np.testing.assert_allclose(batch.focus[i], sample.focus, rtol=1e-6)
            assert batch.clicks[i] == sample.clicks
        assert batch.cpu_seconds > 0


def test_what_is_ignored_is_labelled_so(recipe: Recipe, tmp_path: Path) -> None:
    """-1 for the losses; the masks that clicks are drawn from have no such third value."""
    sources = tuple(replace(source, rim_px=2.0) for source in recipe.data.sources)
    recipe = replace(recipe, data=replace(recipe.data, sources=sources, paste_weight=0.0))
    sampler = Sampler(recipe, tmp_path / "data", SIZE)
    batch = made(recipe, tmp_path)[0]
    for i in range(recipe.batch):
        sample = sampler.draw(np.random.default_rng((recipe.seed, SAMPLE_STREAM, i)))
        assert sample.ignore_mask.any() and sample.patch_ignore.any()
        np.testing.assert_array_equal(
            batch.gt[i, 0], np.where(sample.ignore_mask, -1, sample.gt_mask)
        )
        np.testing.assert_array_equal(
            batch.patch_gt[i, 0], np.where(sample.patch_ignore, -1, sample.patch_gt)
        )
        np.testing.assert_array_equal(batch.gt_masks[i], sample.gt_mask)


def test_starting_later_gives_the_same_steps(recipe: Recipe, tmp_path: Path) -> None:
    whole, rest = made(recipe, tmp_path), made(recipe, tmp_path, first=2)
    assert len(rest) == 2
    for found, expected in zip(rest, whole[2:], strict=True):
        assert_equal(found, expected)
    assert made(recipe, tmp_path, first=recipe.steps) == []
    assert not torch.equal(whole[0].image, whole[1].image)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_change_nothing(tmp_path: Path, workers: int) -> None:
    path = write_recipe(tmp_path)
    alone = made(load_recipe(path), tmp_path)
    for found, expected in zip(
        made(load_recipe(path, (f"data.workers={workers}",)), tmp_path), alone, strict=True
    ):
        assert_equal(found, expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_data_is_one_sentence_from_a_worker_too(tmp_path: Path, workers: int) -> None:
    """Not the worker's traceback, which torch would put into the message."""
    recipe = load_recipe(write_recipe(tmp_path), (f"data.workers={workers}",))
    for path in (tmp_path / "data" / "shapes" / "masks").iterdir():
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        made(recipe, tmp_path)
    assert "masks/" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


KILLED = "ended unexpectedly: it was killed"


@pytest.mark.parametrize("pause", [0, 0.001, 0.003, 0.01, 0.03])
def test_the_loss_of_a_worker_is_a_data_error(tmp_path: Path, small: int, pause: float) -> None:
    """SIGKILL while batches are asked for, made, sent and waited for: it never waits for good."""
    recipe = load_recipe(write_recipe(tmp_path), ["steps=1000", "data.workers=2"])
    coming = batches(recipe, tmp_path / "data", small, 0)
    next(coming)
    time.sleep(pause)
    multiprocessing.active_children()[0].kill()
    with pytest.raises(DataError, match=KILLED):
        # A step: while results never pause, the pool doesn't look at its workers.
        [time.sleep(0.005) for _ in coming]
    assert not multiprocessing.active_children()


def test_the_loss_of_all_workers_is_a_data_error(tmp_path: Path, small: int) -> None:
    recipe = load_recipe(write_recipe(tmp_path), ["steps=1000", "data.workers=2"])
    coming = batches(recipe, tmp_path / "data", small, 0)
    next(coming)
    for worker in multiprocessing.active_children():
        worker.kill()
    with pytest.raises(DataError, match=KILLED):
        list(coming)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "error", [RuntimeError("a defect of ours"), PermissionError(13, "Permission denied")]
)
def test_other_errors_pass_as_they_are(
    tmp_path: Path, small: int, error: Exception, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Sampler, "draw", fail)  # workers are forked, so it fails in them too
    recipe = load_recipe(write_recipe(tmp_path), [f"data.workers={workers}"])
    with pytest.raises(type(error), match=str(error.args[-1])):
        next(batches(recipe, tmp_path / "data", small, 0))


def test_click_maps_are_those_of_the_runtime() -> None:
    clicks = [[Click(3, 4.5), Click(20.5, 9, positive=False)], []]
    maps = click_maps(clicks, 5.0, 32)
    assert maps.shape == (2, 2, 32, 32)
    expected = disc_maps(np.array([(3, 4.5), (20.5, 9)]), np.array([True, False]), 5.0, 32, 32)
    np.testing.assert_array_equal(maps[0], expected)
    assert maps[0, 0, 4, 2] == maps[0, 1, 8, 20] == 1
    assert not maps[1].any()
