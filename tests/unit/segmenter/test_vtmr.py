"""Expected masks: float64 bilinear interpolation, written out below; expected crops: cut here, by
hand."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.errors import ConfigError, InputError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, bounding_box, iou
from vtmr.segmenter import LayeredPrediction, LogitLayer, segmenter_for
from vtmr.segmenter.layers import overlaid
from vtmr.session import Session
from vtmr.spec import ZoomSchedule
from vtmr.types import Click, FloatMap, Image, MaskEdit


class WatchedNetwork(ColourNetwork):
    """Remembers what it was given."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.images: list[Image] = []
        self.prev_masks: list[FloatMap] = []
        self.boxes: list[tuple[float, float, float, float]] = []
        self.grids: list[list[Click]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        self.images.append(image)
        self.prev_masks.append(prev_mask)
        self.grids.append(list(clicks))
        return super().coarse(image, prev_mask, clicks)

    def refine(
        self,
        patch: Image,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
        box: Any,
    ) -> FloatMap:
        self.images.append(patch)
        self.boxes.append(box)
        return super().refine(patch, clicks, coarse_logits, features, box)


def reference(layers: Sequence[tuple[Box, FloatMap]], height: int, width: int) -> FloatMap:
    """Logits at full resolution, half-pixel centres, later layers over earlier ones: float64."""
    canvas = np.full((height, width), -np.inf)
    for box, grid in layers:
        (top, upper), (left, right) = (
            _neighbours(n, grid.shape[0]) for n in (box.height, box.width)
        )
        rows = grid.astype(np.float64)
        rows = rows[top] + (rows[np.minimum(top + 1, len(grid) - 1)] - rows[top]) * upper[:, None]
        canvas[box.slices] = (
            rows[:, left] + (rows[:, np.minimum(left + 1, len(grid) - 1)] - rows[:, left]) * right
        )
    return canvas


def _neighbours(pixels: int, cells: int) -> tuple[Any, Any]:
    position = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return position.astype(int), position % 1


def random_layers(
    height: int, width: int, smoothness: float, seed: int
) -> list[tuple[Box, FloatMap]]:
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(5):
        (x0, x1), (y0, y1) = (
            sorted(rng.choice(n + 1, 2, replace=False).tolist()) for n in (width, height)
        )
        grid = rng.normal(size=(64, 64)).astype(np.float32)
        if smoothness:
            grid = np.asarray(cv2.GaussianBlur(grid, (0, 0), smoothness), np.float32) * np.float32(
                smoothness
            )
        layers.append((Box(x0, y0, x1, y1), grid))
    return layers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("height", "width", "smoothness"), [(900, 1400, 6), (700, 900, 0), (90, 60, 4), (40, 2500, 4)]
)
def test_the_painted_mask_is_bilinear_interpolation(
    height: int, width: int, smoothness: float, seed: int
) -> None:
    layers = random_layers(height, width, smoothness, seed)
    stack: tuple[LogitLayer, ...] = ()
    for box, grid in layers:
        stack = overlaid(stack, LogitLayer.of(box, grid))
    expected = reference(layers, height, width)
    mask = LayeredPrediction(height, width, stack, 0.25, 1, 0).render()
    differing = mask != (expected > 0.25)
    assert not differing.any() or np.abs(expected[differing] - 0.25).max() < 1e-5  # ties in float32
    assert mask.any()


def test_layers_that_nothing_is_left_of_are_dropped() -> None:
    grid = np.zeros((8, 8), np.float32)
    stack: tuple[LogitLayer, ...] = ()
    for box in [Box(0, 0, 20, 20), Box(0, 0, 10, 30), Box(10, 0, 30, 30)]:
        stack = overlaid(stack, LogitLayer.of(box, grid))
    assert [layer.box for layer in stack] == [Box(0, 0, 10, 30), Box(10, 0, 30, 30)]


def test_logits_on_a_frame_are_those_that_are_painted() -> None:
    layers = random_layers(60, 80, 3, 1)
    stack: tuple[LogitLayer, ...] = ()
    for box, grid in layers:
        stack = overlaid(stack, LogitLayer.of(box, grid))
    sampled = LayeredPrediction(60, 80, stack, 0, 1, 0).logits_on(Frame(Box(10, 0, 70, 60), 60, 60))
    np.testing.assert_allclose(sampled, reference(layers, 60, 80)[:, 10:70], atol=1e-4)


