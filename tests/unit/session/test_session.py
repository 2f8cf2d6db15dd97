"""Expected masks of the progressive merge are worked out by hand from docs/method.md §B.8; the rest
are identities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

import vtmr
from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, iou
from vtmr.runtime import OnnxNetwork
from vtmr.segmenter import segmenter_for
from vtmr.session import EventLog, Session, replay
from vtmr.spec import WIDE
from vtmr.types import Click, Correction, Event, FloatMap, MaskEdit

IMAGE = shapes_image()
RED, BLUE, GREEN = Click(56, 54), Click(120, 60), Click(10, 10, positive=False)


class Painter:
    """A Predictor whose n-th answer is the n-th mask; it remembers what it was asked."""

    name = "painter"

    def __init__(self, *masks: Mask) -> None:
        self.masks = masks
        self.asked: list[tuple[tuple[Event, ...], Any, Mask | None, Box | None]] = []

    def prepare(self, image: Any) -> Any:
        return self

    def predict(
        self,
        scene: Any,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Painted:
        self.asked.append((tuple(events), previous, None if mask is None else mask.copy(), region))
        return Painted(self.masks[len(self.asked) - 1])


class Painted:
    nbytes = 0

    def __init__(self, mask: Mask) -> None:
        self.mask = mask

    def render(self) -> Mask:
        return self.mask.copy()


def session(**options: Any) -> Session:
    return Session(segmenter_for(ColourNetwork()), IMAGE, **options)


def grid(*rows: str) -> Mask:
    return np.array([[cell == "#" for cell in row] for row in rows])


def painted(initial: Mask, *masks: Mask) -> Session:
    return Session(Painter(*masks), np.zeros((*initial.shape, 3), np.uint8), initial_mask=initial)


def test_it_starts_empty_and_read_only() -> None:
    start = session()
    assert start.mask.shape == (120, 160)
    assert not start.mask.any()
    assert (start.events, start.can_undo, start.can_redo, start.history_nbytes) == (
        (),
        False,
        False,
        0,
    )
    with pytest.raises(ValueError, match="read-only"):
        session().add(RED).mask[0, 0] = True


def test_sessions_are_immutable_and_undo_restores_the_bits() -> None:
    one = session().add(RED)
    before = one.mask.copy()
    two = one.add(BLUE)
    assert np.array_equal(one.mask, before)
    assert not np.array_equal(two.mask, before)
    assert np.array_equal(two.undo().mask, before)
    assert np.array_equal(two.undo().redo().mask, two.mask)
    assert two.undo().can_redo
    assert not two.undo().add(GREEN).can_redo
    assert two.undo().undo().undo().events == ()
    assert two.redo() is two
    assert not two.reset().can_undo
    assert two.reset().add(RED).mask.sum() == before.sum()


def test_clicks_added_together_are_answered_once() -> None:
    painter = Painter(np.ones((2, 2), np.bool_))
    together = Session(painter, np.zeros((2, 2, 3), np.uint8)).add(Click(0, 0), Click(1, 1))
    assert len(painter.asked) == 1
    assert together.clicks == (Click(0, 0), Click(1, 1))
    assert together.undo().clicks == ()


def test_what_the_predictor_is_told() -> None:
    first, second = grid("#.", ".."), grid("##", "..")
    painter, region = Painter(first, second, second, second), Box(0, 0, 1, 2)
    start = Session(painter, np.zeros((2, 2, 3), np.uint8), region=region)
    two = start.add(Click(0, 0)).add(Click(1, 0))
    edited = two.add(MaskEdit.of(grid("..", "##")))
    edited.add(Click(1, 0))
    events, previous, mask, told_region = painter.asked[0]
    assert (events, previous, mask, told_region) == ((Click(0, 0),), None, None, region)
    _, previous, mask, _ = painter.asked[1]
    assert isinstance(previous, Painted)
    assert previous.mask is first
    assert np.array_equal(mask, first)  # type: ignore[arg-type]
    events, previous, mask, _ = painter.asked[2]
    assert previous is None  # an edit is a new beginning
    assert np.array_equal(mask, grid("..", "##"))  # type: ignore[arg-type]
    assert len(events) == 4
    assert edited.clicks == ()
    assert np.array_equal(edited.undo().mask, second)
    # Both at once: the answer before the edit doesn't count either.
    two.add(MaskEdit.of(grid("#.", "##")), Click(1, 0))
    _, previous, mask, _ = painter.asked[3]
    assert previous is None
    assert np.array_equal(mask, grid("#.", "##"))  # type: ignore[arg-type]


INITIAL = grid(
    "##....",
    "##....",
    "....##",
    "......",
)


def test_merging_adds_only_the_clicked_component() -> None:
    predicted = grid(
        ".#..##",
        "###...",
        "...#..",
        "#.....",
    )
    # The component of (1, 2), which comes: (2, 3) diagonally, which comes, then (2, 4) and (2, 5),
    # which would go. Apart from it: (0, 0) goes, (3, 0), (0, 4) and (0, 5) come.
    merged = painted(INITIAL, predicted).add(Click(2.5, 1.5)).mask
    expected = INITIAL.copy()
    expected[1, 2] = expected[2, 3] = True
    assert np.array_equal(merged, expected)


def test_merging_removes_only_the_clicked_component() -> None:
    nothing = np.zeros_like(INITIAL)
    merged = painted(INITIAL, nothing).add(Click(0.5, 0.5, positive=False)).mask
    expected = INITIAL.copy()
    expected[:2, :2] = False
    assert np.array_equal(merged, expected)


def test_a_click_that_changes_nothing_leaves_every_pixel() -> None:
    assert np.array_equal(painted(INITIAL, INITIAL).add(Click(3.5, 3.5)).mask, INITIAL)
    # Everything changes but the clicked pixel: the official code would take what didn't change.
    predicted = ~INITIAL
    predicted[0, 0] = True
    assert np.array_equal(painted(INITIAL, predicted).add(Click(0.5, 0.5)).mask, INITIAL)


def test_several_clicks_merge_the_component_of_each() -> None:
    predicted = INITIAL.copy()
    predicted[3, 0] = predicted[0, 4] = predicted[0, 5] = True
    predicted[2, 5] = False
    merged = painted(INITIAL, predicted).add(Click(0.5, 3.5), Click(4.5, 0.5)).mask
    expected = predicted.copy()
    expected[2, 5] = True
    assert np.array_equal(merged, expected)


def test_noise_too_large_to_keep_is_merged_again() -> None:
    rng = np.random.default_rng(0)
    initial, predicted = rng.random((2000, 2000)) < 0.5, rng.random((2000, 2000)) < 0.5
    initial[:2], predicted[:2] = False, True  # a bridge to which most of the noise hangs
    later = predicted.copy()
    later[1000:, 1000:] = False
    two = (
        painted(initial, predicted, later)
        .add(Click(5, 0.5))
        .add(Click(1500.5, 1500.5, positive=False))
    )
    assert (
        two.history_nbytes
        - Session(
            Painter(), np.zeros((2000, 2000, 3), np.uint8), initial_mask=initial
        ).history_nbytes
        < 2e6
    )
    first = two.undo().mask.copy()
    assert np.count_nonzero(first ^ initial) > 800_000
    assert np.array_equal(two.undo().undo().redo().mask, first)
    assert np.array_equal(two.undo().redo().mask, two.mask)


def test_without_merging_the_predictors_mask_stands() -> None:
    """Also after undo, redo and a further edit, and when the session is replayed."""
    first, second = grid("#.", ".."), grid(".#", "##")
    masks = Painter(first, second, first)
    bare = Session(
        masks, np.zeros((2, 2, 3), np.uint8), initial_mask=grid("..", "##"), correction="refit"
    )
    two = bare.add(Click(0.5, 0.5)).add(Click(1.5, 0.5))
    assert np.array_equal(masks.asked[0][2], bare.mask)  # type: ignore[arg-type]
    assert np.array_equal(two.undo().mask, first)
    assert np.array_equal(two.undo().redo().mask, second)
    assert np.array_equal(two.undo().undo().mask, grid("..", "##"))
    edited = two.add(MaskEdit.of(grid("##", "##")))
    assert np.array_equal(edited.mask, grid("##", "##"))
    assert np.array_equal(edited.add(Click(0.5, 0.5)).mask, first)
    again = replay(Painter(first, second), np.zeros((2, 2, 3), np.uint8), two.to_json())
    assert np.array_equal(again.mask, second)


class TestACorrectionOfItsOwn:
    """A click's own way of correcting goes before the session's; masks by hand.

    The mask brought is the lower row of three pixels; every answer is the upper row. The only
    difference is one component of all six pixels: on a click in the upper row it comes, in the
    lower row it goes.
    """

    initial = grid("...", "###")
    upper = grid("###", "...")

    def session(self, *answers: Mask, correction: Correction = "here") -> Session:
        image = np.zeros((2, 3, 3), np.uint8)
        return Session(Painter(*answers), image, initial_mask=self.initial, correction=correction)

    def test_here_keeps_what_the_click_does_not_touch(self) -> None:
        session = self.session(self.upper, correction="refit")
        after = session.add(Click(0.5, 0.5, correction="here"))
        assert np.array_equal(after.mask, grid("###", "###"))

    def test_refit_takes_the_answer(self) -> None:
        after = self.session(self.upper).add(Click(0.5, 0.5, correction="refit"))
        assert np.array_equal(after.mask, self.upper)
        assert np.array_equal(after.undo().mask, self.initial)
        assert np.array_equal(after.undo().redo().mask, self.upper)

    def test_both_after_each_other(self) -> None:
        second, third = grid("###", "..#"), grid("#..", "#..")
        session = self.session(self.upper, second, third)
        session = session.add(Click(0.5, 0.5, correction="refit"))
        session = session.add(Click(2.5, 1.5))
        assert np.array_equal(session.mask, grid("###", "..#"))
        session = session.add(Click(0.5, 1.5, correction="refit"))
        assert np.array_equal(session.mask, third)
        assert np.array_equal(session.undo().mask, grid("###", "..#"))

    def test_a_merged_answer_is_not_what_a_refit_goes_on_from(self) -> None:
        """The user sees the merge's mask: this and no logits is what the network is told."""
        painter = Painter(self.upper, self.upper, self.upper)
        session = Session(painter, np.zeros((2, 3, 3), np.uint8), initial_mask=self.initial)
        session = session.add(Click(0.5, 0.5))
        merged = session.mask
        session = session.add(Click(1.5, 0.5, correction="refit"))
        session.add(Click(2.5, 0.5, correction="refit"))
        previous = [answer for _, answer, _, _ in painter.asked]
        assert previous[:2] == [None, None]
        assert previous[2] is not None
        told = painter.asked[1][2]
        assert told is not None and np.array_equal(told, merged)

    def test_a_preview_is_what_would_change(self) -> None:
        session = self.session(self.upper, self.upper)
        assert session.preview(Click(0.5, 0.5)).tolist() == [[True] * 3, [False] * 3]
        assert session.preview(Click(0.5, 0.5, correction="refit")).all()
        assert np.array_equal(session.mask, self.initial)

    def test_a_saved_session_knows_them(self) -> None:
        answers = (self.upper, grid("##.", "#.."))
        session = self.session(*answers).add(Click(0.5, 0.5, correction="refit"))
        session = session.add(Click(0.5, 1.5))
        again = replay(Painter(*answers), np.zeros((2, 3, 3), np.uint8), session.to_json())
        assert again.events == session.events
        assert np.array_equal(again.mask, session.mask)

    def test_sessions_from_before_there_was_a_choice(self) -> None:
        saved = json.loads(self.session(self.upper).add(Click(0.5, 0.5)).to_json())
        del saved["correction"]
        image = np.zeros((2, 3, 3), np.uint8)
        merged = replay(Painter(self.upper), image, json.dumps(saved))
        assert np.array_equal(merged.mask, grid("###", "###"))
        bare = replay(Painter(self.upper), image, json.dumps(saved | {"merge": False}))
        assert np.array_equal(bare.mask, self.upper)

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(InputError, match="'all' is unknown: expected 'here'"):
            Click(0.5, 0.5, correction="all")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="'all' is unknown"):
            self.session(self.upper, correction="all")  # type: ignore[arg-type]
        saved = json.loads(self.session(self.upper).to_json()) | {"correction": ["here"]}
        with pytest.raises(InputError, match="is unknown"):
            replay(Painter(self.upper), np.zeros((2, 3, 3), np.uint8), json.dumps(saved))


