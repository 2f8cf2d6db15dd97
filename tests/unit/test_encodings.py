"""How clicks are shown to other authors' networks, by values of their own code (docs/zoo.md)."""

from __future__ import annotations

import numpy as np

from vtmr.encodings import distance_maps, two_discs
from vtmr.spec import RAW, ModelSpec
from vtmr.types import Click


def test_distances_are_those_of_the_official_code() -> None:
    """docs/zoo.md §Z.3.2: at (row, column) (0, 0), (17, 200), (128, 128), (255, 255), (60, 33)."""
    clicks = [Click(41.1, 100.8), Click(200.5, 20.5), Click(30.5, 200.5, positive=False)]
    maps = distance_maps(clicks, 256, 256)
    assert maps.shape == (1, 2, 256, 256)
    assert maps.dtype == np.float32
    rows, cols = [0, 17, 128, 255, 60], [0, 200, 128, 255, 33]
    positive = [0.68174, 0.02307, 0.60770, 0.95236, 0.30540]
    np.testing.assert_allclose(maps[0, 0, rows, cols], positive, atol=6e-6)
    negative = [0.91472, 0.95803, 0.73312, 0.94488, 0.79215]
    np.testing.assert_allclose(maps[0, 1, rows, cols], negative, atol=6e-6)


def test_distances_are_1_everywhere_without_a_click() -> None:
    maps = distance_maps([Click(8.5, 4.5)], 16, 24)
    assert maps[0, 0, 4, 8] == 0
    assert (maps[0, 1] == 1).all()


def test_a_click_above_and_left_of_the_grid_is_not_seen() -> None:
    """One beyond a single side is (docs/zoo.md §Z.3.1)."""
    assert (distance_maps([Click(-3.0, -4.0)], 16, 24)[0, 0] == 1).all()
    assert distance_maps([Click(-3.0, 4.0)], 16, 24)[0, 0].min() < 0.03


def test_cdnet_sees_discs_of_two_radii() -> None:
    """docs/method.md §A.1: r = 5 has 81 pixels; the pixels within 24 of a centre are counted."""
    spec = ModelSpec("any", RAW, pipeline="cdnet", input_size=64)
    clicks = [Click(32.5, 30.5), Click(10.5, 10.5, positive=False)]
    maps = two_discs(np.zeros((64, 64), np.float32), clicks, spec)
    assert maps.shape == (1, 4, 64, 64)
    rows, cols = np.mgrid[:64, :64]
    for channel, (row, col, radius) in enumerate(
        ((30, 32, 5), (10, 10, 5), (30, 32, 24), (10, 10, 24))
    ):
        expected = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
        np.testing.assert_array_equal(maps[0, channel], expected)
    assert maps[0, 0].sum() == 81
