"""Simulated users: where casual ones click, and the boxes that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.masks import Mask
from vtmr.train.users import LOOSEST_BOX, SHAKIEST_BOX, CasualUser, box_around
from vtmr.types import Click


def bar() -> Mask:
    """A bar of 60 x 12 pixels."""
    mask = np.zeros((80, 100), np.bool_)
    mask[30:42, 20:80] = True
    return mask


def test_a_casual_first_click_is_anywhere_on_the_object_and_often_near_its_outline() -> None:
    rng, target = np.random.default_rng(0), bar()
    clicks = [CasualUser().first(target, rng) for _ in range(400)]
    assert all(click.positive and target[click.pixel] for click in clicks)
    outermost = np.zeros_like(target)
    outermost[30:42, 20:80] = True
    outermost[31:41, 21:79] = False
    share = np.mean([outermost[click.pixel] for click in clicks])
    # A quarter of the clicks is there, and of the others as many as it has pixels (140 of 720).
    assert share == pytest.approx(0.25 + 0.75 * 140 / 720, abs=0.06)
    assert min(click.x for click in clicks) < 25
    assert max(click.x for click in clicks) > 75


def test_later_clicks_are_on_the_largest_error_or_on_another_part() -> None:
    rng, target = np.random.default_rng(0), bar()
    mask = target.copy()
    mask[30:42, 20:24] = False  # missed: 48 pixels
    mask[60:70, 40:60] = True  # too much: 200 pixels
    on_error = on_part = 0
    for _ in range(200):
        click = CasualUser().next(mask, target, [Click(22.5, 36.5)], rng)
        assert click is not None
        if click.positive:
            assert target[click.pixel]
            assert abs(click.x - 22.5) > 15
            on_part += 1
        else:
            assert mask[click.pixel]
            assert not target[click.pixel]
            on_error += 1
    assert on_part / 200 == pytest.approx(0.25, abs=0.1)
    assert on_error


def test_a_right_answer_gets_no_click_and_a_box_no_part() -> None:
    rng, target = np.random.default_rng(0), bar()
    assert CasualUser().next(target, target, [], rng) is None
    for _ in range(50):
        click = CasualUser().next(np.zeros_like(target), target, [], rng)
        assert click is not None
        assert click.positive


def test_boxes_are_tight_to_loose_and_shaky() -> None:
    rng, target = np.random.default_rng(0), bar()
    boxes = [box_around(target, rng) for _ in range(300)]
    widths = np.array([box.x1 - box.x0 for box in boxes]) / 60
    assert pytest.approx(widths.mean(), abs=0.03) == 1 + LOOSEST_BOX / 2
    assert widths.max() < 1 + LOOSEST_BOX + 6 * SHAKIEST_BOX
    assert widths.std() > 0.08