def test_an_initial_mask_is_the_first_event_and_stays() -> None:
    initial = session().add(RED).mask
    start = session(initial_mask=initial)
    assert start.events == (MaskEdit.of(initial),)
    assert not start.can_undo
    assert np.array_equal(start.mask, initial)
    more = start.add(BLUE)
    assert np.count_nonzero(more.mask) > np.count_nonzero(initial)
    assert np.array_equal(more.reset().mask, initial)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Session(Painter(), np.zeros((4, 5), np.uint8)), r"shape \(4, 5\)"),
        (lambda: Session(Painter(), np.zeros((4, 5, 3), np.float32)), "float32"),
        (lambda: Session(Painter(), np.zeros((0, 5, 3), np.uint8)), "5x0"),
        (lambda: Session(Painter(), "photo.jpg"), "str"),  # type: ignore[arg-type]
        (lambda: session(initial_mask=np.zeros((3, 4), np.bool_)), r"\(3, 4\).*\(120, 160\)"),
        (lambda: session(initial_mask=np.zeros((120, 160), np.uint8)), "uint8"),
        (
            lambda: session(region=(0, 0, 5)),
            r"region is \(0, 0, 5\): expected a vtmr.Box or four numbers",
        ),
        (lambda: session().add(), "Nothing"),
        (lambda: session().add(Click(200, 5)), r"\(200, 5\).*160x120"),
        (lambda: session().add(MaskEdit.of(np.zeros((3, 4), np.bool_))), "4x3.*160x120"),
        (lambda: session().add((3, 4)), "no event"),  # type: ignore[arg-type]
    ],
)
def test_bad_input_is_named(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_saved_session_replays_to_the_same_bits() -> None:
    initial = session().add(RED).mask
    for options in ({}, {"region": Box(10, 5, 150, 110)}, {"initial_mask": initial}):
        made = session(**options).add(RED, GREEN).add(BLUE)
        made = (
            made.add(MaskEdit.of(made.mask ^ initial))
            .add(Click(130, 70))
            .undo()
            .add(Click(125.25, 50.5))
        )
        saved = made.to_json()
        again = replay(segmenter_for(ColourNetwork()), IMAGE, saved)
        assert again.events == made.events
        assert np.array_equal(again.mask, made.mask)
        assert again.to_json() == saved
        assert np.array_equal(again.undo().undo().mask, made.undo().undo().mask)
        log = EventLog.from_json(saved)
        assert log.model == "colour"
        assert {"vtmr", "numpy", "opencv-python-headless", "onnxruntime", "platform"} <= set(
            log.versions
        )


def test_a_saved_session_says_which_weights_made_it() -> None:
    """A model's name stays when its weights are replaced by better ones."""
    network = vtmr.load().network
    assert isinstance(network, OnnxNetwork)
    log = EventLog.from_json(Session(segmenter_for(network), IMAGE).add(RED).to_json())
    assert log.versions["weights"] == network.digest
    assert len(network.digest) == 64
    # This network has none.
    assert "weights" not in EventLog.from_json(session().add(RED).to_json()).versions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved: "", "can't be read"),
        (lambda saved: "[]", "can't be read"),
        (lambda saved: saved.replace('"format": 1', '"format": 9'), "format 9"),
        (lambda saved: saved.replace('"steps"', '"stops"'), "steps"),
        (lambda saved: saved.replace("true", "1"), "sign is 1"),
        (lambda saved: saved.replace("[56.0", "[NaN"), "nowhere"),
        (lambda saved: saved.replace('"width": 160', '"width": 161'), "161x120"),
        (lambda saved: saved.replace("[56.0", "[5600"), "outside"),
        (
            lambda saved: json.dumps(
                json.loads(saved) | {"steps": [[{"mask": {"size": [1], "counts": ""}}]]}
            ),
            "read",
        ),
        (lambda saved: json.dumps(json.loads(saved) | {"region": [5, 5, 5, 9]}), "empty"),
    ],
)
def test_a_damaged_save_is_refused(change: Any, message: str) -> None:
    saved = change(session().add(Click(56, 54)).to_json())
    with pytest.raises(InputError, match=message):
        replay(segmenter_for(ColourNetwork()), IMAGE, saved)


