"""Edits by hand: expected values are drawn or counted here, distances come from their
definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vtmr.app.edits import smoothed, without_holes, without_small_parts
from vtmr.masks import Mask

EMPTY = np.zeros((60, 80), bool)


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
        rows, cols = np.mgrid[:60, :80] + 0.5
        disc = np.hypot(cols - 40, rows - 30) <= 20
        assert abs(int(smoothed(disc, 3).sum()) - int(disc.sum())) < 0.02 * disc.sum()

    def test_an_empty_mask_stays_empty(self) -> None:
        assert not smoothed(EMPTY, 5).any()
