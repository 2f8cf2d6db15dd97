"""Whatever the clicks and edits: undo takes back exactly what add did, redo brings it back, a
replay is identical."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fakes import ColourNetwork, shapes_image
from hypothesis import given
from hypothesis import strategies as st

from vtmr.geometry import Box
from vtmr.masks import bounding_box
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.layers import LastMask, LayeredPrediction
from vtmr.session import Session, replay
from vtmr.session.live import LiveSessions
from vtmr.spec import ZoomSchedule
from vtmr.types import Click, Event, MaskEdit

IMAGE = shapes_image(48, 64)
SEGMENTER = segmenter_for(ColourNetwork(input_size=32, freeze_from_click=3))
PLAIN = segmenter_for(
    ColourNetwork(input_size=32, freeze_from_click=3, zoom=ZoomSchedule(schedule="off"))
)

clicks = st.builds(Click, st.floats(0, 63.9), st.floats(0, 47.9), st.booleans())


@st.composite
def edits(draw: st.DrawFn) -> MaskEdit:
    mask = np.zeros((48, 64), np.bool_)
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(0, 60)), draw(st.integers(0, 44))
        mask[Box(x, y, draw(st.integers(x + 1, 64)), draw(st.integers(y + 1, 48))).slices] ^= True
    return MaskEdit.of(mask)


steps = st.lists(st.lists(clicks | edits(), min_size=1, max_size=3), min_size=1, max_size=6)


@given(steps)
def test_undo_takes_back_add_and_redo_brings_it_back(groups: list[list[Event]]) -> None:
    session = Session(SEGMENTER, IMAGE)
    masks = [session.mask.copy()]
    for group in groups:
        session = session.add(*group)
        masks.append(session.mask.copy())
    end = session
    for mask in reversed(masks[:-1]):
        session = session.undo()
        assert np.array_equal(session.mask, mask)
    assert not session.can_undo
    for mask in masks[1:]:
        session = session.redo()
        assert np.array_equal(session.mask, mask)
    assert session.events == end.events


@given(steps, edits())
def test_a_replay_is_identical_and_rebuilds_from_the_history_alone(
    groups: list[list[Event]], edit: MaskEdit
) -> None:
    session = Session(SEGMENTER, IMAGE, initial_mask=edit.runs.decode())
    for group in groups:
        session = session.add(*group)
    assert np.array_equal(replay(SEGMENTER, IMAGE, session.to_json()).mask, session.mask)
    # undo and redo of a session that never showed a mask rebuild everything from the initial mask
    # on
    assert np.array_equal(session.undo().redo().mask, session.mask)


@given(st.lists(clicks, min_size=1, max_size=8))
def test_a_mask_painted_over_the_last_one_is_the_one_painted_from_all_layers(
    row: list[Click],
) -> None:
    session = Session(PLAIN, IMAGE)
    for click in row:
        before, session = session, session.add(click)
        assert before.mask.shape == session.mask.shape  # the last mask lives, as in the annotator
        answer = session.prediction
        if not isinstance(answer, LayeredPrediction):
            continue  # nothing to take away from
        whole = replace(answer, below=None, last=LastMask())
        assert np.array_equal(session.mask, whole.render())
        assert answer.box_of(session.mask) == bounding_box(session.mask)


@given(
    st.lists(clicks, min_size=3, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), clicks | st.none()), min_size=1, max_size=4),
    st.integers(0, 200_000),
)
def test_clicks_moved_and_deleted_leave_the_mask_of_a_fresh_play(
    row: list[Click], changes: list[tuple[int, Click | None]], budget: int
) -> None:
    """Whatever of it was kept in memory."""
    live = LiveSessions(budget)
    begin = lambda: Session(PLAIN, IMAGE)  # noqa: E731
    steps = tuple((click,) for click in row)
    live.at("cup", steps, begin)
    for place, click in changes:
        if place >= len(steps):
            continue
        instead = () if click is None else ((click,),)
        steps = (*steps[:place], *instead, *steps[place + 1 :])
        session, _ = live.at("cup", steps, begin)
        fresh = begin()
        for step in steps:
            fresh = fresh.add(*step)
        assert np.array_equal(session.mask, fresh.mask)
        assert session.to_json() == fresh.to_json()


@given(edits(), clicks)
def test_on_a_brought_mask_a_click_changes_one_component_in_one_direction(
    edit: MaskEdit, click: Click
) -> None:
    initial = edit.runs.decode()
    mask = Session(SEGMENTER, IMAGE, initial_mask=initial).add(click).mask
    changed = mask ^ initial
    if changed.any():
        assert changed[click.pixel]
        assert (mask[changed] == ~initial[click.pixel]).all()
