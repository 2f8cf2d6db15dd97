"""What is done faster than the server answers, and what a hand does in the middle of a gesture:
every change goes where it was meant, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, Server
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
ELLIPSE, NEAR, RECTANGLE = (56, 54), (60, 58), (124, 66)
Start, Sit = Callable[..., Server], Callable[..., Desk]
CURRENT = "#image-list .current .name"


def clicks_of(desk: Desk) -> list[list[tuple[int, int]]]:
    """Of each object, as the server has them."""
    return [
        [(round(click["x"]), round(click["y"])) for click in one["clicks"]]
        for one in desk.objects()
    ]


def click_at_once(desk: Desk, *points: tuple[float, float]) -> None:
    for point in points:
        desk.page.mouse.click(*desk.window_point(*point))


class TestBeforeTheAnswer:
    def test_an_object_that_is_left_is_refined_and_labelled_all_the_same(self, desk: Desk) -> None:
        with desk.answers_held():
            click_at_once(desk, ELLIPSE, NEAR)
            desk.page.keyboard.press("3")
            desk.page.keyboard.press("n")
            click_at_once(desk, RECTANGLE)
        assert clicks_of(desk) == [[ELLIPSE, NEAR], [RECTANGLE]]
        assert desk.objects()[0]["label"] == "spoon"
        assert desk.selected() == desk.objects()[1]["id"]

    @pytest.mark.parametrize("key", ["Control+z", "Delete"])
    def test_a_click_behind_what_takes_its_object_away_begins_one(
        self, desk: Desk, key: str
    ) -> None:
        desk.click(*ELLIPSE)
        with desk.answers_held():
            desk.page.keyboard.press(key)
            click_at_once(desk, NEAR, (48, 50))
        assert clicks_of(desk) == [[NEAR, (48, 50)]]
        assert desk.selected() == desk.objects()[0]["id"]

    def test_taking_away_from_an_object_that_is_gone_does_nothing_and_says_so(
        self, desk: Desk
    ) -> None:
        desk.click(*ELLIPSE)
        with desk.answers_held():
            desk.page.keyboard.press("Delete")
            desk.page.mouse.click(*desk.window_point(*NEAR), button="right")
            desk.page.keyboard.press("n")
            click_at_once(desk, RECTANGLE)
        assert clicks_of(desk) == [[RECTANGLE]]
        expect(desk.page.locator("#toasts")).to_contain_text("for an object that is gone")

    def test_a_step_that_is_refused_takes_nothing_with_it(self, desk: Desk) -> None:
        with desk.answers_held():
            click_at_once(desk, ELLIPSE)
            desk.page.keyboard.press("Control+z")
            desk.page.keyboard.press("Control+z")
            desk.page.keyboard.press("n")
            click_at_once(desk, RECTANGLE)
        assert clicks_of(desk) == [[RECTANGLE]]
        assert desk.selected() == desk.objects()[0]["id"]
        expect(desk.page.locator("#toasts")).to_contain_text("nothing to undo")

    def test_undo_and_accept_behind_a_refused_step_are_for_that_one(
        self, folder: Path, serve: Start, sit_down: Sit
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "a.png").click(*ELLIPSE).press("n").click(*RECTANGLE)
        desk.page.locator("#object-list .pick").last.click()
        desk.press("l")
        before = server.document("a.png")["objects"]
        for key in ("Control+z", "Control+Enter"):
            with desk.answers_held():
                click_at_once(desk, NEAR)  # of an object that is locked
                desk.page.keyboard.press(key)
            assert server.document("a.png")["objects"] == before
            expect(desk.page.locator(CURRENT)).to_have_text("a.png")
            assert server.images()["a.png"]["state"] == "in_work"

    def test_accept_behind_one_undo_too_many_accepts(
        self, folder: Path, serve: Start, sit_down: Sit
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "a.png")
        with desk.answers_held():
            click_at_once(desk, ELLIPSE)
            for key in ("Control+z", "Control+z", "Control+Enter"):
                desk.page.keyboard.press(key)
        expect(desk.page.locator(CURRENT)).to_have_text("b.png")
        assert server.images()["a.png"]["state"] == "done"
        assert server.document("a.png")["objects"] == []

    def test_clicks_of_two_objects_are_deleted_each_in_its_own(self, desk: Desk) -> None:
        for point in (ELLIPSE, NEAR, (52, 50)):
            desk.click(*point)
        desk.press("n")
        for point in (RECTANGLE, (120, 60), (128, 60)):
            desk.click(*point)
        row = desk.page.locator("#object-list .pick")
        places = {point: desk.window_point(*point) for point in (ELLIPSE, RECTANGLE, (120, 60))}
        with desk.answers_held():
            row.last.click()  # the first object
            desk.page.mouse.click(*places[ELLIPSE])
            desk.page.keyboard.press("Delete")
            row.first.click()
            for point in (RECTANGLE, (120, 60)):
                desk.page.mouse.click(*places[point])
                desk.page.keyboard.press("Delete")
        assert clicks_of(desk) == [[NEAR, (52, 50)], [(128, 60)]]

    def test_a_mask_that_is_moved_while_accept_waits_is_moved(
        self, folder: Path, serve: Start, sit_down: Sit
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "a.png").click(*ELLIPSE).press("v")
        before = server.mask("a.png")
        with desk.answers_held():
            desk.page.keyboard.press("Control+Enter")
            desk.page.keyboard.press("Shift+ArrowRight")
        expect(desk.page.locator(CURRENT)).to_have_text("a.png")
        assert server.images()["a.png"]["state"] == "in_work"
        moved = server.mask("a.png")
        assert moved.sum() == before.sum()
        assert not np.array_equal(moved, before)

    def test_what_is_accepted_again_after_a_change_is_accepted(
        self, folder: Path, serve: Start, sit_down: Sit
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "a.png").click(*ELLIPSE).press("Control+Enter")
        expect(desk.page.locator(CURRENT)).to_have_text("b.png")
        desk.ready().press("PageUp")
        with desk.answers_held():
            click_at_once(desk, RECTANGLE)
            desk.page.keyboard.press("Control+Enter")
        expect(desk.page.locator(CURRENT)).to_have_text("b.png")
        assert server.images()["a.png"]["state"] == "done"
        assert len(server.document("a.png")["objects"]) == 2


class TestHeldKeys:
    def test_accept_that_is_held_down_accepts_one_image(
        self, folder: Path, serve: Start, sit_down: Sit
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "a.png").click(*ELLIPSE)
        desk.page.keyboard.down("Control")
        for _ in range(6):  # from the second on as a key that repeats itself
            desk.page.keyboard.down("Enter")
            desk.ready()
        desk.page.keyboard.up("Enter")
        desk.page.keyboard.up("Control")
        expect(desk.page.locator(CURRENT)).to_have_text("b.png")
        states = [one["state"] for one in server.images().values()]
        assert states.count("done") == 1

    def test_undo_that_is_held_down_ends_where_nothing_is_left(self, desk: Desk) -> None:
        desk.click(*ELLIPSE)
        asked: list[str] = []
        desk.page.on("request", lambda request: asked.append(request.url))
        desk.page.keyboard.down("Control")
        with desk.answers_held():
            for _ in range(8):
                desk.page.keyboard.down("z")
        desk.page.keyboard.up("z")
        desk.page.keyboard.up("Control")
        assert desk.objects() == []
        assert sum(url.endswith("/changes") for url in asked) <= 2
        desk.press("Control+Shift+Z")
        assert clicks_of(desk) == [[ELLIPSE]]

    def test_zoom_goes_on_while_its_key_is_down(self, desk: Desk) -> None:
        zoom = desk.page.locator("#reading-zoom")
        desk.page.keyboard.down("+")
        once = zoom.inner_text()
        desk.page.keyboard.down("+")
        expect(zoom).not_to_have_text(once)


class TestInAGesture:
    @pytest.mark.parametrize("tool", ["b", "d", "a"])
    def test_escape_ends_it_as_if_it_had_not_been(self, desk: Desk, tool: str) -> None:
        desk.click(*ELLIPSE)
        before = desk.objects()
        desk.press(tool)
        desk.page.mouse.move(*desk.window_point(100, 30))
        desk.page.mouse.down()
        desk.page.mouse.move(*desk.window_point(140, 90), steps=5)
        desk.page.keyboard.press("Escape")
        desk.page.mouse.move(*desk.window_point(145, 95), steps=2)
        desk.page.mouse.up()
        desk.ready()
        assert desk.objects() == before
        assert desk.selected() == before[0]["id"]

    @pytest.mark.parametrize("tool", ["c", "b", "d", "a", "v"])
    def test_another_image_ends_it(
        self, folder: Path, serve: Start, sit_down: Sit, tool: str
    ) -> None:
        server = serve(folder)
        desk = sit_down(server, "b.png").click(*ELLIPSE)
        before = server.document("b.png")["objects"]
        desk.press("PageUp").click(*ELLIPSE).press(tool)
        desk.page.mouse.move(*desk.window_point(*ELLIPSE))
        desk.page.mouse.down()
        desk.page.mouse.move(*desk.window_point(80, 70), steps=4)
        desk.press("PageDown")
        expect(desk.page.locator(CURRENT)).to_have_text("b.png")
        desk.page.mouse.move(*desk.window_point(120, 90), steps=4)
        desk.page.mouse.up()
        desk.ready()
        assert server.document("b.png")["objects"] == before
        assert len(server.document("a.png")["objects"]) == 1
        assert server.document("a.png")["objects"][0]["clicks"] == before[0]["clicks"]
        assert np.array_equal(server.mask("a.png"), server.mask("b.png"))  # the same picture

    def test_a_mask_that_rests_on_another_on_its_way_keeps_its_pixels(self, desk: Desk) -> None:
        desk.click(*ELLIPSE).press("n").click(*RECTANGLE)
        desk.page.locator("#object-list .pick").last.click()
        desk.press("v")
        before = desk.mask(0).sum()
        desk.page.mouse.move(*desk.window_point(*ELLIPSE))
        desk.page.mouse.down()
        desk.page.mouse.move(*desk.window_point(*RECTANGLE), steps=5)
        desk.page.wait_for_timeout(700)  # longer than arrow keys wait before they are sent
        desk.page.mouse.move(*desk.window_point(ELLIPSE[0] + 8, ELLIPSE[1] - 6), steps=5)
        desk.page.mouse.up()
        desk.ready()
        assert desk.mask(0).sum() == before
        assert desk.mask(0)[ELLIPSE[1] - 6, ELLIPSE[0] + 8]
        desk.press("Control+z")
        assert desk.mask(0)[ELLIPSE[1], ELLIPSE[0]]  # one step, however long the way was


class TestKeysOfAnyKeyboard:
    def type(self, desk: Desk, **event: Any) -> None:
        told = {"bubbles": True, "cancelable": True, **event}
        desk.page.locator("#stage").dispatch_event("keydown", told)
        desk.ready()

    @pytest.mark.parametrize(
        ("event", "tool"),
        [
            ({"key": "D", "code": "KeyD"}, "brush"),  # Caps Lock
            ({"key": "\u0432", "code": "KeyD"}, "brush"),  # Russian
            ({"key": "\u03b4", "code": "KeyD"}, "brush"),  # Greek
            ({"key": "d", "code": "KeyE"}, "brush"),  # Dvorak: what is on the key counts
            ({"key": "d", "code": "KeyD", "shiftKey": True}, "click"),  # Caps Lock and Shift
        ],
    )
    def test_letters_are_known(self, desk: Desk, event: dict[str, Any], tool: str) -> None:
        self.type(desk, **event)
        pressed = desk.page.locator(f"[data-command={tool}]")
        expect(pressed).to_have_attribute("aria-pressed", "true")

    def test_undo_with_another_script(self, desk: Desk) -> None:
        desk.click(*ELLIPSE)
        self.type(desk, key="\u044f", code="KeyZ", ctrlKey=True)
        assert desk.objects() == []
