"""What a network is shown for a box; crops and places by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.prompts import Prompts, prompts_of
from vtmr.session import Session
from vtmr.spec import ModelSpec
from vtmr.types import BoxPrompt, Click, Event, FloatMap, Image, MaskEdit

WHOLE = Box(0, 0, 160, 120)
PROMPT = BoxPrompt(40.2, 30, 79.9, 60)  # touches the pixels 40 .. 79 and 30 .. 59
MIDDLE = Click(60, 45)
CROP = Box(32, 24, 88, 66)  # 40 x 30 pixels, 1.4 times as large, about (60, 45)


def prompts(*events: Event, trained: bool = False) -> Prompts:
    return prompts_of(events, None, WHOLE, 1.4, trained)


class Watched(ColourNetwork):
    """Remembers the clicks and the previous mask of every coarse pass."""

    def __init__(self, *, box_prompt: bool = False) -> None:
        super().__init__()
        self._spec = replace(super().spec, box_prompt=box_prompt)
        self.seen: list[tuple[FloatMap, list[Click]]] = []

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @spec.setter
    def spec(self, spec: ModelSpec) -> None:
        self._spec = spec

    def coarse(self, image: Image, prev_mask: FloatMap, clicks: Sequence[Click]):  # type: ignore[no-untyped-def]
        self.seen.append((prev_mask.copy(), list(clicks)))
        return super().coarse(image, prev_mask, clicks)


class TestWhatIsShown:
    def test_a_click_in_the_middle_and_a_crop_around_the_box(self) -> None:
        shown = prompts(PROMPT)
        assert shown.clicks == (MIDDLE,)
        assert (shown.made, shown.region, shown.limits) == (0, CROP, CROP)
        assert shown.fresh(0) == (MIDDLE,)

    def test_further_clicks_are_the_users(self) -> None:
        own = Click(50, 40), Click(70, 50, positive=False)
        shown = prompts(PROMPT, *own)
        assert shown.clicks == (MIDDLE, *own)
        assert shown.made == 2
        assert shown.fresh(1) == own[1:]

    def test_a_negative_click_in_the_middle_takes_it_back(self) -> None:
        """A tenth of the shorter side of 30 is 3 pixels."""
        near, far = Click(62, 46, positive=False), Click(64, 45, positive=False)
        assert prompts(PROMPT, near).clicks == (near,)
        assert prompts(PROMPT, far).clicks == (MIDDLE, far)
        assert prompts(PROMPT, Click(60, 45)).clicks == (MIDDLE, Click(60, 45))

    def test_a_positive_click_outside_opens_the_view(self) -> None:
        assert prompts(PROMPT, Click(100, 45)).limits == WHOLE
        assert prompts(PROMPT, Click(100, 45, positive=False)).limits == CROP

    def test_trained_on_boxes(self) -> None:
        shown = prompts(PROMPT, trained=True)
        assert shown.clicks == ()
        assert (shown.box, shown.filled) == (Box(40, 30, 80, 60), True)

    def test_events_before_the_box_do_not_count(self) -> None:
        edit = MaskEdit.of(np.ones((120, 160), np.bool_))
        assert prompts(Click(5, 5), edit, PROMPT).clicks == (MIDDLE,)

    def test_an_edit_after_the_box_ends_it(self) -> None:
        edit = MaskEdit.of(np.ones((120, 160), np.bool_))
        assert prompts(PROMPT, edit, Click(5, 5)) == Prompts.of_clicks((Click(5, 5),), None, WHOLE)


class TestAnswers:
    def test_nothing_outside_the_crop(self) -> None:
        """The red ellipse of 64 x 72 pixels around (56, 54), boxed too tightly, is cut there."""
        session = Session(segmenter_for(ColourNetwork()), shapes_image())
        mask = session.add(BoxPrompt(46, 44, 66, 64)).mask
        ys, xs = np.nonzero(mask)
        assert mask[54, 56]
        assert xs.min() >= 42 and xs.max() < 70 and ys.min() >= 40 and ys.max() < 68

    def test_a_click_outside_brings_the_rest(self) -> None:
        session = Session(segmenter_for(ColourNetwork()), shapes_image())
        session = session.add(BoxPrompt(46, 44, 66, 64)).add(Click(80.5, 54.5))
        assert session.mask[54, 80]

    def test_what_the_networks_are_told(self) -> None:
        image = shapes_image()
        plain = Watched()
        Session(segmenter_for(plain), image).add(PROMPT)
        ((told, clicks),) = plain.seen
        assert not told.any()
        assert [(click.x, click.y) for click in clicks] == [(128, 128)]  # the crop's middle
        trained = Watched(box_prompt=True)
        Session(segmenter_for(trained), image).add(PROMPT)
        ((told, clicks),) = trained.seen
        assert clicks == []
        assert told.mean() == pytest.approx(40 * 30 / (56 * 42), rel=0.02)

    @pytest.mark.parametrize("pipeline", ["focalclick", "ritm"])
    def test_networks_that_take_none_say_so(self, pipeline: str) -> None:
        session = Session(segmenter_for(ColourNetwork(pipeline=pipeline)), shapes_image())
        with pytest.raises(InputError, match="takes no boxes: expected clicks"):
            session.add(PROMPT)


class TestBoxesThatAreNone:
    @pytest.mark.parametrize(
        ("corners", "says"),
        [
            ((1, 1, 1, 5), "is empty: expected x0 < x1"),
            ((5, 1, 1, 5), "is empty"),
            ((0, 0, float("nan"), 5), "expected four finite numbers"),
            ((0, 0, "5", 5), "expected four numbers"),
        ],
    )
    def test_are_refused(self, corners: tuple, says: str) -> None:
        with pytest.raises(InputError, match=says):
            BoxPrompt(*corners)

    def test_outside_the_image(self) -> None:
        session = Session(segmenter_for(ColourNetwork()), shapes_image())
        with pytest.raises(InputError, match="lies outside the image of 160x120 pixels"):
            session.add(BoxPrompt(160, 0, 170, 10))

    def test_partly_outside_is_cut(self) -> None:
        assert prompts(BoxPrompt(-10, -10, 20, 20)).box == Box(0, 0, 20, 20)


def mask_after(session: Session, *events: Event) -> Mask:
    return session.add(*events).mask


class TestHistory:
    def test_undo_brings_back_what_was_before(self) -> None:
        session = Session(segmenter_for(ColourNetwork()), shapes_image()).add(Click(120.5, 60.5))
        before = session.mask.copy()
        boxed = session.add(PROMPT)
        assert not np.array_equal(boxed.mask, before)
        assert np.array_equal(boxed.undo().mask, before)
        assert np.array_equal(boxed.undo().redo().mask, boxed.mask)

    def test_a_box_on_a_mask_that_was_brought_starts_anew(self) -> None:
        image = shapes_image()
        brought = np.zeros((120, 160), np.bool_)
        brought[100:110, 5:15] = True
        session = Session(segmenter_for(ColourNetwork()), image, initial_mask=brought)
        plain = Session(segmenter_for(ColourNetwork()), image)
        events = (PROMPT, Click(50.5, 40.5))
        for event in events:
            session, plain = session.add(event), plain.add(event)
            assert np.array_equal(session.mask, plain.mask)

    def test_a_saved_session_has_it(self) -> None:
        from vtmr.session import replay

        predictor, image = segmenter_for(ColourNetwork()), shapes_image()
        session = Session(predictor, image).add(PROMPT).add(Click(50.5, 40.5))
        again = replay(predictor, image, session.to_json())
        assert again.events == session.events
        assert np.array_equal(again.mask, session.mask)
