"""The zoomed pass. Expected weights: docs/method.md §K.9; expected logits and grids: blend and maps
written out here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.geometry import Box, Frame
from vtmr.masks import disc_maps, iou
from vtmr.segmenter import LayeredPrediction, LogitLayer, Segmenter, segmenter_for
from vtmr.segmenter.layers import logits_on
from vtmr.segmenter.zoomed import blended
from vtmr.session import Session
from vtmr.spec import ZoomSchedule
from vtmr.types import Click, FloatMap, Image
from vtmr.zoom import Warp, warp_towards

EAGER = ZoomSchedule(schedule="eager", eager_weight=0.5)
OFF = ZoomSchedule(schedule="off")


class ConstantNetwork(ColourNetwork):
    """Logits 3 everywhere from the coarse pass, 6 from the refining one and -5 from the zoomed one,
    told apart by their order: every click's coarse pass is followed by a refining one."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.passes: list[str] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        zoomed = bool(self.passes) and self.passes[-1] == "refine"
        self.passes.append("zoomed" if zoomed and prev_mask.max() > 0.999 else "coarse")
        return np.full(prev_mask.shape, -5 if self.passes[-1] == "zoomed" else 3, np.float32), None

    def refine(
        self, patch: Image, clicks: Sequence[Click], coarse_logits: FloatMap, *rest: Any
    ) -> FloatMap:
        self.passes.append("refine")
        return np.full(coarse_logits.shape, 6, np.float32)


