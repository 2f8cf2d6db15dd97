"""The brush: distances come from their definition."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from vtmr.app.strokes import brushed

EMPTY = np.zeros((60, 80), bool)


def distances(line: np.ndarray, x: np.ndarray, y: np.ndarray | float) -> Iterator[np.ndarray]:
    """Of points to each segment of a line, by projecting onto it."""
    ends = line[1:] if len(line) > 1 else line
    for (x0, y0), (x1, y1) in zip(line[: len(ends)], ends, strict=True):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        yield np.hypot(x - x0 - along * dx, y - y0 - along * dy)


def distance_to_line(line: np.ndarray) -> np.ndarray:
    """Of every pixel's centre."""
    rows, cols = np.mgrid[:60, :80] + 0.5
    return np.min(list(distances(line, cols, rows)), axis=0)


@pytest.mark.parametrize("radius", [2, 5, 9.5])
@pytest.mark.parametrize(
    "points",
    [
        [(40.0, 30.0)],
        [(10.5, 10.5), (60.5, 40.5)],
        [(15.25, 40.0), (30, 12.75), (55, 12), (70, 50)],
        [(-20, 30), (20, 30)],
    ],
)
def test_it_reaches_as_far_as_its_radius(points: list[tuple[float, float]], radius: float) -> None:
    painted, distance = (
        brushed(EMPTY, np.array(points), radius, add=True),
        distance_to_line(np.array(points)),
    )
    sure = np.abs(distance - radius) > 1e-6
    np.testing.assert_array_equal(painted[sure], distance[sure] < radius)


# A walk, whose neighbours share rows, and a line up and down whose segments leave gaps in a row.
WALK = np.cumsum(np.random.default_rng(3).normal(0, (3, 1.5), (150, 2)), axis=0) % (80, 60)
PEAKS = np.array([(0.0, 20), (20, 24), (40, 20), (60, 24), (80, 20)])


