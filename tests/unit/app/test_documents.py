"""Documents with values of other kinds than were written: each is refused, none is taken for
another."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from fuzzing.seeds import sample_document

from vtmr.app.document import from_json, to_json
from vtmr.app.documents import UNREADABLE

Change = Callable[[dict[str, Any], dict[str, Any]], object]


def first_item(body: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = body["history"][1]["change"]["items"]["o1"]
    return item


WRONG: dict[str, Change] = {
    "an infinite revision": lambda head, body: head.update(revision=float("inf")),
    "a revision that is text": lambda head, body: head.update(revision="3"),
    "a fraction as width": lambda head, body: head.update(width=24.5),
    "a place between states": lambda head, body: body.update(at=1.0),
    "a place behind the last state": lambda head, body: body.update(at=9),
    "an operation without a name": lambda head, body: body["history"][1].update(op=None),
    "a label that is a list": lambda head, body: first_item(body).update(label=["cup"]),
    "a truth value that is text": lambda head, body: first_item(body).update(visible="no"),
    "a lock that is a number": lambda head, body: first_item(body).update(locked=0),
    "a region that is text": lambda head, body: first_item(body).update(region="left"),
    "a region that is a number": lambda head, body: first_item(body).update(region=7),
    "an infinite region": lambda head, body: first_item(body).update(
        region=[0, 0, float("inf"), 9]
    ),
    "an empty region": lambda head, body: first_item(body).update(region=[5, 5, 5, 9]),
    "a mask without runs": lambda head, body: first_item(body).update(mask={"box": [0, 0, 1, 1]}),
    "an object without a number": lambda head, body: body["history"][1]["change"].update(
        next_id=None
    ),
    "an object that was never made": lambda head, body: body["history"][1]["change"].update(
        order=["o7"]
    ),
    "a click of infinity": lambda head, body: first_item(body)["steps"]["added"].append(
        [{"click": [float("inf"), 1.0, True]}]
    ),
    "a history of nothing": lambda head, body: body.update(history=[]),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_refused(what: str) -> None:
    head, body = copy.deepcopy(to_json(sample_document()))
    WRONG[what](head, body)
    with pytest.raises(UNREADABLE):
        from_json(head, body)


def test_what_was_written_is_read() -> None:
    head, body = to_json(sample_document())
    assert to_json(from_json(copy.deepcopy(head), copy.deepcopy(body))) == (head, body)