class WatchedNetwork(ColourNetwork):
    """Remembers what the coarse passes were given."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.seen: list[tuple[Image, FloatMap, list[Click]]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        self.seen.append((image, prev_mask, list(clicks)))
        return super().coarse(image, prev_mask, clicks)


def spread_clicks(count: int, height: int = 120, width: int = 160) -> list[Click]:
    """Distinct, on a diagonal."""
    return [
        Click((i + 0.5) * width / count, (i + 0.5) * height / count, i % 3 < 2)
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "weight"),
    [(1, 0.0), (9, 0.0), (10, 0.5), (11, 0.55), (19, 0.95), (20, 1.0), (21, 1.0), (40, 1.0)],
)
def test_the_answer_to_the_nth_click_is_the_papers_blend(count: int, weight: float) -> None:
    """All clicks at once, each of which counts: outside the focus crop (1 - w) 3 - 5 w, inside (1 -
    w) 6 - 5 w."""
    network = ConstantNetwork()
    segmenter = segmenter_for(network)
    prediction = segmenter.predict(segmenter.prepare(shapes_image()), spread_clicks(count))
    assert isinstance(prediction, LayeredPrediction)
    assert network.passes == ["coarse", "refine", *(["zoomed"] if weight else [])]
    target, focus = Box(0, 0, 160, 120), prediction.layers[-1].box
    below = 3 * (1 - weight) - 5 * weight
    inside = 6 * (1 - weight) - 5 * weight
    np.testing.assert_allclose(prediction.layers[-1].logits, inside, atol=1e-5)
    assert (prediction.passes, prediction.zoomed) == ((2, True) if weight else (1, False))
    logits = prediction.logits_on(Frame(target, 160, 120))
    np.testing.assert_allclose(logits[focus.slices], inside, atol=1e-5)
    logits[focus.slices] = below
    np.testing.assert_allclose(logits, below, atol=1e-5)


def test_undo_lowers_the_round() -> None:
    network = WatchedNetwork(input_size=64)
    session = Session(segmenter_for(network), shapes_image())
    passes = []
    clicks = spread_clicks(12)
    for click in clicks[:9]:
        session = session.add(click)
    for action in ("add", "undo", "add", "add", "undo", "undo", "add"):
        before = len(network.seen)
        session = session.undo() if action == "undo" else session.add(clicks[len(session.clicks)])
        if action == "add":
            passes.append((len(session.clicks), len(network.seen) - before))
    assert passes == [(10, 2), (10, 2), (11, 2), (10, 2)]
    before = len(network.seen)
    session.undo().undo().add(clicks[8])
    assert len(network.seen) - before == 1  # click 9 again


def first_click(
    network: ColourNetwork, zoom: ZoomSchedule
) -> tuple[Segmenter, Any, list[Click], Any]:
    """A segmenter, its scene, two clicks on the ellipse and the answer to the first."""
    segmenter = segmenter_for(network, zoom=zoom)
    scene = segmenter.prepare(shapes_image(600, 800))
    clicks = [Click(280, 270), Click(300, 400, positive=False)]
    return segmenter, scene, clicks, segmenter.predict(scene, clicks[:1])


@pytest.mark.parametrize(
    ("guidance", "side"), [("both", None), ("mask", None), ("clicks", None), ("both", 160)]
)
def test_the_zoomed_pass_sees_everything_through_one_map(guidance: Any, side: int | None) -> None:
    zoom = ZoomSchedule(schedule="eager", eager_weight=0.5, guidance=guidance, side=side)
    network = WatchedNetwork(zoom=zoom)
    segmenter, scene, clicks, first = first_click(network, zoom)
    plain = segmenter_for(network, zoom=OFF).predict(scene, clicks, first, first.render())
    network.seen.clear()
    segmenter.predict(scene, clicks, first, first.render())
    (image, _, grid_clicks), (zoomed_image, seen, zoomed_clicks) = network.seen

    target = first_target(first, clicks)
    frame = Frame(target, 256, 256)
    fresh_mask = plain.logits_on(frame) > 0
    discs = disc_maps(
        np.array([(c.x, c.y) for c in grid_clicks]), np.array([True, False]), 5, 256, 256
    ).any(0)
    wanted = {"both": fresh_mask | discs, "mask": fresh_mask, "clicks": discs}[guidance]
    warp = warp_towards(wanted, target, side or 256, zoom.kernel)
    assert np.array_equal(zoomed_image, warp.sample(scene))
    assert not np.array_equal(zoomed_image, image)
    np.testing.assert_allclose(
        warp.to_image(np.array([(c.x, c.y) for c in zoomed_clicks])),
        [(c.x, c.y) for c in clicks],
        atol=1e-9,
    )
    assert [c.positive for c in zoomed_clicks] == [True, False]
    red = zoomed_image[..., 0].astype(int) - zoomed_image[..., 1] > 60
    assert seen.dtype == np.float32 and set(np.unique(seen)) == {0, 1}
    assert iou(seen > 0.5, red) > 0.9  # M2 lies on the object in the zoomed image too
    if guidance != "clicks":  # which leave the mask where it is, more or less
        plain_red = image[..., 0].astype(int) - image[..., 1] > 60
        assert red.mean() > 1.1 * plain_red.mean()


def first_target(first: LayeredPrediction, clicks: Sequence[Click]) -> Box:
    """The target crop of the second click: 1.4 times the box around the first answer and the
    positive clicks."""
    rows, cols = np.nonzero(first.render())
    box = Box(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    assert box.contains(clicks[0].x, clicks[0].y)
    return box.expanded(1.4, Box(0, 0, 800, 600))


@pytest.mark.parametrize(("freeze_from_click", "side"), [(2, None), (11, None), (11, 160)])
def test_layers_hold_the_blend_of_every_pixel(freeze_from_click: int, side: int | None) -> None:
    """Against (1 - w) O2 + w times the unwarped logits, both bilinear at every pixel of the target
    crop."""
    zoom = replace(EAGER, side=side)
    network = WatchedNetwork(freeze_from_click=freeze_from_click, zoom=zoom)
    segmenter, scene, clicks, first = first_click(network, zoom)
    plain = segmenter_for(network, zoom=OFF).predict(scene, clicks, first, first.render())
    blend = segmenter.predict(scene, clicks, first, first.render())
    image, seen, zoomed_clicks = network.seen[-1]
    zoomed, _ = ColourNetwork(zoom=zoom).coarse(image, seen, zoomed_clicks)
    target = first_target(first, clicks)
    frame = Frame(target, 256, 256)
    points = np.array([(c.x, c.y) for c in clicks])
    discs = disc_maps(frame.to_grid(points), np.array([True, False]), 5, 256, 256).any(0)
    warp = warp_towards((plain.logits_on(frame) > 0) | discs, target, side or 256, EAGER.kernel)
    pixels = Frame(target, target.width, target.height)
    fresh = np.clip(plain.logits_on(pixels), -20, 20)
    expected = 0.5 * fresh + 0.5 * np.clip(warp.unwarp(zoomed, pixels), -20, 20)
    assert iou(blend.render()[target.slices], expected > 0) > 0.99
    assert np.isfinite(blend.logits_on(pixels)).all()
    assert blend.nbytes == 2 * 256 * 256 * 4


def test_outside_the_target_crop_a_frozen_answer_stays() -> None:
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.normal(size=(256, 256)).astype(np.float32), (0, 0), 8) * 20
    whole = LogitLayer.of(Box(0, 0, 800, 600), np.asarray(smooth, np.float32))
    previous = LayeredPrediction(600, 800, (whole,), 0.0, 2, 0)
    before = previous.render()
    shown = before.copy()
    shown[:, 450:] = False  # as if that part had been corrected: the target crop ends before it
    segmenter = segmenter_for(ColourNetwork(freeze_from_click=3), zoom=EAGER)
    events = [Click(280, 270), Click(300, 300, positive=False), Click(285, 275)]
    prediction = segmenter.predict(
        segmenter.prepare(shapes_image(600, 800)), events, previous, shown
    )
    target = prediction.layers[-2].box
    assert target.x1 < 700
    outside = np.ones((600, 800), np.bool_)
    outside[target.slices] = False
    after = prediction.render()
    assert np.array_equal(after[outside], before[outside])
    assert before[outside].any() and not np.array_equal(after, before)


def test_where_no_layer_was_the_answer_counts_as_surely_background() -> None:
    """Frozen layers on the left half, a target crop on all of it: right, -20 w' + w 20 at most, so
    never the object."""
    left = LogitLayer.of(Box(0, 0, 80, 120), np.full((256, 256), 5, np.float32))
    frame = Frame(Box(0, 0, 160, 120), 256, 256)
    layer = blended(
        logits_on((left,), frame), np.full((256, 256), 90, np.float32), plain_warp(), frame, 0.5
    )
    np.testing.assert_allclose(layer.logits[:, :128], (5 + 20) / 2)
    np.testing.assert_allclose(layer.logits[:, 128:], 0)


def plain_warp() -> Warp:
    return warp_towards(np.zeros((256, 256), np.bool_), Box(0, 0, 160, 120), 256, EAGER.kernel)


def test_the_next_click_is_fed_the_blend() -> None:
    network = WatchedNetwork()
    segmenter, scene, clicks, first = first_click(network, EAGER)
    second = segmenter.predict(scene, clicks, first, first.render())
    segmenter.predict(scene, [*clicks, Click(290, 280)], second, second.render())
    mask = second.render()
    rows, cols = np.nonzero(mask)
    box = Box(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    frame = Frame(box.expanded(1.4, Box(0, 0, 800, 600)), 256, 256)
    np.testing.assert_allclose(
        network.seen[-2][1], 1 / (1 + np.exp(-second.logits_on(frame))), atol=1e-5
    )


def test_pipelines_and_schedules_without_zoom_pass_once() -> None:
    for spec, zoom in (({"pipeline": "focalclick"}, None), ({}, OFF), ({"zoom": OFF}, None)):
        network = WatchedNetwork(input_size=64, **spec)
        segmenter = segmenter_for(network, zoom=zoom)
        segmenter.predict(segmenter.prepare(shapes_image()), spread_clicks(15))
        assert len(network.seen) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5), (513, 1025)])
def test_any_size_of_image(size: tuple[int, int]) -> None:
    session = Session(
        segmenter_for(ColourNetwork(input_size=64), zoom=EAGER), np.full((*size, 3), 90, np.uint8)
    )
    for positive in (True, False, True):
        session = session.add(Click(size[1] - 0.25, size[0] - 0.25, positive))
        assert session.mask.shape == size


def test_a_zoomed_click_stays_small_on_a_large_photo() -> None:
    image = np.full((1500, 2400, 3), 60, np.uint8)
    image[300:900, 500:1700] = 200
    session = Session(segmenter_for(ColourNetwork(), zoom=EAGER), image)
    for n, (x, y) in enumerate([(900, 600), (1400, 800), (600, 400)], start=1):
        session = session.add(Click(x, y))
        assert session.history_nbytes < n * 1e6
    assert iou(session.mask, image[..., 0] > 100) > 0.95