@pytest.mark.parametrize("pixels_per_run", [0, 1000])
@pytest.mark.parametrize(
    ("block", "band", "most_runs"), [(1 << 16, 1 << 20, 1 << 20), (40, 300, 9)]
)
@pytest.mark.parametrize(
    ("line", "radius"),
    [(WALK, 1.5), (WALK, 4), (WALK, 12), (PEAKS, 8)],
    ids=["thin walk", "walk", "broad walk", "peaks"],
)
def test_however_it_is_shared_out_it_reaches_as_far(
    line: np.ndarray,
    radius: float,
    block: int,
    band: int,
    most_runs: int,
    pixels_per_run: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one block or many, in bands or run by run."""
    monkeypatch.setattr("vtmr.app.strokes._BLOCK", block)
    monkeypatch.setattr("vtmr.app.strokes._MOST_RUNS", most_runs)
    monkeypatch.setattr("vtmr.app.strokes._PIXELS_PER_RUN", pixels_per_run)
    monkeypatch.setattr("vtmr.masks._BAND_PIXELS", band)
    distance = distance_to_line(line)
    sure = np.abs(distance - radius) > 1e-6
    noise = np.random.default_rng(5).random((60, 80)) < 0.5
    added, taken = (brushed(noise, line, radius, add=add) for add in (True, False))
    np.testing.assert_array_equal(added[sure], (noise | (distance < radius))[sure])
    np.testing.assert_array_equal(taken[sure], (noise & (distance >= radius))[sure])


@pytest.mark.parametrize("add", [True, False])
def test_a_long_line_is_what_its_stretches_are(add: bool) -> None:
    """Of hundreds of points, some of them outside, however the stretches cover each other."""
    rng = np.random.default_rng(1)
    points = np.cumsum(rng.normal(0, 9, (400, 2)), axis=0) % (120, 90) - (20, 15)
    mask = rng.random((60, 80)) < 0.5
    for radius in (0.2, 1.5, 6):
        expected = mask.copy()
        for start, end in pairwise(points):
            expected = brushed(expected, np.array([start, end]), radius, add=add)
        np.testing.assert_array_equal(brushed(mask, points, radius, add=add), expected)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [16, 200, 600])
def test_ten_thousand_points_on_96_megapixels_are_painted_at_once(radius: float) -> None:
    """Of the processor: a spiral over the whole image."""
    angles = np.linspace(0, 40 * np.pi, 10_000)
    reach = np.stack([200 + 40 * angles, 200 + 25 * angles], axis=1)
    points = (6000, 4000) + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    mask = np.zeros((8000, 12000), np.bool_)
    start = time.process_time()
    painted = brushed(mask, points, radius, add=True)
    assert time.process_time() - start < 1  # .2 to .5 on cores that other work uses
    assert painted[4000, 6200]
    assert painted[4000, 6100] == (radius > 100)


@pytest.mark.parametrize("add", [True, False])
def test_every_segment_may_have_a_radius_of_its_own(add: bool) -> None:
    rng = np.random.default_rng(2)
    mask = rng.random((60, 80)) < 0.5
    points, radii = rng.uniform(-10, 90, (40, 2)), rng.uniform(0.3, 9, 39)
    expected = mask
    for ends, radius in zip(pairwise(points), radii, strict=True):
        expected = brushed(expected, np.array(ends), float(radius), add=add)
    np.testing.assert_array_equal(brushed(mask, points, radii, add=add), expected)


@pytest.mark.slow
def test_a_pens_stroke_on_96_megapixels_is_painted_at_once() -> None:
    """A stroke whose width changes all along: a copy of the mask a segment would be 288 GB."""
    angles = np.linspace(0, 40 * np.pi, 3000)
    points = (6000, 4000) + 100 * angles[:, None] ** 0.5 * np.stack(
        [np.cos(angles), np.sin(angles)], axis=1
    )
    radii = 10.0 + np.arange(len(points) - 1) % 24
    mask = np.zeros((8000, 12000), np.bool_)
    start = time.process_time()
    painted = brushed(mask, points, radii, add=True)
    assert time.process_time() - start < 1
    reached = np.zeros(12000, np.bool_)  # of the row through the middle
    away = distances(points, np.arange(12000) + 0.5, 4000.5)
    for distance, radius in zip(away, radii, strict=True):
        reached |= distance < radius
    np.testing.assert_array_equal(painted[4000], reached)


@pytest.mark.slow
def test_a_line_up_and_down_all_of_a_large_image_takes_no_memory_of_its_own() -> None:
    """Ten million intervals, which are never kept all at once."""
    rows = np.tile([0.5, 3999.5], 1250)
    points = np.stack([np.linspace(0, 6000, rows.size), rows], axis=1)
    tracemalloc.start()
    painted = brushed(np.zeros((4000, 6000), np.bool_), points, 0.7, add=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.5 < painted.mean() < 1
    assert peak < 300e6  # 170; 640 with all of them


def test_a_dot_lies_centred_on_its_pixel() -> None:
    """A disc around a pixel's centre is symmetric about it: half pixels are taken off once, not
    twice."""
    painted = brushed(EMPTY, np.array([(40.5, 30.5)]), 5, add=True)
    square = painted[30 - 7 : 30 + 8, 40 - 7 : 40 + 8]
    for turned in (square[::-1], square[:, ::-1], square.T):
        np.testing.assert_array_equal(square, turned)
    assert painted.sum() == square.sum()
    assert (
        square.sum() == 81
    )  # whole-numbered points within 5 of the origin: Gauss's circle problem


def test_the_smallest_brush_paints_the_pixel_it_is_on() -> None:
    painted = brushed(EMPTY, np.array([(7.5, 9.5)]), 0.5, add=True)
    assert np.argwhere(painted).tolist() == [[9, 7]]
    assert brushed(EMPTY, np.array([(7.0, 9.0)]), 0.5, add=True)[9, 7]


def test_a_stroke_may_cross_itself_a_thousand_times() -> None:
    """Overlaps are counted, not toggled, and don't overflow."""
    there_and_back = np.array([(10.0, 10.0), (50.0, 20.0)] * 5000)
    once = brushed(EMPTY, there_and_back[:2], 4, add=True)
    np.testing.assert_array_equal(brushed(EMPTY, there_and_back, 4, add=True), once)


def test_the_eraser_takes_what_the_brush_gave() -> None:
    line = np.array([(10.0, 10.0), (50.0, 20.0)])
    assert not brushed(brushed(EMPTY, line, 4, add=True), line, 4, add=False).any()
    assert not EMPTY.any()


def test_outside_the_image_nothing_happens() -> None:
    assert not brushed(EMPTY, np.array([(-50.0, -50.0), (500.0, -50.0)]), 9, add=True).any()
