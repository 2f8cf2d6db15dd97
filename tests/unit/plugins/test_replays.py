"""In which order points were made, found again from requests that don't say it.

Expected orders are those in which the tests themselves make the points.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from hypothesis import given
from hypothesis import strategies as st
from players import oracle

from vtmr.errors import InputError
from vtmr.plugins.replays import MAX_POINTS, OpenImages, Prompts, Replays
from vtmr.segmenter import segmenter_for
from vtmr.session import Session
from vtmr.session.live import LiveSessions
from vtmr.types import BoxPrompt, Click

IMAGE = shapes_image()
HEIGHT, WIDTH = IMAGE.shape[:2]
A, B, C, D = Click(56, 54), Click(20, 20, False), Click(60, 60), Click(120, 60)
BOX = BoxPrompt(20, 15, 92, 95)


def asked(*clicks: Click, box: BoxPrompt | None = None) -> Prompts:
    """The request that a door sends for clicks that were made in this order."""
    return Prompts(
        tuple(click for click in clicks if click.positive),
        tuple(click for click in clicks if not click.positive),
        box,
    )


def replays() -> Replays:
    return Replays(oracle(), IMAGE)


def test_points_are_answered_in_the_order_in_which_they_were_made() -> None:
    told = replays()
    for made in ([A], [A, B], [A, B, C], [A, B, C, D]):
        assert told.answer(asked(*made)).events == tuple(made)


def test_each_answer_goes_on_from_the_last() -> None:
    predictor = oracle()
    told = Replays(predictor, IMAGE)
    for made in ([A], [A, B], [A, B, C]):
        told.answer(asked(*made))
    assert predictor.asked == 3
    told.answer(asked(A, B, C))  # once more, as after a lost answer
    assert predictor.asked == 3


def test_masks_are_those_of_one_session() -> None:
    predictor = segmenter_for(ColourNetwork())
    told, session = Replays(predictor, IMAGE), Session(predictor, IMAGE)
    made: list[Click] = []
    for click in (A, B, C, D):
        made.append(click)
        session = session.add(click)
        assert np.array_equal(told.answer(asked(*made)).mask, session.mask)


def test_a_point_taken_back_leaves_the_others_in_order() -> None:
    predictor = oracle()
    told = Replays(predictor, IMAGE)
    for made in ([A], [A, B], [A, B, C]):
        told.answer(asked(*made))
    assert told.answer(asked(A, B)).events == (A, B)
    assert predictor.asked == 3  # the answer was kept
    told.answer(asked(A, B, D))
    assert told.answer(asked(B, D)).events == (B, D)  # the first point is gone


def test_another_object_begins_anew_beside_the_first() -> None:
    told = replays()
    told.answer(asked(A))
    assert told.answer(asked(D)).events == (D,)
    assert told.answer(asked(A, B)).events == (A, B)
    assert told.answer(asked(D, C)).events == (D, C)


def test_of_several_new_points_positive_ones_come_first() -> None:
    """As after a pause in which CVAT waited for an answer."""
    told = replays()
    told.answer(asked(B, A))
    assert told.answer(asked(A, B, D, C)).events == (A, B, D, C)


def test_a_box_comes_before_the_points() -> None:
    predictor = oracle()
    told = Replays(predictor, IMAGE)
    assert told.answer(asked(box=BOX)).events == (BOX,)
    assert told.answer(asked(A, box=BOX)).events == (BOX, A)
    assert told.answer(asked(A, B, box=BOX)).events == (BOX, A, B)
    assert predictor.asked == 3
    assert told.answer(asked(A, B)).events == (A, B)  # the box is taken back
    wider = BoxPrompt(10, 10, 100, 100)
    assert told.answer(asked(A, B, C, box=wider)).events == (wider, A, B, C)


def test_the_same_point_twice_stays_twice() -> None:
    told = replays()
    told.answer(asked(A))
    assert told.answer(asked(A, A)).events == (A, A)


@given(st.lists(st.tuples(st.sampled_from(["+", "-", "take back"]), st.integers(0, 20))))
def test_any_one_change_at_a_time_is_followed(changes: list[tuple[str, int]]) -> None:
    told = replays()
    made: list[Click] = []
    for number, (change, index) in enumerate(changes):
        if change != "take back":
            made.append(Click(number % WIDTH, number // WIDTH, change == "+"))
        elif made:
            made.pop(index % len(made))
        if made:
            assert told.answer(asked(*made)).events == tuple(made)


def test_what_is_kept_of_an_image_is_bounded() -> None:
    """Of 100 objects: the orders of the last 32, and sessions while they fit."""
    told = replays()
    told._live = LiveSessions(10 * HEIGHT * WIDTH)  # of ten masks
    for x in range(100):
        told.answer(asked(Click(x, 1)))
    assert len(told._orders) == 32
    assert told._live.nbytes <= 10 * HEIGHT * WIDTH


def test_images_in_use_fit_a_bound_and_the_newest_stay() -> None:
    opened: list[int] = []

    def pixels(key: int) -> Any:
        opened.append(key)
        return IMAGE

    size = 8 * HEIGHT * WIDTH + 10_000_000  # halvings, masks, and layers of answers
    images = OpenImages(max_bytes=3 * size)
    for key in (1, 2, 3, 1, 4, 1, 2):
        images.replays(key, oracle(), partial(pixels, key))
    assert opened == [1, 2, 3, 4, 2]  # 1 stayed in use
    assert len(images) == 3


def test_an_image_beyond_the_bound_is_held_alone() -> None:
    images = OpenImages(max_bytes=1)
    for key in (1, 2):
        images.replays(key, oracle(), lambda: IMAGE)
    assert len(images) == 1


# --- reading plain values
# -----------------------------------------------------------------------------------------------


def read(positive: Any = (), negative: Any = (), box: Any = None) -> Prompts:
    return Prompts.read(positive, negative, box, HEIGHT, WIDTH)


def test_lists_and_tuples_and_numpys_numbers_are_read() -> None:
    prompts = read([[56, 54.5], (np.float32(60), np.int64(60))], ((20, 20),), [[20, 15], [92, 95]])
    assert prompts.positive == (Click(56, 54.5), Click(60, 60))
    assert prompts.negative == (Click(20, 20, False),)
    assert prompts.box == BOX
    assert read([[1, 1]], None, []).box is None


def test_a_box_has_no_direction() -> None:
    assert read(box=[[92, 15], [20, 95]]).box == BOX


def test_a_point_that_the_canvas_rounds_into_the_image_is_held_there() -> None:
    """CVAT's canvas takes points up to half a pixel outside."""
    (click,) = read([[-0.4, HEIGHT + 0.4]]).positive
    assert click.x == 0
    assert HEIGHT - 1e-9 < click.y < HEIGHT


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "nothing to go by"),
        ({"positive": 7}, "positive points are 7"),
        ({"positive": "56, 54"}, "positive points are '56, 54'"),
        ({"positive": {"x": 1, "y": 2}}, "expected a list"),
        ({"positive": [56, 54]}, "point are 56"),
        ({"positive": [[56]]}, r"point is \[56\]"),
        ({"positive": [[56, 54, 1]]}, r"point is \[56, 54, 1\]"),
        ({"positive": ["56"]}, "point are '56'"),
        ({"positive": [["56", "54"]]}, "two numbers"),
        ({"positive": [[True, 1]]}, "two numbers"),
        ({"positive": [[None, 1]]}, "two numbers"),
        ({"positive": [[float("nan"), 1]]}, "two numbers"),
        ({"positive": [[float("inf"), 1]]}, "two numbers"),
        ({"positive": [[10**400, 1]]}, "two numbers"),
        ({"negative": [[WIDTH + 1, 1]]}, "outside the image"),
        ({"positive": [[1, -2]]}, "outside the image"),
        ({"positive": [[1, 1]] * (MAX_POINTS + 1)}, "201 points"),
        ({"box": [[1, 1]]}, "two corners"),
        ({"box": [1, 1, 9, 9]}, "two corners"),
        ({"box": [[1, 1], [1, 9]]}, "is empty"),
        ({"box": [[500, 500], [600, 600]]}, "outside the image"),
        ({"box": [[1, 1], [9, float("nan")]]}, "two numbers"),
        ({"positive": [["x" * 1000, 1]]}, r"\.\.\.: expected"),
    ],
)
def test_what_cannot_be_read_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read(**values)
    assert len(str(raised.value)) < 200
