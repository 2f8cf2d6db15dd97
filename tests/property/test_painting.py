"""What is remembered of a layer from click to click never shows: every mask is, bit for bit, the
one that painting all layers anew and whole gives."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box
from vtmr.segmenter import LayeredPrediction, LogitLayer
from vtmr.segmenter.layers import overlaid
from vtmr.segmenter.painting import _runs_of


@st.composite
def boxes(draw: st.DrawFn, height: int, width: int) -> Box:
    x0, x1 = sorted(draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    return Box(x0, y0, x1, y1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, int, list[LogitLayer]]:
    """An image's sides and the layers that clicks lay onto it; wide ones are filled by runs."""
    height, width = draw(st.integers(2, 120)), draw(st.sampled_from([3, 60, 900, 4000]))
    layers = []
    for seed in range(draw(st.integers(1, 6))):
        rng = np.random.default_rng(draw(st.integers(0, 1 << 16)) + seed)
        grid = rng.normal(size=(32, 32)).astype(np.float32)
        if draw(st.booleans()):
            grid = np.asarray(cv2.GaussianBlur(grid, (0, 0), 5), np.float32)
        layers.append(LogitLayer.of(draw(boxes(height, width)), grid))
    return height, width, layers


def painted(
    height: int, width: int, layers: tuple[LogitLayer, ...], threshold_logit: float
) -> Mask:
    return LayeredPrediction(height, width, layers, threshold_logit, 1, 0).render()


def painted_whole(
    height: int, width: int, layers: list[LogitLayer], threshold_logit: float
) -> Mask:
    """Every layer by itself, with nothing remembered, one over the other."""
    mask = np.zeros((height, width), np.bool_)
    for layer in layers:
        _runs_of.cache_clear()
        alone = painted(height, width, (layer,), threshold_logit)
        mask[layer.box.slices] = alone[layer.box.slices]
    return mask


@settings(deadline=None, max_examples=60)
@given(histories(), st.sampled_from([0.0, 0.05, -0.3]))
def test_a_mask_is_what_painting_everything_anew_gives(
    history: tuple[int, int, list[LogitLayer]], threshold_logit: float
) -> None:
    height, width, layers = history
    stack: tuple[LogitLayer, ...] = ()
    remembered = []
    _runs_of.cache_clear()
    for layer in layers:
        stack = overlaid(stack, layer)
        remembered.append(painted(height, width, stack, threshold_logit))
        other = painted(height, width, stack, threshold_logit + 0.2)
        assert not (other & ~remembered[-1]).any()  # another threshold isn't answered from memory
    for number, mask in enumerate(remembered, start=1):
        expected = painted_whole(height, width, layers[:number], threshold_logit)
        assert np.array_equal(mask, expected)


def test_a_layer_is_computed_once_while_others_hide_parts_of_it() -> None:
    rng = np.random.default_rng(0)
    smooth = [cv2.GaussianBlur(rng.normal(size=(64, 64)), (0, 0), 8) for _ in range(6)]
    stack: tuple[LogitLayer, ...] = ()
    _runs_of.cache_clear()
    for number, grid in enumerate(smooth):
        box = Box(100 * number, 0, 3000 + 100 * number, 900)
        stack = overlaid(stack, LogitLayer.of(box, grid.astype(np.float32)))
        painted(1000, 4000, stack, 0.0)
    seen = _runs_of.cache_info()
    assert seen.misses == len(smooth)
    assert seen.hits == sum(range(len(smooth)))
    assert seen.maxsize is not None  # what is remembered is bounded for the process


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1 << 16),
    st.sampled_from([(700, 900), (333, 4000), (4000, 300)]),
    st.sampled_from([0.0, 0.3]),
    st.booleans(),
)
def test_the_few_cells_at_the_threshold_give_what_all_rows_give(
    seed: int, size: tuple[int, int], threshold_logit: float, rounded: bool
) -> None:
    """The reference interpolates every pixel with OpenCV, and says nothing where rounding might
    decide. Rounded logits lie on the threshold and equal their neighbours often."""
    height, width = size
    rng = np.random.default_rng(seed)
    grid = np.asarray(cv2.GaussianBlur(rng.normal(size=(64, 64)), (0, 0), 3), np.float32) * 6
    if rounded:
        grid = np.round(grid * 2) / np.float32(2)
    layer = LogitLayer.of(Box.whole(height, width), grid)
    found = painted(height, width, (layer,), threshold_logit)
    rows = cv2.resize(grid, (64, height), interpolation=cv2.INTER_LINEAR)
    logits = np.asarray(cv2.resize(rows, (width, height), interpolation=cv2.INTER_LINEAR))
    sure = np.abs(logits - threshold_logit) > 1e-4
    assert np.array_equal(found[sure], logits[sure] > threshold_logit)


@settings(deadline=None, max_examples=40)
@given(histories())
def test_the_box_of_a_mask_is_known_without_reading_it(
    history: tuple[int, int, list[LogitLayer]],
) -> None:
    """Of a read-only mask that is the one just painted; any other one is read."""
    height, width, layers = history
    stack: tuple[LogitLayer, ...] = ()
    for layer in layers:
        stack = overlaid(stack, layer)
    prediction = LayeredPrediction(height, width, stack, 0.0, 1, 0)
    mask = prediction.render()
    mask.flags.writeable = False
    assert prediction.box_of(mask) == bounding_box(mask)
    other = np.zeros_like(mask)
    assert prediction.box_of(other) is None
    changed = prediction.render()
    changed[0, 0] ^= True
    assert prediction.box_of(changed) == bounding_box(changed)
