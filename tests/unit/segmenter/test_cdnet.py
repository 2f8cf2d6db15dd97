"""CDNet's pipeline around a stand-in, and its pixel diffusion against plain loops.

Values of the official code are compared in tests/golden/test_cdnet.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork

from vtmr.geometry import Box
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.pixel_diffusion import DILATIONS, diffused, likeness
from vtmr.types import Click, FloatMap

IMAGE = np.random.default_rng(3).integers(0, 256, (120, 160, 3)).astype(np.uint8)


class Halves(ColourNetwork):
    """Logits 2 in the left half of whatever it sees, -2 in the right; remembers what it saw."""

    def __init__(self) -> None:
        super().__init__(pipeline="cdnet", input_size=64)
        self.seen: list[tuple[Any, ...]] = []

    def coarse(self, image: Any, prev_mask: Any, clicks: Any) -> tuple[FloatMap, Any]:
        assert image.shape == (64, 64, 3)
        self.seen.append((image, prev_mask, list(clicks)))
        logits: FloatMap = np.full((64, 64), -2, np.float32)
        logits[:, :32] = 2
        return logits, None


def test_both_looks_are_averaged_and_nothing_is_said_of_the_last_mask() -> None:
    """A network that prefers the left is cancelled by its mirror image; what is left is the
    click's disc, spread, whose probability is above 1/2."""
    network = Halves()
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(IMAGE)
    first = segmenter.predict(scene, [Click(80.5, 60.5)])
    (image, nothing, (click,)), (mirrored, _, (other,)) = network.seen
    assert np.array_equal(mirrored, image[:, ::-1])
    assert (other.x, other.y) == pytest.approx((64 - click.x, click.y))
    probability = first.probability()
    assert probability[60, 80] > 0.9
    assert probability.min() >= 0.5 - 1e-6
    segmenter.predict(scene, [Click(80.5, 60.5), Click(20.5, 20.5)], first)
    assert not any(prev_mask.any() for _, prev_mask, _ in network.seen)
    assert not nothing.any()


def test_the_target_crop_follows_the_probability_at_every_click() -> None:
    """Where the answer was above .49, and every positive click, 1.4 times as large."""
    network = Halves()
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(IMAGE)
    mask = np.zeros((120, 160), np.bool_)
    mask[40:60, 50:100] = True
    first = segmenter.predict(scene, [Click(70.5, 50.5)], None, mask)
    assert first.layers[0].box == Box.whole(120, 160)
    second = segmenter.predict(scene, [Click(70.5, 50.5), Click(30.5, 50.5)], None, mask)
    # Columns 30-99: centre 64.5, 98 wide; rows 40-59: centre 49.5, 28 high.
    assert second.layers[0].box == Box(16, 36, 115, 65)


def test_likeness_is_a_share_of_the_neighbours() -> None:
    """By loops over all 32 neighbours, for a pixel in the middle and one in a corner."""
    image = np.random.default_rng(0).random((20, 24, 3)).astype(np.float32)
    found = likeness(image)
    assert found.shape == (32, 20, 24)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)
    for row, col in ((10, 12), (0, 23)):
        values, members = [], []
        for step in DILATIONS:
            for down in (-step, 0, step):
                for right in (-step, 0, step):
                    r, c = min(max(row + down, 0), 19), min(max(col + right, 0), 23)
                    members.append(image[r, c])
                    if (down, right) != (0, 0):
                        values.append(image[r, c])
        deviation = np.stack(members).astype(np.float64).std(axis=0, ddof=1)
        apart = np.abs(np.stack(values) - image[row, col]) / (1e-8 + 0.1 * deviation)
        affinity = np.exp(-apart.mean(axis=1))
        np.testing.assert_allclose(found[:, row, col], affinity / affinity.sum(), rtol=1e-3)


def test_an_even_image_spreads_evenly() -> None:
    """Every neighbour gets 1/32; unsure answers spread nothing and keep their own."""
    image = np.full((40, 40, 3), 0.5, np.float32)
    np.testing.assert_allclose(likeness(image), 1 / 32, rtol=1e-6)
    unsure = np.full((40, 40), 0.3, np.float32)  # 2σ - 1 is .149
    nothing = np.zeros((2, 40, 40), np.float32)
    np.testing.assert_allclose(diffused(unsure, image, nothing), 2 * sigmoid(unsure) - 1, rtol=1e-5)
    sure = np.full((40, 40), 4.0, np.float32)
    own = 2 * sigmoid(sure) - 1
    np.testing.assert_allclose(diffused(sure, image, nothing), 2 * own, rtol=1e-5)
    clicked = nothing.copy()
    clicked[1, 20, 20] = 1
    assert diffused(unsure, image, clicked)[20, 20] < 2 * sigmoid(unsure)[20, 20] - 1
