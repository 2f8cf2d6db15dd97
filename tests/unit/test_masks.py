"""Expected values are drawn by hand; the discs are compared with docs/method.md §A.1's rule written
out pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import (
    RunLengths,
    bounding_box,
    component_at,
    deepest_pixel,
    disc_maps,
    iou,
    row_runs,
    turns_in,
)


def drawn(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


SHAPE = drawn(
    "......",
    ".##..#",
    ".#..#.",  # touches the first row's # by a corner
    ".#....",
)


def test_bounding_box() -> None:
    assert bounding_box(SHAPE) == Box(1, 1, 6, 4)
    assert bounding_box(SHAPE[:, ::2]) == Box(1, 1, 3, 3)  # not contiguous
    assert bounding_box(np.zeros((3, 4), bool)) is None


def test_of_equally_deep_pixels_the_first_counts() -> None:
    """Two objects alike: OpenCV's distances of the right one may be larger in the last digit."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=rng.integers(20, 70, 2))
        blob = cv2.GaussianBlur(noise, (0, 0), 3) > 0
        apart = np.zeros((len(blob), int(rng.integers(1, 9))), bool)
        depth, pixel = deepest_pixel(blob)
        assert deepest_pixel(np.concatenate([blob, apart, blob], axis=1)) == (depth, pixel)


@pytest.mark.parametrize("pixels", [1, 7, 40, 1000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_large_mask_is_read_in_bands(
    pixels: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the bands end: runs are those of one long row, of rows, and of COCO's columns."""
    monkeypatch.setattr("vtmr.masks._BAND_PIXELS", pixels)
    mask = np.random.default_rng(4).random((9, 13)) < share
    mask = np.repeat(np.repeat(mask, 2, axis=0), 3, axis=1)[3:, 2:]  # not contiguous
    flat = np.concatenate([[False], mask.reshape(-1)])
    np.testing.assert_array_equal(turns_in(mask), np.flatnonzero(flat[1:] != flat[:-1]))
    again = np.zeros_like(mask)
    for row, first, end in zip(*row_runs(mask), strict=True):
        assert not again[row, first:end].any()
        again[row, first:end] = True
    np.testing.assert_array_equal(again, mask)
    expected = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]
    assert RunLengths.encode(mask).counts == expected


def test_components_join_at_corners() -> None:
    right = component_at(SHAPE, row=1, col=5)
    np.testing.assert_array_equal(right, drawn("......", ".....#", "....#.", "......"))
    np.testing.assert_array_equal(component_at(SHAPE, row=3, col=1), SHAPE & ~right)


def test_the_component_of_a_pixel_that_is_off_is_empty() -> None:
    assert not component_at(SHAPE, row=0, col=0).any()


def test_iou() -> None:
    a, b = drawn("##.."), drawn(".##.")
    assert iou(a, b) == 1 / 3
    assert iou(a, a) == 1.0
    assert iou(a, ~a) == 0.0


def test_iou_of_two_empty_masks_is_one() -> None:
    assert iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1.0


def test_ignored_pixels_count_nowhere() -> None:
    assert iou(drawn("##.."), drawn(".##."), ignore_mask=drawn("#...")) == 1 / 2
    assert iou(drawn("#..."), drawn("...."), ignore_mask=drawn("#...")) == 1.0


@pytest.mark.parametrize("radius", [0.6, 2.0, 5.0])
@pytest.mark.parametrize("point", [(4.5, 6.5), (0.2, 0.2), (11.9, 8.3), (-2.0, 4.0), (50.0, 50.0)])
def test_a_disc_is_all_pixel_centres_within_the_radius(
    point: tuple[float, float], radius: float
) -> None:
    maps = disc_maps(np.array([point]), np.array([True]), radius, height=9, width=12)
    x, y = point
    expected = [
        [(c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2 <= radius**2 for c in range(12)] for r in range(9)
    ]
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps[0], expected)
    assert not maps[1].any()


def test_positive_and_negative_discs_have_their_own_map_and_overlap_freely() -> None:
    points = np.array([(2.5, 2.5), (3.5, 2.5), (8.5, 2.5)])
    maps = disc_maps(points, np.array([True, True, False]), radius=1, height=5, width=10)
    assert maps[0].sum() == 8  # two plus-shaped discs of 5 that share 2 pixels
    assert maps[1].sum() == 5
    assert maps.max() == 1


def test_no_clicks_no_discs() -> None:
    assert not disc_maps(np.empty((0, 2)), np.empty(0, bool), 5, height=4, width=4).any()


def test_run_lengths_are_cocos() -> None:
    runs = RunLengths.encode(SHAPE)
    reference = coco_mask.encode(np.asfortranarray(SHAPE.astype(np.uint8)))
    assert (runs.height, runs.width, runs.counts) == (*SHAPE.shape, reference["counts"])
    np.testing.assert_array_equal(runs.decode(), SHAPE)


@pytest.mark.parametrize(("height", "width"), [(9, 7), (4, 5), (1, 1)])
def test_run_lengths_of_another_size_are_refused(height: int, width: int) -> None:
    with pytest.raises(InputError, match=f"{width}x{height} mask"):
        RunLengths(height, width, RunLengths.encode(SHAPE).counts).decode()


@pytest.mark.parametrize("counts", [b"", b"P", b"nonsense", b"\xff\xff", b"!", b"0" * 9])
def test_damaged_run_lengths_are_refused(counts: bytes) -> None:
    with pytest.raises(InputError, match="run lengths"):
        RunLengths(4, 6, counts).decode()
