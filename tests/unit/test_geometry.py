"""Expected values are worked out by hand from docs/decisions/0001: a pixel is a unit square, boxes
are half-open."""

from __future__ import annotations

import numpy as np
import pytest

from vtmr.errors import InputError
from vtmr.geometry import Box, Frame

WHOLE = Box.whole(height=60, width=80)


@pytest.mark.parametrize("edges", [(5, 5, 5, 9), (5, 5, 9, 5), (6, 0, 5, 9)])
def test_an_empty_box_is_refused(edges: tuple[int, int, int, int]) -> None:
    with pytest.raises(InputError, match=str(edges).replace("(", r"\(").replace(")", r"\)")):
        Box(*edges)


def test_sizes_and_slices() -> None:
    box = Box(10, 20, 13, 27)
    assert (box.width, box.height, box.area) == (3, 7, 21)
    assert np.zeros((60, 80))[box.slices].shape == (7, 3)
    assert box.as_tuple() == (10, 20, 13, 27)


def test_contains_is_half_open() -> None:
    box = Box(10, 20, 13, 27)
    assert box.contains(10, 20)
    assert box.contains(12.999, 26.999)
    assert not box.contains(13, 20)
    assert not box.contains(10, 27)


def test_union_and_intersection() -> None:
    a, b = Box(0, 0, 4, 4), Box(2, 3, 9, 5)
    assert a.union(b) == Box(0, 0, 9, 5)
    assert a.intersection(b) == Box(2, 3, 4, 4)
    assert a.intersection(Box(4, 0, 5, 4)) is None  # they touch, and share no pixel


def test_expanded_keeps_the_centre() -> None:
    assert Box(30, 20, 40, 30).expanded(2.0, WHOLE) == Box(25, 15, 45, 35)
    assert Box(30, 20, 40, 30).expanded(1.4, WHOLE) == Box(28, 18, 42, 32)


def test_expanded_is_clipped_and_never_empty() -> None:
    assert Box(0, 0, 10, 10).expanded(1.4, WHOLE) == Box(0, 0, 12, 12)
    assert Box(70, 50, 80, 60).expanded(3.0, WHOLE) == Box(60, 40, 80, 60)
    # Outside: the nearest pixel.
    assert Box(100, 100, 110, 110).expanded(1.0, WHOLE) == Box(79, 59, 80, 60)
    assert Box(-20, -20, -10, -10).expanded(1.0, WHOLE) == Box(0, 0, 1, 1)


def test_a_frame_maps_corners_to_corners() -> None:
    frame = Frame(Box(10, 20, 14, 28), width=8, height=8)
    assert frame.scale == (2.0, 1.0)
    np.testing.assert_array_equal(
        frame.to_grid(np.array([(10, 20), (14, 28), (12.5, 21)])), [(0, 0), (8, 8), (5, 1)]
    )
    np.testing.assert_array_equal(
        frame.to_image(np.array([(0, 0), (8, 8), (5, 1)])), [(10, 20), (14, 28), (12.5, 21)]
    )
    assert frame.box_to_grid(Box(11, 20, 13, 24)) == (2.0, 0.0, 6.0, 4.0)


def test_centres_of_grid_cells() -> None:
    xs, ys = Frame(Box(10, 20, 14, 24), width=2, height=4).centres()
    np.testing.assert_array_equal(xs, [11, 13])
    np.testing.assert_array_equal(ys, [20.5, 21.5, 22.5, 23.5])


def test_resizing_as_opencv_does_is_the_same_map() -> None:
    """A ramp of pixel centres, resized with INTER_LINEAR, holds the image x of the grid's
    centres."""
    import cv2

    ramp = np.tile(np.arange(64, dtype=np.float32) + 0.5, (4, 1))
    xs, _ = Frame(Box(0, 0, 64, 4), width=24, height=4).centres()
    np.testing.assert_allclose(
        cv2.resize(ramp, (24, 4), interpolation=cv2.INTER_LINEAR)[0], xs, atol=1e-4
    )
