"""Edits by hand: expected values are drawn or counted here, distances come from their
definition."""

from __future__ import annotations

import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from vtmr.app.edits import brushed, brushed_by_lines, smoothed, without_holes, without_small_parts
from vtmr.masks import Mask

EMPTY = np.zeros((60, 80), bool)


def distance_to_line(points: list[tuple[float, float]]) -> np.ndarray:
    """Of every pixel's centre to the line through the points, by projecting onto each of its
    segments."""
    rows, cols = np.mgrid[:60, :80] + 0.5
    nearest = np.full((60, 80), np.inf)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[-1]], strict=True):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((cols - x0) * dx + (rows - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        nearest = np.minimum(nearest, np.hypot(cols - x0 - along * dx, rows - y0 - along * dy))
    return nearest


class TestBrush:
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
    def test_it_reaches_as_far_as_its_radius(
        self, points: list[tuple[float, float]], radius: float
    ) -> None:
        painted, distance = (
            brushed(EMPTY, np.array(points), radius, add=True),
            distance_to_line(points),
        )
        sure = np.abs(distance - radius) > 1e-6
        np.testing.assert_array_equal(painted[sure], distance[sure] < radius)

    @pytest.mark.parametrize("add", [True, False])
    def test_a_long_line_is_what_its_stretches_are(self, add: bool) -> None:
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
    def test_ten_thousand_points_on_96_megapixels_are_painted_at_once(self, radius: float) -> None:
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

    def test_several_lines_are_what_they_are_one_after_the_other(self) -> None:
        rng = np.random.default_rng(2)
        mask = rng.random((60, 80)) < 0.5
        lines = [(rng.uniform(-10, 90, (n, 2)), radius) for n, radius in ((1, 3), (5, 0.5), (2, 8))]
        for add in (True, False):
            expected = mask
            for points, radius in lines:
                expected = brushed(expected, points, radius, add=add)
            np.testing.assert_array_equal(brushed_by_lines(mask, lines, add=add), expected)

    @pytest.mark.slow
    def test_thousands_of_lines_on_96_megapixels_copy_the_mask_once(self) -> None:
        """A pen's stroke, whose width changes all along."""
        angles = np.linspace(0, 40 * np.pi, 3000)
        points = (6000, 4000) + 100 * angles[:, None] ** 0.5 * np.stack(
            [np.cos(angles), np.sin(angles)], axis=1
        )
        radii = (10 + np.arange(len(points)) % 24).tolist()
        lines = list(zip(np.stack([points[:-1], points[1:]], axis=1), radii, strict=False))
        mask = np.zeros((8000, 12000), np.bool_)
        start = time.process_time()
        brushed_by_lines(mask, lines, add=True)
        assert time.process_time() - start < 3  # a copy a line would be 288 GB

    def test_a_dot_lies_centred_on_its_pixel(self) -> None:
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

    def test_the_smallest_brush_paints_the_pixel_it_is_on(self) -> None:
        painted = brushed(EMPTY, np.array([(7.5, 9.5)]), 0.5, add=True)
        assert np.argwhere(painted).tolist() == [[9, 7]]
        assert brushed(EMPTY, np.array([(7.0, 9.0)]), 0.5, add=True)[9, 7]

    def test_a_stroke_may_cross_itself_a_thousand_times(self) -> None:
        """Overlaps are counted, not toggled, and don't overflow."""
        there_and_back = np.array([(10.0, 10.0), (50.0, 20.0)] * 5000)
        once = brushed(EMPTY, there_and_back[:2], 4, add=True)
        np.testing.assert_array_equal(brushed(EMPTY, there_and_back, 4, add=True), once)

    def test_the_eraser_takes_what_the_brush_gave(self) -> None:
        line = np.array([(10.0, 10.0), (50.0, 20.0)])
        assert not brushed(brushed(EMPTY, line, 4, add=True), line, 4, add=False).any()
        assert not EMPTY.any()

    def test_outside_the_image_nothing_happens(self) -> None:
        assert not brushed(EMPTY, np.array([(-50.0, -50.0), (500.0, -50.0)]), 9, add=True).any()


def frame() -> Mask:
    """A ring of 20 x 20 with a hole of 10 x 10, touched by nothing."""
    mask = EMPTY.copy()
    mask[10:30, 10:30] = True
    mask[15:25, 15:25] = False
    return mask


class TestHoles:
    def test_what_is_enclosed_is_filled(self) -> None:
        filled = without_holes(frame())
        assert filled.sum() == 400
        assert filled[10:30, 10:30].all()

    def test_a_bay_and_the_border_are_no_holes(self) -> None:
        mask = frame()
        mask[18:22, 10:15] = False  # opens the ring
        np.testing.assert_array_equal(without_holes(mask), mask)
        corner = EMPTY.copy()
        corner[5, :6] = corner[:6, 5] = True  # cuts off the image's corner
        np.testing.assert_array_equal(without_holes(corner), corner)

    def test_background_is_not_connected_over_corners(self) -> None:
        """A diamond closed only diagonally encloses its middle, as the object is connected over
        corners."""
        mask = EMPTY.copy()
        mask[[20, 21, 22, 21], [31, 30, 31, 32]] = True
        assert without_holes(mask)[21, 31]

    def test_an_empty_mask_stays_empty(self) -> None:
        assert not without_holes(EMPTY).any()


class TestSmallParts:
    def test_parts_below_the_size_go(self) -> None:
        mask = EMPTY.copy()
        mask[0:10, 0:10], mask[30:35, 30:34], mask[50, 70] = (
            True,
            True,
            True,
        )  # 100, 20 and 1 pixels
        assert without_small_parts(mask, 20).sum() == 120
        assert without_small_parts(mask, 21).sum() == 100
        assert without_small_parts(mask).sum() == 120  # 5 % of 100 is 5
        assert without_small_parts(mask, 1000).sum() == 0

    def test_parts_that_touch_at_a_corner_are_one(self) -> None:
        mask = EMPTY.copy()
        mask[5, 5] = mask[6, 6] = True
        assert without_small_parts(mask, 2).sum() == 2

    @pytest.mark.parametrize("smallest", [2, 7, 30, None])
    def test_parts_are_those_that_opencv_labels(self, smallest: int | None) -> None:
        """Ragged parts of all sizes, and a spiral whose runs meet late."""
        noise = cv2.GaussianBlur(np.random.default_rng(5).normal(size=(60, 80)), (0, 0), 0.8) > 0.1
        spiral = np.zeros((60, 80), bool)
        for inset in range(0, 28, 4):
            spiral[inset, inset : 80 - inset] = spiral[inset : 60 - inset, 79 - inset] = True
            spiral[59 - inset, inset : 80 - inset] = spiral[inset + 4 : 60 - inset, inset] = True
            spiral[inset + 4, inset : inset + 5] = True
        for mask in (noise, spiral):
            _, labels, stats, _ = cv2.connectedComponentsWithStats(
                mask.view(np.uint8), connectivity=8
            )
            areas = stats[:, cv2.CC_STAT_AREA]
            kept = areas >= (areas[1:].max() * 0.05 if smallest is None else smallest)
            kept[0] = False
            np.testing.assert_array_equal(without_small_parts(mask, smallest), kept[labels])

    def test_an_empty_mask_stays_empty(self) -> None:
        assert not without_small_parts(EMPTY).any()


class TestSmoothing:
    def test_a_straight_edge_stays_and_a_spike_goes(self) -> None:
        mask = EMPTY.copy()
        mask[20:, :] = True
        mask[12:20, 40] = True
        calm = smoothed(mask, 2)
        assert not calm[:18].any()
        assert calm[21:].all()  # to the image's border, too

    def test_a_disc_keeps_its_size(self) -> None:
        disc = distance_to_line([(40, 30)]) <= 20
        assert abs(int(smoothed(disc, 3).sum()) - int(disc.sum())) < 0.02 * disc.sum()

    def test_an_empty_mask_stays_empty(self) -> None:
        assert not smoothed(EMPTY, 5).any()