def test_one_click_finds_the_red_ellipse() -> None:
    image = shapes_image()
    segmenter = segmenter_for(ColourNetwork())
    mask = segmenter.predict(segmenter.prepare(image), [Click(56, 54)]).render()
    red = image[..., 0].astype(int) - image[..., 1] > 60
    assert np.count_nonzero(mask & red) / np.count_nonzero(mask | red) > 0.97


def test_the_first_crop_is_the_image_or_the_region_then_the_object() -> None:
    image, network = shapes_image(), WatchedNetwork()
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(image)
    clicks = [Click(56, 54)]
    first = segmenter.predict(scene, clicks)
    assert np.array_equal(network.images[0], cv2.resize(image, (256, 256)))
    assert not network.prev_masks[0].any()
    assert (network.grids[0][0].x, network.grids[0][0].y) == pytest.approx(
        (56 * 256 / 160, 54 * 256 / 120)
    )
    segmenter.predict(scene, clicks, region=Box(20, 10, 100, 100))
    assert np.array_equal(network.images[2], cv2.resize(image[10:100, 20:100], (256, 256)))

    mask = first.render()
    box = bounding_box(mask)
    assert box is not None
    target = box.union(Box(120, 60, 121, 61)).expanded(1.4, Box(0, 0, 160, 120))
    segmenter.predict(scene, [*clicks, Click(120, 60)], first, mask)
    assert np.array_equal(network.images[4], cv2.resize(image[target.slices], (256, 256)))
    seen = cv2.resize(mask[target.slices].astype(np.float32), (256, 256)) > 0.5
    assert np.mean(seen == (network.prev_masks[2] > 0.5)) > 0.99


def test_a_small_first_answer_is_looked_at_again() -> None:
    """The ellipse is a tenth of the image, its target crop about a fifth: below .5 there is a
    second coarse pass."""
    image, network = shapes_image(600, 800), WatchedNetwork(recrop_share=0.5)
    segmenter = segmenter_for(network)
    scene, click = segmenter.prepare(image), Click(280, 270)
    prediction = segmenter.predict(scene, [click])
    plain = segmenter_for(WatchedNetwork()).predict(scene, [click])
    found = bounding_box(plain.render())
    assert found is not None
    target, expected_box = prediction.layers[0].box, found.expanded(1.4, Box(0, 0, 800, 600))
    corners = np.array([astuple(box) for box in (target, expected_box)])
    assert np.abs(corners[0] - corners[1]).max() <= 8  # two cells of the first grid
    assert np.array_equal(network.images[1], cv2.resize(image[target.slices], (256, 256)))
    assert not network.prev_masks[0].any()
    first = plain.layers[0].logits  # of the whole image
    expected = reference([(Box(0, 0, 800, 600), first)], 600, 800)[target.slices]
    seen = cv2.resize((expected > 0).astype(np.float32), (256, 256)) > 0.5
    assert np.mean(seen == (network.prev_masks[1] > 0.5)) > 0.99
    mask, before = prediction.render(), len(network.images)
    segmenter.predict(scene, [click, Click(620, 330)], prediction, mask)
    # From the second click on: one coarse and one refining pass.
    assert len(network.images) - before == 2


def test_a_large_first_answer_or_a_given_mask_is_looked_at_once() -> None:
    image = shapes_image(600, 800)
    for share, mask in ((0.0, None), (0.1, None), (1.0, np.ones((600, 800), np.bool_))):
        network = WatchedNetwork(recrop_share=share)
        segmenter = segmenter_for(network)
        edits = [] if mask is None else [MaskEdit.of(mask)]
        segmenter.predict(segmenter.prepare(image), [*edits, Click(280, 270)], None, mask)
        assert len(network.prev_masks) == 1


def test_an_initial_mask_is_seen_cropped_and_averaged() -> None:
    image, network = shapes_image(), WatchedNetwork(input_size=64)
    segmenter = segmenter_for(network)
    mask = np.zeros((120, 160), np.bool_)
    mask[20:100, 40:120:2] = True  # every other column: half covered
    segmenter.predict(segmenter.prepare(image), [MaskEdit.of(mask), Click(60, 60)], None, mask)
    # 1.4 x (79 x 80) about (79.5, 60) is columns 24..135, rows 4..116
    assert np.array_equal(network.images[0], cv2.resize(image[4:116, 24:135], (64, 64)))
    assert abs(network.prev_masks[0][16:48, 16:48].mean() - 0.5) < 0.02


def test_the_focus_box_reaches_the_refiner_in_grid_units() -> None:
    network = WatchedNetwork()
    segmenter = segmenter_for(network)
    prediction = segmenter.predict(segmenter.prepare(shapes_image()), [Click(56, 54)])
    focus = prediction.layers[-1].box
    expected = focus.x0 * 1.6, focus.y0 * 256 / 120, focus.x1 * 1.6, focus.y1 * 256 / 120
    np.testing.assert_allclose(network.boxes[0], expected)