@pytest.mark.slow
def test_a_click_stays_under_a_megabyte_at_24_megapixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4000, 6000, 3), np.uint8)
    noise = np.random.default_rng(1).random((4000, 6000)) < 0.5
    for start in (Session(segmenter_for(ColourNetwork()), image), painted(noise, ~noise)):
        with_click = start.add(Click(3000, 2000))
        assert with_click.mask.shape == (4000, 6000)
        assert with_click.history_nbytes - start.history_nbytes < 1_000_000


class Asked(ColourNetwork):
    """Keeps the clicks that its coarse passes are told of."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(input_size=64, **spec)
        self.clicks: list[list[Click]] = []

    def coarse(
        self, image: Any, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        self.clicks.append(list(clicks))
        return super().coarse(image, prev_mask, clicks)


def test_first_clicks_that_are_negative_answer_nothing_and_say_so() -> None:
    network = Asked(recrop_share=0.5, views=WIDE)
    session = Session(segmenter_for(network), shapes_image(600, 800))
    nothing = session.add(Click(700.5, 60.5, positive=False))
    assert not nothing.mask.any()
    assert "click on the object first" in nothing.note
    assert not nothing.add(Click(10.5, 10.5, positive=False)).mask.any()
    assert not network.clicks
    found = nothing.add(Click(280.5, 270.5))
    assert found.note == ""
    alone = session.add(Click(280.5, 270.5))
    assert iou(found.mask, alone.mask) > 0.97
    assert [len(clicks) for clicks in network.clicks] == [2, 2, 1, 1]  # each is looked at twice
    assert not found.undo().mask.any()
    assert np.array_equal(found.undo().redo().mask, found.mask)
    again = replay(segmenter_for(network), shapes_image(600, 800), found.to_json())
    assert np.array_equal(again.mask, found.mask)


def test_nor_does_one_on_a_mask_without_a_pixel() -> None:
    network = Asked()
    empty = np.zeros(IMAGE.shape[:2], np.bool_)
    session = Session(segmenter_for(network), IMAGE, initial_mask=empty).add(GREEN)
    assert not session.mask.any()
    assert session.note
    assert not network.clicks
    full = Session(segmenter_for(network), IMAGE, initial_mask=~empty).add(GREEN)
    assert network.clicks
    assert not full.note


@pytest.mark.parametrize("pipeline", ["focalclick", "ritm"])
def test_nor_does_one_in_the_pipelines_of_others(pipeline: str) -> None:
    network = Asked(pipeline=pipeline)
    session = Session(segmenter_for(network), shapes_image())
    for x in (100.5, 120.5):
        session = session.add(Click(x, 60.5, positive=False))
        assert not session.mask.any()
    assert not network.clicks
    assert session.add(Click(56.5, 54.5)).mask[54, 56]
