"""Masks that were moved, grown or shrunk by known amounts over photos of ellipses."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vtmr.data.displacement import MIN_OBJECTS, EdgeProfiles
from vtmr.masks import Mask
from vtmr.types import Image


def pictured(seed: int) -> tuple[Image, Mask]:
    """A grainy photo of a bright ellipse, and its mask."""
    rng = np.random.default_rng(seed)
    centre, axes = rng.integers(40, 60, 2).tolist(), rng.integers(10, 25, 2).tolist()
    mask = cv2.ellipse(np.zeros((100, 110), np.uint8), centre, axes, 0, 0, 360, 1, -1)
    photo = 80 + 90.0 * mask[..., None] + rng.normal(0, 8, (100, 110, 3))
    return photo.clip(0, 255).astype(np.uint8), mask.astype(bool)


def shown(
    right: int = 0, below: int = 0, grown: int = 0, objects: int = MIN_OBJECTS
) -> EdgeProfiles:
    profiles = EdgeProfiles()
    for seed in range(objects):
        photo, mask = pictured(seed)
        if grown:
            change = cv2.dilate if grown > 0 else cv2.erode
            mask = change(
                mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=abs(grown)
            ).astype(bool)
        profiles.add(photo, np.roll(mask, (below, right), (0, 1)))
    return profiles


@pytest.mark.parametrize("grown", [-1, 0, 1])
@pytest.mark.parametrize(("right", "below"), [(0, 0), (1, 0), (-2, 1), (0, -3)])
def test_masks_are_as_far_off_as_they_were_moved(right: int, below: int, grown: int) -> None:
    """Too large or too small isn't displaced."""
    found = shown(right, below, grown).displacement()
    assert found is not None
    assert found == pytest.approx((right, below), abs=0.15)


def test_half_a_pixel_is_seen() -> None:
    """Photos between two that are a pixel apart: as masks that were resized by nearest neighbour
    are."""
    profiles = EdgeProfiles()
    for seed in range(MIN_OBJECTS):
        photo, mask = pictured(seed)
        between = (photo.astype(np.float32) + np.roll(photo, 1, axis=1)) / 2
        profiles.add(between.astype(np.uint8), mask)
    found = profiles.displacement()
    assert found is not None
    assert found == pytest.approx((-0.5, 0.0), abs=0.15)


def test_no_verdict_without_evidence() -> None:
    """Too few objects, edges out of reach, photos without an edge, masks without a rim inside the
    photo."""
    assert shown(right=20).displacement() is None
    assert shown(objects=MIN_OBJECTS - 1).displacement() is None
    rng = np.random.default_rng(0)
    noise, even, everything = EdgeProfiles(), EdgeProfiles(), EdgeProfiles()
    for seed in range(MIN_OBJECTS):
        photo, mask = pictured(seed)
        noise.add(rng.integers(0, 255, photo.shape, np.uint8), mask)
        even.add(np.full_like(photo, 90), mask)
        everything.add(photo, np.ones_like(mask))
    for profiles in (noise, even, everything):
        assert profiles.objects == MIN_OBJECTS
        assert profiles.displacement() is None


def test_tiny_and_empty_masks_are_no_trouble() -> None:
    profiles = EdgeProfiles()
    profiles.add(
        np.zeros((3, 2, 3), np.uint8), np.array([[False, False], [True, False], [False, False]])
    )
    profiles.add(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), bool))
    profiles.add(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), bool))
    assert profiles.objects == 2
