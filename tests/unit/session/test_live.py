"""Which sessions stay in memory. What they answer is compared with a fresh play."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from players import Discs

from vtmr.segmenter import LayeredPrediction, segmenter_for
from vtmr.session import Session
from vtmr.session.live import LiveSessions, Step
from vtmr.spec import ZoomSchedule
from vtmr.types import Click, MaskEdit

IMAGE = shapes_image(48, 64)
MASK_BYTES = 48 * 64


class Counting(Discs):
    """Counts its answers."""

    asked = 0

    def predict(self, *args: object, **options: object) -> object:
        self.asked += 1
        return super().predict(*args, **options)  # type: ignore[arg-type]


def some_steps(number: int) -> tuple[Step, ...]:
    return tuple((Click(1.5 + 0.05 * place, 20.5),) for place in range(number))


def test_of_a_long_history_every_so_many_steps_are_kept_within_the_budget() -> None:
    predictor = Counting()
    live = LiveSessions(20 * MASK_BYTES)
    steps = some_steps(400)
    live.at("cup", steps, lambda: Session(predictor, IMAGE))
    assert live.nbytes <= 20 * MASK_BYTES
    depths = live.depths("cup")
    assert depths[-1] == 400
    assert predictor.asked == 400
    longest = int(np.diff([0, *depths]).max())
    assert longest <= 2 * 400 / len(depths)  # about evenly spread
    _, replayed = live.at("cup", (*steps[:200], *steps[201:]), lambda: Session(predictor, IMAGE))
    assert replayed
    assert predictor.asked <= 400 + 199 + longest


def test_memory_is_counted_once_where_sessions_share_it_and_freed_with_them() -> None:
    network = ColourNetwork(input_size=32, freeze_from_click=3, zoom=ZoomSchedule(schedule="off"))
    live, predictor = LiveSessions(1 << 30), segmenter_for(network)
    live.at("cup", some_steps(8), lambda: Session(predictor, IMAGE))
    session, layers = Session(predictor, IMAGE), {}
    for step in some_steps(8):
        session = session.add(*step)
        assert isinstance(session.prediction, LayeredPrediction)
        # The arrays themselves are kept here, so that no other gets an id of theirs.
        layers.update({id(layer.logits): layer.logits for layer in session.prediction.layers})
    assert live.nbytes == 8 * MASK_BYTES + sum(logits.nbytes for logits in layers.values())
    live.forget(lambda subject: subject == "plate")
    assert live.nbytes
    live.forget(lambda subject: subject == "cup")
    assert live.nbytes == 0
    assert live.depths("cup") == []


def test_a_mask_that_was_dropped_is_painted_again_and_stays_uncounted() -> None:
    live, predictor = LiveSessions(3 * MASK_BYTES), Discs()
    steps = some_steps(4)
    begin = lambda: Session(predictor, IMAGE)  # noqa: E731
    live.at("cup", steps, begin)
    before = live.nbytes
    for end in (1, 2, 3, 4):
        session, _ = live.at("cup", steps[:end], begin)
        fresh = Session(predictor, IMAGE)
        for step in steps[:end]:
            fresh = fresh.add(*step)
        assert np.array_equal(session.mask, fresh.mask)
    assert live.nbytes <= before + MASK_BYTES


def test_a_replay_that_is_stopped_goes_on_where_it_was() -> None:
    live, predictor = LiveSessions(1 << 30), Counting()
    steps, said = some_steps(10), []

    def told(done: int, of: int) -> None:
        said.append((done, of))
        if done == 6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        live.at("cup", steps, lambda: Session(predictor, IMAGE), told)
    assert said == [(done, 10) for done in range(7)]
    live.at("cup", steps, lambda: Session(predictor, IMAGE))
    assert predictor.asked == 10


def test_a_tip_goes_on_as_the_session_it_was_made_of_and_cant_undo() -> None:
    network = ColourNetwork(input_size=32, freeze_from_click=3, zoom=ZoomSchedule(schedule="off"))
    predictor = segmenter_for(network)
    edit = np.zeros((48, 64), np.bool_)
    edit[10:30, 5:40] = True
    session = tip = Session(predictor, IMAGE)
    for events in (
        [Click(22.5, 21.5)],
        [Click(30.5, 25.5)],
        [MaskEdit.of(edit)],
        [Click(22.5, 35.5)],
        [Click(35.5, 12.5, positive=False)],
        [Click(50.5, 30.5, correction="refit")],
        [Click(24.5, 24.5)],
        [Click(52.5, 33.5, positive=False)],
    ):
        session, tip = session.add(*events), tip.add(*events).tip()
        assert np.array_equal(tip.mask, session.mask)
        assert np.array_equal(tip.tip(masked=False).mask, session.mask)
    assert tip.events == session.events
    assert tip.to_json() == session.to_json()
    assert tip.history_nbytes < session.history_nbytes
    assert session.can_undo
    assert not tip.can_undo
    assert tip.undo() is tip
    assert not tip.add(Click(5.5, 5.5)).undo().can_undo
    assert not tip.reset().mask.any()


def test_where_an_object_stood_before_a_change_outlives_what_led_there() -> None:
    """So that a click after an undo of the change goes on at once."""
    predictor = Counting()
    live = LiveSessions(12 * MASK_BYTES)
    steps = some_steps(100)
    live.at("cup", steps, lambda: Session(predictor, IMAGE))
    live.at("cup", steps[1:], lambda: Session(predictor, IMAGE))
    asked = predictor.asked
    _, replayed = live.at("cup", steps, lambda: Session(predictor, IMAGE))
    assert not replayed
    assert predictor.asked == asked
