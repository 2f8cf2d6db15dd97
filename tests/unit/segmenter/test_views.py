"""The view policy: masks that don't end at a crop's side. Expected masks are the drawn shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.geometry import Box
from vtmr.masks import Mask, iou
from vtmr.segmenter import LogitLayer, segmenter_for
from vtmr.segmenter.views import eased, reaches_out
from vtmr.session import Session
from vtmr.spec import NARROW, WIDE, ViewPolicy, ZoomSchedule
from vtmr.types import Click, FloatMap, Image, MaskEdit

GREEN, RED, BLUE = (60, 150, 60), (200, 40, 40), (40, 40, 200)
BAR = Box(60, 90, 760, 150)
WITHIN = Box(0, 0, 100, 80)


class CountingNetwork(ColourNetwork):
    """Counts its coarse passes, and remembers what they were told."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(**{"input_size": 64, **spec})
        self.told: list[FloatMap] = []
        self.clicks: list[list[Click]] = []

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        self.told.append(prev_mask)
        self.clicks.append(list(clicks))
        return super().coarse(image, prev_mask, clicks)


class ScriptedNetwork(CountingNetwork):
    """Answers its coarse passes with masks that are given, one after the other."""

    def __init__(self, *answers: Mask, **spec: Any) -> None:
        super().__init__(**spec)
        self.answers = [np.where(answer, 6, -6).astype(np.float32) for answer in answers]

    def coarse(
        self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        super().coarse(image, prev_mask, clicks)
        return self.answers[len(self.told) - 1], []

    def refine(
        self, patch: Image, clicks: Sequence[Click], coarse_logits: FloatMap, *rest: Any
    ) -> FloatMap:
        return coarse_logits


def bar_image() -> tuple[Image, Mask]:
    """A red bar on green, 700 x 60 px in 800 x 240, and where it is."""
    image = np.full((240, 800, 3), GREEN, np.uint8)
    image[BAR.slices] = RED
    return image, image[..., 0] > 100


def piece_of_bar(x0: int, x1: int) -> Mask:
    """An initial mask that has only these columns of the bar."""
    mask = np.zeros((240, 800), np.bool_)
    mask[BAR.y0 : BAR.y1, x0:x1] = True
    return mask


@pytest.mark.parametrize(
    ("side", "box"),
    [
        ("left", Box(10, 0, 100, 80)),
        ("top", Box(0, 10, 100, 80)),
        ("right", Box(0, 0, 90, 80)),
        ("bottom", Box(0, 0, 100, 70)),
    ],
)
def test_a_side_is_reached_where_the_image_goes_on(side: str, box: Box) -> None:
    """4 of 64 cells of one side are 6.25 % of it."""
    mask = np.zeros((64, 64), np.bool_)
    cells = {"left": np.s_[20:24, 0], "top": np.s_[0, 20:24]}
    cells |= {"right": np.s_[20:24, 63], "bottom": np.s_[63, 20:24]}
    mask[cells[side]] = True
    assert reaches_out(mask, box, WITHIN, 0.06)
    assert not reaches_out(mask, box, WITHIN, 0.07)
    assert not reaches_out(mask, WITHIN, WITHIN, 0.0)
    assert not reaches_out(np.zeros((64, 64), np.bool_), box, WITHIN, 0.0)


def test_an_answer_that_reaches_out_is_made_anew_in_a_wider_view() -> None:
    """The mask covers a tenth of the bar: its crop is 98 of 800 columns, 98 x 8 hold the bar."""
    image, truth = bar_image()
    masks, passes = {}, {}
    for name, views in (("narrow", NARROW), ("wide", WIDE)):
        network = CountingNetwork(views=views)
        segmenter = segmenter_for(network)
        given = piece_of_bar(360, 430)
        events = [MaskEdit.of(given), Click(380.5, 120.5)]
        answer = segmenter.predict(segmenter.prepare(image), events, None, given)
        masks[name], passes[name] = answer.render(), len(network.told)
        assert answer.passes == len(network.told)
    assert passes == {"narrow": 1, "wide": 4}
    assert iou(masks["wide"], truth) > 0.97
    assert not masks["narrow"][:, :340].any()
    assert not masks["narrow"][:, 450:].any()


@pytest.mark.parametrize("most_wider", [1, 2])
def test_no_click_is_answered_in_more_wider_views_than_the_policy_says(most_wider: int) -> None:
    image, _ = bar_image()
    network = CountingNetwork(views=ViewPolicy(touch_share=0.02, most_wider=most_wider))
    segmenter = segmenter_for(network)
    given = piece_of_bar(380, 400)
    events = [MaskEdit.of(given), Click(390.5, 120.5)]
    answer = segmenter.predict(segmenter.prepare(image), events, None, given)
    assert answer.passes == len(network.told) == 1 + most_wider


def test_a_wider_view_is_told_the_last_answer() -> None:
    """Not what the narrower pass found, which ends at the same side."""
    image, _ = bar_image()
    network = CountingNetwork(views=WIDE)
    segmenter = segmenter_for(network)
    given = piece_of_bar(360, 430)
    events = [MaskEdit.of(given), Click(380.5, 120.5)]
    segmenter.predict(segmenter.prepare(image), events, None, given)
    covered = [float(prev_mask.sum()) for prev_mask in network.told]
    sides = [min(2.0**n * 98, 800) * min(2.0**n * 84, 240) for n in range(4)]
    for cells, area in zip(covered, sides, strict=True):
        assert cells == pytest.approx(70 * 60 * 64 * 64 / area, rel=0.05)


def test_a_region_that_the_answer_reaches_out_of_is_widened() -> None:
    image, truth = bar_image()
    segmenter = segmenter_for(CountingNetwork(views=WIDE))
    scene = segmenter.prepare(image)
    answer = segmenter.predict(scene, [Click(380.5, 120.5)], region=Box(350, 60, 450, 180))
    assert iou(answer.render(), truth) > 0.97


def test_a_recrop_pass_is_kept_only_where_its_answer_stays_inside() -> None:
    blob, nothing_cut, all_over = (np.zeros((64, 64), np.bool_) for _ in range(3))
    blob[20:30, 20:30] = True
    nothing_cut[15:50, 15:50] = True
    all_over[10:50] = True
    image = shapes_image(640, 640)
    for second, views, kept in (
        (nothing_cut, WIDE, True),
        (all_over, WIDE, False),
        (all_over, NARROW, True),
    ):
        network = ScriptedNetwork(blob, second, recrop_share=0.5, views=views)
        segmenter = segmenter_for(network)
        answer = segmenter.predict(segmenter.prepare(image), [Click(250.5, 250.5)])
        assert answer.passes == 2
        assert (answer.layers[0].box == Box(0, 0, 640, 640)) is not kept


def test_the_refined_answer_goes_over_into_what_lies_around_it() -> None:
    """Easing over an eighth of 64 cells: 8 cells, their shares 1/16, 3/16 … 15/16, then all."""
    refined = LogitLayer.of(Box(0, 20, 64, 84), np.full((64, 64), 6, np.float32))
    base = (LogitLayer.of(Box(0, 0, 100, 100), np.full((64, 64), -2, np.float32)),)
    layer = eased(refined, base, Box(0, 0, 100, 100), 1 / 8)
    shares = np.minimum((np.arange(32) + 0.5) / 8, 1)
    np.testing.assert_allclose(layer.logits[:32, 10], -2 + 8 * shares, atol=1e-5)  # from above
    np.testing.assert_allclose(layer.logits[:31:-1, 10], -2 + 8 * shares, atol=1e-5)
    np.testing.assert_allclose(layer.logits[32, 32:][::-1], -2 + 8 * shares, atol=1e-5)
    np.testing.assert_allclose(layer.logits[32, :32], 6, atol=1e-5)  # the image's own side
    assert layer.box == refined.box


def test_where_nothing_lies_around_it_it_goes_over_into_a_firm_no() -> None:
    refined = LogitLayer.of(Box(20, 20, 84, 84), np.full((64, 64), 6, np.float32))
    layer = eased(refined, (), Box(0, 0, 100, 100), 1 / 8)
    assert np.isfinite(layer.logits).all()
    assert layer.logits[0].max() < -15
    assert layer.logits[32, 32] == 6


def test_a_negative_click_far_outside_the_answer_changes_nothing() -> None:
    network = CountingNetwork(views=WIDE)
    session = Session(segmenter_for(network), shapes_image(600, 800)).add(Click(280.5, 270.5))
    passes = len(network.told)
    after = session.add(Click(780.5, 590.5, positive=False))
    assert np.array_equal(after.mask, session.mask)
    assert len(network.told) == passes
    later = after.add(Click(620.5, 330.5))  # the blue rectangle, in a crop that holds both
    assert later.mask[330, 620]
    assert len(network.clicks[-1]) == 3  # it is shown from then on


def test_a_negative_click_beside_the_answer_changes_its_surroundings_alone() -> None:
    """At the ellipse's rim: the square around it is 1.4 times .2 of the object's height to each
    side."""
    session = Session(
        segmenter_for(CountingNetwork(views=WIDE, input_size=256)), shapes_image(600, 800)
    ).add(Click(280.5, 270.5))
    rows = np.flatnonzero(session.mask[:, 280])
    height = int(np.ptp(np.flatnonzero(session.mask.any(axis=1)))) + 1
    click = Click(280.5, float(rows[-1]) + 4.5, positive=False)
    after = session.add(click)
    changed = np.argwhere(after.mask != session.mask)
    reach = 1.4 * 0.2 * height + 2
    assert np.abs(changed + 0.5 - (click.y, click.x)).max(initial=0) <= reach
    assert after.mask.any()


def test_the_zoomed_pass_is_made_where_the_crop_is_shrunk() -> None:
    """The ellipse is 320 x 360 px, its crop 448 x 504: 1.97 times the grid of 256."""
    for least, zoomed in ((0.0, True), (1.9, True), (2.0, False)):
        zoom = ZoomSchedule(schedule="eager", eager_weight=0.3, min_shrink=least)
        segmenter = segmenter_for(CountingNetwork(input_size=256), zoom=zoom)
        scene = segmenter.prepare(shapes_image(600, 800))
        first = segmenter.predict(scene, [Click(280.5, 270.5)])
        clicks = [Click(280.5, 270.5), Click(300.5, 300.5)]
        answer = segmenter.predict(scene, clicks, first, first.render())
        assert answer.zoomed is zoomed
        assert answer.passes == 1 + zoomed
