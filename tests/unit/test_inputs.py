"""Inputs of networks, against the formulas in float64 and known disc sizes (docs/method.md §A.1: r
= 5 has 81 pixels)."""

from __future__ import annotations

import numpy as np

from vtmr.inputs import click_maps, coarse_maps, normalise
from vtmr.spec import RAW, ModelSpec, Normalisation
from vtmr.types import Click

SPEC = ModelSpec(model="any", coarse_normalisation=RAW, input_size=64)


def test_normalise_is_the_formula_per_channel() -> None:
    image = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)
    normalisation = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    planes = normalise(image, normalisation)
    expected = (image.astype(np.float64) - normalisation.mean) / normalisation.std
    assert planes.shape == (1, 3, 16, 16)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    np.testing.assert_allclose(planes[0], expected.transpose(2, 0, 1), atol=1e-6)


def test_click_maps_separate_the_signs_and_centre_on_the_pixel() -> None:
    clicks = [Click(10.5, 20.5), Click(40.5, 30.5, positive=False), Click(50.5, 20.5)]
    maps = click_maps(clicks, 5.0, 64)
    assert maps.shape == (1, 2, 64, 64)
    assert maps.sum(axis=(0, 2, 3)).tolist() == [162, 81]
    assert maps[0, 0, 20, 15] == 1  # column 10 + 5 is still inside
    assert maps[0, 0, 20, 16] == 0
    assert maps[0, 1, 25, 40] == 1


def test_no_clicks_give_empty_maps_and_the_previous_mask_comes_first() -> None:
    prev_mask = np.random.default_rng(0).random((64, 64), np.float32)
    maps = coarse_maps(prev_mask, [], SPEC)
    np.testing.assert_array_equal(maps[0, 0], prev_mask)
    assert maps.dtype == np.float32
    assert not maps[0, 1:].any()