def test_the_coarse_network_answers_the_focus_crop_in_the_refiner_s_place() -> None:
    """It is shown the crop at full resolution and told the coarse answer, sampled there."""
    image, network = shapes_image(600, 800), WatchedNetwork(refined_by="coarse")
    segmenter = segmenter_for(network)
    prediction = segmenter.predict(segmenter.prepare(image), [Click(280, 270)])
    plain = segmenter_for(WatchedNetwork()).predict(segmenter.prepare(image), [Click(280, 270)])
    focus = prediction.layers[-1].box
    assert focus == plain.layers[-1].box
    assert not network.boxes  # the refiner wasn't asked
    assert (prediction.passes, plain.passes) == (2, 1)
    assert np.array_equal(network.images[1], cv2.resize(image[focus.slices], (256, 256)))
    coarse = reference([(Box(0, 0, 800, 600), prediction.layers[0].logits)], 600, 800)
    seen = cv2.resize((coarse[focus.slices] > 0).astype(np.float32), (256, 256)) > 0.5
    assert np.mean(seen == (network.prev_masks[1] > 0.5)) > 0.99
    assert iou(prediction.render(), plain.render()) > 0.95


@pytest.mark.parametrize("freeze_from_click", [2, 11])
def test_from_the_freezing_click_on_only_the_focus_area_changes(freeze_from_click: int) -> None:
    segmenter = segmenter_for(
        ColourNetwork(freeze_from_click=freeze_from_click), zoom=ZoomSchedule(schedule="off")
    )
    scene = segmenter.prepare(shapes_image(600, 800))
    rng = np.random.default_rng(3)
    clicks: list[Click] = [Click(280, 270)]
    previous = segmenter.predict(scene, clicks)
    mask = previous.render()
    changed_outside: list[bool] = []
    for _ in range(13):
        x, y = rng.uniform(0, 800), rng.uniform(0, 600)
        # A negative click beside the answer would be answered in its surroundings alone.
        positive = bool(rng.integers(2)) or not mask[int(y), int(x)]
        clicks.append(Click(x, y, positive))
        prediction = segmenter.predict(scene, clicks, previous, mask)
        changes = prediction.render() ^ mask
        changes[prediction.layers[-1].box.slices] = False
        changed_outside.append(bool(changes.any()))
        assert prediction.nbytes == 256 * 256 * 4 * (1 if len(clicks) >= freeze_from_click else 2)
        previous, mask = prediction, prediction.render()
    assert not any(changed_outside[freeze_from_click - 2 :])
    assert freeze_from_click == 2 or any(changed_outside)


def test_several_new_clicks_are_all_in_focus() -> None:
    segmenter = segmenter_for(ColourNetwork())
    scene = segmenter.prepare(shapes_image(600, 800))
    first = segmenter.predict(scene, [Click(280, 270)])
    events = [Click(280, 270), Click(620, 330), Click(200, 270, positive=False)]
    focus = segmenter.predict(scene, events, first, first.render()).layers[-1].box
    assert all(focus.contains(click.x, click.y) for click in events[1:])


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5), (513, 1025)])
@pytest.mark.parametrize("pipeline", ["vtmr", "focalclick", "ritm"])
def test_any_size_of_image(size: tuple[int, int], pipeline: str) -> None:
    segmenter = segmenter_for(ColourNetwork(pipeline=pipeline))
    scene = segmenter.prepare(np.full((*size, 3), 90, np.uint8))
    events: list[Click] = []
    previous, mask = None, None
    for positive in (True, False, True):
        events.append(Click(size[1] - 0.25, size[0] - 0.25, positive))
        previous = segmenter.predict(scene, events, previous, mask)
        mask = previous.render()
        assert mask.shape == size


def test_wrong_clicks_are_refused() -> None:
    segmenter = segmenter_for(ColourNetwork())
    scene = segmenter.prepare(shapes_image())
    with pytest.raises(InputError, match="no click"):
        segmenter.predict(scene, [Click(1, 1), MaskEdit.of(np.ones((120, 160), np.bool_))])
    with pytest.raises(InputError, match=r"\(160, 5\).*160x120"):
        segmenter.predict(scene, [Click(160, 5)])
    with pytest.raises(InputError, match=r"\(3, -0.5\)"):
        segmenter.predict(scene, [Click(3, -0.5)])
    assert segmenter.predict(scene, [Click(159.99, 119.99)]).render().any()


