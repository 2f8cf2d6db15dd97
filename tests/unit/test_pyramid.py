"""Expected values: OpenCV's own resize of the crop, and ramps, whose bilinear and averaged samples
are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vtmr.geometry import Box
from vtmr.pyramid import Pyramid, crop_resized, sample_bilinear


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """Red rises by 4 every 8 columns, green by 4 every 8 rows: level 3 is linear without rounding,
    (x - 4) / 2."""
    rows, cols = np.mgrid[:height, :width]
    return np.stack([cols // 8 * 4, rows // 8 * 4, rows * 0], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    "box", [(0, 0, 640, 480), (11, 7, 300, 400), (3, 5, 40, 30), (100, 0, 639, 479)]
)
def test_ordinary_crops_are_plain_bilinear(box: tuple[int, int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    crop = Box(*box)
    plain = cv2.resize(image[crop.slices], (256, 256), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(crop_resized(image, crop, 256), plain)
    assert np.array_equal(crop_resized(Pyramid(image), crop, 256), plain)


@pytest.mark.parametrize(
    "box", [(0, 0, 499, 401), (13, 29, 300, 299), (170, 91, 499, 401), (100, 50, 499, 306)]
)
def test_large_crops_sample_where_they_should(box: tuple[int, int, int, int]) -> None:
    crop, size = Box(*box), 32  # shrinks between 8 and 16: level 3
    patch = crop_resized(ramp(401, 499), crop, size).astype(np.float64)
    inner = slice(1, -1)  # at the image's border the repeated last pixel bends the ramp
    for channel, low, length in ((0, crop.x0, crop.width), (1, crop.y0, crop.height)):
        position = low + (np.arange(size) + 0.5) * length / size
        values = patch[inner, inner, channel].mean(axis=channel)
        # The rounding to whole levels; a pixel is .5.
        assert np.abs(values - (position[inner] - 4) / 2).max() <= 0.5


def test_large_crops_average_fine_patterns() -> None:
    board = np.indices((2048, 2048)).sum(0) % 2 * np.uint8(200)
    patch = crop_resized(np.dstack([board] * 3).astype(np.uint8), Box(0, 0, 2048, 2048), 256)
    assert patch.min() == patch.max() == 100


def test_long_thin_crops_average_their_length() -> None:
    stripes = np.zeros((100, 8000, 3), np.uint8)
    stripes[:, ::2] = 200
    assert set(np.unique(crop_resized(stripes, Box(0, 0, 8000, 100), 256))) <= {99, 100, 101}


def test_levels_of_an_odd_image_keep_their_scale() -> None:
    pyramid = Pyramid(np.zeros((5, 7, 3), np.uint8))
    assert [pyramid.level(n).shape[:2] for n in range(4)] == [(5, 7), (3, 4), (2, 2), (1, 1)]
    single = np.zeros((1, 20000, 3), np.uint8)
    assert crop_resized(single, Box(0, 0, 20000, 1), 256).shape == (256, 256, 3)


def test_samples_are_bilinear_and_held_inside() -> None:
    array = np.array([[0.0, 1.0], [2.0, 5.0]], np.float32)
    sampled = sample_bilinear(array, np.array([-3.0, 0.5, 9.0]), np.array([0.0, 0.25]))
    assert np.array_equal(sampled, np.array([[0, 0.25], [1, 1.5], [2, 2.75]], np.float32))
