"""Laws of boxes and frames that hold for all values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtmr.geometry import Box, Frame


@st.composite
def boxes(draw: st.DrawFn, limit: int = 10_000) -> Box:
    x0, y0 = draw(st.integers(0, limit)), draw(st.integers(0, limit))
    return Box(x0, y0, x0 + draw(st.integers(1, limit)), y0 + draw(st.integers(1, limit)))


sizes = st.integers(1, 1024)
coordinates = st.floats(-20_000, 20_000)


@given(boxes(), sizes, sizes, st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5))
def test_points_go_to_the_grid_and_back(
    box: Box, width: int, height: int, points: list[tuple[float, float]]
) -> None:
    frame = Frame(box, width, height)
    np.testing.assert_allclose(
        frame.to_image(frame.to_grid(np.array(points))), points, rtol=1e-9, atol=1e-6
    )


@given(boxes(), sizes, sizes)
def test_the_box_fills_the_grid(box: Box, width: int, height: int) -> None:
    np.testing.assert_allclose(
        Frame(box, width, height).box_to_grid(box), (0, 0, width, height), rtol=1e-12
    )


@given(boxes(), sizes, sizes)
def test_centres_are_cell_centres(box: Box, width: int, height: int) -> None:
    frame = Frame(box, width, height)
    xs, ys = frame.centres()
    grid = frame.to_grid(
        np.stack([np.resize(xs, max(width, height)), np.resize(ys, max(width, height))], axis=1)
    )
    np.testing.assert_allclose(grid[:width, 0], np.arange(width) + 0.5, atol=1e-6)
    np.testing.assert_allclose(grid[:height, 1], np.arange(height) + 0.5, atol=1e-6)


@given(boxes(), boxes())
def test_union_holds_both_and_intersection_lies_in_both(a: Box, b: Box) -> None:
    union, common = a.union(b), a.intersection(b)
    assert union.intersection(a) == a
    assert union.intersection(b) == b
    if common is not None:
        assert common.union(a) == a
        assert common.union(b) == b
        assert a.area + b.area - common.area <= union.area


@given(boxes(), st.floats(0.01, 5), boxes())
def test_expanded_stays_within(box: Box, ratio: float, within: Box) -> None:
    assert within.intersection(box.expanded(ratio, within)) == box.expanded(ratio, within)


@given(boxes(limit=500), st.floats(1, 5))
def test_expanded_by_at_least_one_holds_the_box(box: Box, ratio: float) -> None:
    assert box.expanded(ratio, Box(-10_000, -10_000, 10_000, 10_000)).union(box) == box.expanded(
        ratio, Box(-10_000, -10_000, 10_000, 10_000)
    )


@given(boxes(limit=30), boxes(limit=30))
def test_minus_leaves_every_pixel_outside_the_other_once(box: Box, other: Box) -> None:
    count = np.zeros((60, 60), int)
    for rest in box.minus(other):
        count[rest.slices] += 1
    expected = np.zeros((60, 60), int)
    expected[box.slices] = 1
    expected[other.slices] = 0
    assert np.array_equal(count, expected)


@given(boxes(limit=100), st.integers(1, 50), boxes(limit=100))
def test_grown_is_large_enough_and_within(box: Box, least: int, within: Box) -> None:
    grown = box.grown(least, within)
    assert within.intersection(grown) == grown
    assert grown.width >= min(least, within.width)
    assert grown.height >= min(least, within.height)
    if within.union(box) == within:
        assert grown.union(box) == grown


@given(boxes(limit=500), sizes, sizes, st.data())
def test_a_grid_box_touches_the_pixels_of_its_corners(
    box: Box, width: int, height: int, data: st.DataObject
) -> None:
    frame = Frame(box, width, height)
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    cells = Box(
        x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    )
    pixels = frame.box_to_image(cells)
    assert box.union(pixels) == box
    low_x, low_y, high_x, high_y = frame.box_to_grid(pixels)
    pixel_x, pixel_y = frame.scale
    assert x0 - pixel_x < low_x <= x0 + 1e-6
    assert y0 - pixel_y < low_y <= y0 + 1e-6
    assert cells.x1 - 1e-6 <= high_x < cells.x1 + pixel_x
    assert cells.y1 - 1e-6 <= high_y < cells.y1 + pixel_y
