"""Simulated clicks against the rules of docs/method.md §C.4-C.5; distances by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.bench.robot import next_click
from vtmr.train.clicks import (
    MAX_CLICKS,
    corrective_click,
    distance_inside,
    draw_count,
    further_clicks,
    initial_clicks,
)
from vtmr.train.recipe import ClickRecipe
from vtmr.types import Click

SIZE = 40


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def distances(mask: np.ndarray) -> np.ndarray:
    """Of each pixel's centre to the nearest centre outside, the image's border counting as
    outside."""
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    out = np.zeros(padded.shape)
    for row, col in np.argwhere(padded):
        out[row, col] = np.sqrt(((outside - (row, col)) ** 2).sum(axis=1).min())
    return out[1:-1, 1:-1]


def is_on(mask: np.ndarray, click: Click) -> bool:
    assert click.x % 1 == click.y % 1 == 0.5
    return bool(mask[click.pixel])


def test_distances_count_the_border_as_outside() -> None:
    mask = square(0, 0, 13, 22) | square(5, 30, 25, 36)
    np.testing.assert_allclose(distance_inside(mask, precise=True), distances(mask), atol=0.02)
    np.testing.assert_allclose(distance_inside(mask, precise=False), distances(mask), rtol=0.05)


@pytest.mark.parametrize("least", [0, 1])
def test_the_number_of_clicks_decays_by_four_fifths(least: int) -> None:
    """P(k) proportional to .8^k, k = 0 to 24 - least: frequencies of 20,000 draws within five
    standard errors."""
    generator, draws = rng(), 20_000
    found = np.bincount(
        [draw_count(generator, least, MAX_CLICKS) for _ in range(draws)], minlength=MAX_CLICKS + 1
    )
    expected = 0.8 ** np.arange(MAX_CLICKS + 1 - least)
    expected /= expected.sum()
    assert found[:least].sum() == 0
    assert len(found) == MAX_CLICKS + 1
    errors = np.abs(found[least:] / draws - expected) / np.sqrt(expected * (1 - expected) / draws)
    assert errors.max() < 5


def test_the_first_click_is_near_the_centre() -> None:
    mask = square(4, 6, 30, 20) | square(30, 30, 34, 34)
    deep = distances(mask)
    firsts = [initial_clicks(mask, np.zeros_like(mask), rng(seed))[0] for seed in range(60)]
    assert all(first.positive for first in firsts)
    assert all(deep[first.pixel] > deep.max() / 1.7 - 0.02 for first in firsts)
    assert len({first.pixel for first in firsts}) > 20


def test_positive_clicks_are_inside_and_negative_ones_outside() -> None:
    mask, others = square(4, 6, 30, 20), square(20, 10, 38, 38)
    counts = []
    for seed in range(80):
        clicks = initial_clicks(mask, others, rng(seed))
        assert all(is_on(mask, click) == click.positive for click in clicks)
        counts.append((sum(c.positive for c in clicks), sum(not c.positive for c in clicks)))
    assert min(counts)[0] == 1
    assert max(positive for positive, _ in counts) <= MAX_CLICKS
    assert max(negative for _, negative in counts) <= MAX_CLICKS
    assert len(set(counts)) > 30


def test_negative_clicks_come_from_background_others_and_border() -> None:
    """Shares .1, .4, .5: others far from the object are hit by .4 + .1 * their share, the border by
    .5 + its share."""
    mask, others = square(4, 4, 14, 14), square(30, 30, 40, 40)
    near = square(3, 3, 15, 15) & ~mask  # ceil(.1 * sqrt(100)) = 1 pixel around
    negatives = [
        c for seed in range(1500) for c in initial_clicks(mask, others, rng(seed)) if not c.positive
    ]
    outside = SIZE * SIZE - 100
    assert np.mean([is_on(others, c) for c in negatives]) == pytest.approx(
        0.4 + 0.1 * 100 / outside, abs=0.03
    )
    assert np.mean([is_on(near, c) for c in negatives]) == pytest.approx(
        0.5 + 0.1 * near.sum() / outside, abs=0.03
    )


def test_single_is_one_centred_click() -> None:
    mask = square(4, 6, 30, 20)
    for seed in range(20):
        (click,) = initial_clicks(mask, ~mask, rng(seed), single=True)
        assert click.positive
        assert distances(mask)[click.pixel] > 7 / 1.7 - 0.02


@pytest.mark.parametrize("mask", [square(0, 0, SIZE, SIZE), square(7, 7, 8, 8)])
def test_objects_that_leave_no_room_are_clicked_too(mask: np.ndarray) -> None:
    for seed in range(20):
        clicks = initial_clicks(mask, np.zeros_like(mask), rng(seed))
        assert all(is_on(mask, click) == click.positive for click in clicks)


class TestCorrection:
    gt = square(5, 5, 25, 25)

    def prob(self, mask: np.ndarray) -> np.ndarray:
        return mask.astype(np.float32)

    @pytest.mark.parametrize(
        ("mask", "positive", "error"),
        [
            (square(5, 5, 15, 25), True, square(15, 5, 25, 25)),
            (square(5, 5, 25, 25) | square(28, 28, 40, 40), False, square(28, 28, 40, 40)),
            # 3 px missed, 12 too many.
            (
                square(5, 5, 22, 25) | square(28, 28, 40, 40),
                False,
                square(28, 28, 40, 40),
            ),
            (square(5, 5, 15, 25) | square(35, 35, 40, 40), True, square(15, 5, 25, 25)),
        ],
    )
    def test_it_lies_in_the_inner_half_of_the_deeper_error(
        self, mask: np.ndarray, positive: bool, error: np.ndarray
    ) -> None:
        deep = distances(error)
        seen = set()
        for seed in range(40):
            click = corrective_click(self.prob(mask), self.gt, rng(seed))
            assert click is not None
            assert click.positive == positive
            assert deep[click.pixel] > deep.max() / 2 * 0.95
            seen.add(click.pixel)
        assert len(seen) > 5

    def test_equal_depths_are_negative(self) -> None:
        """Positive only if strictly larger."""
        # 6 px missed at the bottom, 6 px too many.
        mask = square(5, 5, 25, 19) | square(30, 5, 36, 25)
        click = corrective_click(self.prob(mask), self.gt, rng())
        assert click is not None
        assert not click.positive

    def test_the_threshold_is_049(self) -> None:
        assert (
            corrective_click(np.where(self.gt, 0.495, 0.485).astype(np.float32), self.gt, rng())
            is None
        )
        found = corrective_click(np.where(self.gt, 0.485, 0).astype(np.float32), self.gt, rng())
        assert found is not None
        assert found.positive

    def test_without_error_there_is_no_click(self) -> None:
        assert corrective_click(self.prob(self.gt), self.gt, rng()) is None


class TestDeepest:
    """`deepest_share`: clicks where the benchmark's robot makes them."""

    def blob(self, seed: int) -> np.ndarray:
        """An uneven object."""
        x, y, w, h = rng(seed).integers(6, 18, 4)
        return square(x, y, x + w, y + h) | square(y, x, y + w // 2, x + h)

    @pytest.mark.parametrize("seed", range(20))
    def test_all_of_them_are_the_robots(self, seed: int) -> None:
        gt_mask, answer = self.blob(seed), self.blob(seed + 100)
        nothing = np.zeros_like(gt_mask)
        first = initial_clicks(gt_mask, nothing, rng(seed), single=True, deepest_share=1)
        assert first == [next_click(nothing, gt_mask)]
        click = corrective_click(answer.astype(np.float32), gt_mask, rng(seed), deepest_share=1)
        assert click == next_click(answer, gt_mask)

    def test_of_two_objects_each_has_its_own(self) -> None:
        first, second, nothing = square(2, 2, 15, 15), square(20, 20, 37, 37), square(0, 0, 0, 0)
        clicks = initial_clicks(
            first | second, nothing, rng(), single=True, second=second, deepest_share=1
        )
        assert clicks == [next_click(nothing, first), next_click(nothing, second)]

    def test_the_share_is_kept_and_the_others_are_drawn_as_ever(self) -> None:
        gt_mask = square(4, 4, 35, 35)  # one pixel in 225 of its inner part is the deepest
        nothing = np.zeros_like(gt_mask)
        middle = next_click(nothing, gt_mask)
        clicks = [
            corrective_click(nothing.astype(np.float32), gt_mask, rng(s), deepest_share=0.3)
            for s in range(2000)
        ]
        assert np.mean([click == middle for click in clicks]) == pytest.approx(0.3, abs=0.05)
        deep = distances(gt_mask)
        assert all(
            click is not None and deep[click.pixel] > deep.max() / 2 * 0.95 for click in clicks
        )

    def test_without_a_share_no_number_is_drawn_for_it(self) -> None:
        """Recipes of before go on as they were."""
        gt_mask, one, other = self.blob(3), rng(), rng()
        corrective_click(np.zeros(gt_mask.shape, np.float32), gt_mask, one)
        corrective_click(np.zeros(gt_mask.shape, np.float32), gt_mask, other, deepest_share=0)
        inner = np.flatnonzero(
            distance_inside(gt_mask, False) > distance_inside(gt_mask, False).max() / 2
        )
        fresh = rng()
        fresh.integers(len(inner))
        assert one.bit_generator.state == other.bit_generator.state == fresh.bit_generator.state


def test_the_first_share_is_that_of_draws_without_further_clicks() -> None:
    def drawn(share: float) -> list[int]:
        clicks = ClickRecipe(first_share=share, max_further=9)
        return [further_clicks(clicks, np.random.default_rng(number)) for number in range(2000)]

    assert set(drawn(1.0)) == {0}
    half = drawn(0.5)
    assert set(half) == set(range(10))
    # A tenth of the other half are 0, too.
    assert half.count(0) / len(half) == pytest.approx(0.55, abs=0.05)
    assert drawn(0.0) == [int(np.random.default_rng(number).integers(10)) for number in range(2000)]
