"""Pixels of clicks by docs/decisions/0001 (floor); active clicks by the rule that an edit is a new
beginning."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from vtmr.errors import InputError
from vtmr.types import Click, MaskEdit, active_clicks

EDIT = MaskEdit.of(np.eye(4, dtype=bool))


@pytest.mark.parametrize(
    ("x", "y", "row", "col"), [(0, 0, 0, 0), (7.99, 3.5, 3, 7), (8, 3, 3, 8), (-0.1, 0.0, 0, -1)]
)
def test_a_click_lies_in_the_pixel_it_touches(x: float, y: float, row: int, col: int) -> None:
    assert Click(x, y).pixel == (row, col)


def test_a_click_of_other_things_than_numbers_is_refused() -> None:
    with pytest.raises(InputError, match=r"\('1', 2\) is no point: expected two numbers"):
        Click("1", 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_click_nowhere_is_refused_with_its_value(value: float) -> None:
    with pytest.raises(InputError, match=str(value)):
        Click(value, 3)
    with pytest.raises(InputError, match=str(value)):
        Click(3, value)


def test_clicks_are_positive_unless_said_otherwise_and_compare_by_value() -> None:
    assert Click(1, 2) == Click(1.0, 2.0, positive=True)
    assert Click(1, 2) != Click(1, 2, positive=False)


def test_an_edit_keeps_the_mask_and_survives_pickling() -> None:
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(EDIT)).runs.decode(), np.eye(4, dtype=bool)
    )


def test_active_clicks_are_those_since_the_last_edit() -> None:
    a, b, c = Click(1, 1), Click(2, 2), Click(3, 3, positive=False)
    assert active_clicks([]) == ()
    assert active_clicks([a, b]) == (a, b)
    assert active_clicks([EDIT, a, b]) == (a, b)
    assert active_clicks([a, EDIT, b, EDIT, c]) == (c,)
    assert active_clicks([a, EDIT]) == ()
