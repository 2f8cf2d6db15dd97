"""Clicks that are moved and deleted while later ones are still played again: gathered, told of,
stopped, taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk, Server
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
# On the red ellipse of fakes.shapes_image, in rows far enough apart for a hand.
CLICKS = [
    {"x": 35.5 + 9 * column, "y": 35.5 + 9 * row, "positive": True}
    for row in range(5)
    for column in range(5)
]
ELSEWHERE = {"x": 40.5, "y": 40.5, "positive": True}  # between four of them


@pytest.fixture
def many(slow: Server, sit_down: Callable[..., Desk]) -> Callable[[str], Desk]:
    """many("a.png"): a tab in which that picture's object of 25 clicks is selected."""

    def open_one(name: str) -> Desk:
        image = slow.images()[name]["id"]
        for place, click in enumerate(CLICKS):
            body = {"op": "click", "object": "o1" if place else None, "clicks": [click]}
            slow.ask(f"/images/{image}/changes", {**body, "revision": place})
        desk = sit_down(slow, name)
        desk.name = name
        desk.page.locator("#object-list .pick").click()
        return desk

    return open_one


def at(desk: Desk, click: dict[str, Any]) -> tuple[float, float]:
    return desk.window_point(click["x"], click["y"])


def delete(desk: Desk, click: dict[str, Any]) -> None:
    """As a hand does, which waits for nobody."""
    desk.page.mouse.click(*at(desk, click))
    desk.page.keyboard.press("Delete")


def clicks_of(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.objects()[0]["clicks"]
    return found


def test_edits_while_clicks_are_played_again_are_gathered_and_none_is_lost(
    many: Callable[[str], Desk],
) -> None:
    desk = many("a.png")
    delete(desk, CLICKS[0])
    hint = desk.page.locator("#hint")
    expect(hint).to_have_text(re.compile(r"Playing later clicks again: \d+ of 24"))
    delete(desk, CLICKS[7])
    desk.page.mouse.move(*at(desk, CLICKS[12]))
    desk.page.mouse.down()
    desk.page.mouse.move(*at(desk, ELSEWHERE), steps=4)
    desk.page.mouse.up()
    desk.ready()
    expect(hint).not_to_contain_text("Playing")
    left = [ELSEWHERE if place == 12 else click for place, click in enumerate(CLICKS)]
    left = [click for place, click in enumerate(left) if place not in (0, 7)]
    found = clicks_of(desk)
    assert [click["positive"] for click in found] == [True] * 23
    for click, wanted in zip(found, left, strict=True):
        assert abs(click["x"] - wanted["x"]) < 1
        assert abs(click["y"] - wanted["y"]) < 1
    assert desk.server.document("a.png")["revision"] == len(CLICKS) + 1  # one change, one undo
    desk.press("Control+z")
    assert clicks_of(desk) == CLICKS


def test_what_is_done_behind_a_replay_waits_for_it(many: Callable[[str], Desk]) -> None:
    desk = many("b.png")
    delete(desk, CLICKS[3])
    desk.page.mouse.click(*at(desk, ELSEWHERE))
    desk.page.keyboard.press("Shift+G")
    desk.ready()
    document = desk.server.document("b.png")
    assert document["undo"] == "grow"
    assert document["revision"] == len(CLICKS) + 3
    desk.press("Control+z")
    assert len(clicks_of(desk)) == len(CLICKS)


def test_a_replay_is_stopped_and_nothing_has_changed(many: Callable[[str], Desk]) -> None:
    desk = many("c.png")
    before = desk.mask()
    delete(desk, CLICKS[0])
    desk.page.locator("#hint-stop").click()
    desk.ready()
    expect(desk.page.locator("#hint-stop")).to_be_hidden()
    assert desk.server.document("c.png")["revision"] == len(CLICKS)
    assert (desk.mask() == before).all()
    delete(desk, CLICKS[24])  # work goes on
    desk.ready()
    assert clicks_of(desk) == CLICKS[:24]


def test_undo_takes_back_what_is_still_played_again(many: Callable[[str], Desk]) -> None:
    desk = many("d.png")
    delete(desk, CLICKS[0])
    delete(desk, CLICKS[1])
    desk.page.keyboard.press("Control+z")
    desk.ready()
    assert clicks_of(desk) == CLICKS
    assert desk.server.document("d.png")["revision"] == len(CLICKS)