def test_the_official_pipeline_aligns_corners() -> None:
    """Corner pixels and the crop's corner cells are the same, and points scale without their half
    pixel (§B.2)."""
    network = WatchedNetwork(pipeline="focalclick", input_size=64)
    segmenter = segmenter_for(network)
    image = shapes_image(90, 130)
    first = segmenter.predict(segmenter.prepare(image), [Click(46.5, 40.5)])
    (click,) = network.grids[0]
    assert (click.x, click.y) == pytest.approx((46 * 64 / 130 + 0.5, 40 * 64 / 90 + 0.5))
    corners = network.images[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.array_equal(corners, image[[0, 0, -1, -1], [0, -1, 0, -1]])
    coarse, refined = first.layers
    assert coarse.box == Box(0, 0, 130, 90)
    assert first.probability()[0, 0] == coarse.values[0, 0]
    y, x = refined.box.y1 - 1, refined.box.x1 - 1
    assert first.probability()[y, x] == pytest.approx(
        1 / (1 + np.exp(-refined.values[-1, -1])), abs=1e-6
    )


def agreement(a: Mask, b: Mask) -> float:
    return float(np.mean(a == b))


def test_all_pipelines_find_the_same_object() -> None:
    image = shapes_image(300, 400)
    masks = []
    for pipeline in ("vtmr", "focalclick", "ritm"):
        segmenter = segmenter_for(ColourNetwork(pipeline=pipeline))
        scene = segmenter.prepare(image)
        first = segmenter.predict(scene, [Click(140, 135)])
        second = segmenter.predict(scene, [Click(140, 135), Click(310, 160)], first, first.render())
        masks.append(second.render())
    ours, *others = masks
    assert all(agreement(ours, other) > 0.99 for other in others)


def test_no_click_makes_a_float_array_of_the_image() -> None:
    """numpy's allocations as tracemalloc counts them, at six megapixels: a float per pixel would
    take 24 MB."""
    image = shapes_image(2000, 3000)
    session = Session(segmenter_for(ColourNetwork()), image).add(Click(1050.5, 900.5))
    for k in range(10):
        session = session.add(Click(1000.5 + 10 * k, 850.5))
        assert session.mask.any()
    tracemalloc.start()
    try:
        for k in range(3):  # clicks 12 to 14: the base is frozen
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            session = session.add(Click(2300.5 + 10 * k, 1050.5))
            assert session.mask.any()
            peak = tracemalloc.get_traced_memory()[1] - before
            # The mask itself takes a byte a pixel.
            assert peak < 2 * image.shape[0] * image.shape[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pipeline", ["vtmr", "focalclick", "ritm"])
def test_another_threshold_cuts_the_same_answer_elsewhere(pipeline: str) -> None:
    """As if the model's own were that one; a higher cut leaves a part of what a lower one finds."""
    masks = {
        threshold: Session(
            segmenter_for(ColourNetwork(pipeline=pipeline), threshold=threshold), shapes_image()
        )
        .add(Click(56, 54))
        .mask
        for threshold in (0.02, 0.98)
    }
    assert 0 < np.count_nonzero(masks[0.98]) < np.count_nonzero(masks[0.02])
    assert not (masks[0.98] & ~masks[0.02]).any()
    own = segmenter_for(ColourNetwork(pipeline=pipeline, threshold=0.02))
    assert np.array_equal(Session(own, shapes_image()).add(Click(56, 54)).mask, masks[0.02])
    with pytest.raises(ConfigError, match=r"threshold is 1\.5"):
        segmenter_for(ColourNetwork(), threshold=1.5)


def test_a_late_click_paints_its_own_layer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, as long as the last mask lives; the pixels are those of all layers:
    tests/property/test_session.py."""
    network = ColourNetwork(input_size=32, freeze_from_click=2, zoom=ZoomSchedule(schedule="off"))
    session = Session(segmenter_for(network), shapes_image(60, 80))
    for click in (Click(28.5, 27.5), Click(20.5, 20.5), Click(34.5, 33.5)):
        session = session.add(click)
        assert session.mask.any()
    seen: list[LogitLayer] = []
    above = LogitLayer.above

    def watched(layer: LogitLayer, *rest: Any) -> Any:
        seen.append(layer)
        return above(layer, *rest)

    monkeypatch.setattr(LogitLayer, "above", watched)
    last, session = session, session.add(Click(24.5, 30.5))
    assert session.mask.any()
    assert isinstance(session.prediction, LayeredPrediction)
    assert seen == [session.prediction.layers[-1]]
    assert len(session.prediction.layers) > 1
    assert last.mask.any()
