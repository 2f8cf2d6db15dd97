"""Fingers and pens: events as the browser gets them from a screen (CDP), on copies of photos.

A tap adds, a finger that rests takes away, two zoom and pan, and none of that makes a stray click.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Photo = Callable[..., Desk]
TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
CUP, SPOON = (290, 235), (366, 290)
HOLD_MS = 700


def tap(desk: Desk, x: float, y: float) -> Desk:
    place = desk.window_point(x, y)
    desk.touch("Start", {1: place})
    desk.touch("End", {})
    return desk.ready()


def hold(desk: Desk, x: float, y: float) -> Desk:
    desk.touch("Start", {1: desk.window_point(x, y)})
    desk.page.wait_for_timeout(HOLD_MS)
    desk.touch("End", {})
    return desk.ready()


def slide(desk: Desk, *fingers: list[tuple[float, float]]) -> Desk:
    """Each finger over its places of the window, all together."""
    begun: dict[int, tuple[float, float]] = {}
    for number, places in enumerate(fingers):
        begun[number] = places[0]
        desk.touch("Start", dict(begun))
    for moment in range(1, len(fingers[0])):
        desk.touch("Move", {number: places[moment] for number, places in enumerate(fingers)})
    desk.touch("End", {})
    return desk.ready()


def between(a: tuple[float, float], b: tuple[float, float], steps: int = 6) -> list[Any]:
    return [
        (a[0] + (b[0] - a[0]) * i / steps, a[1] + (b[1] - a[1]) * i / steps)
        for i in range(steps + 1)
    ]


def zoom_of(desk: Desk) -> int:
    return int(desk.page.locator("#reading-zoom").inner_text().removesuffix(" %"))


def test_a_tap_adds_and_a_finger_that_rests_takes_away(photo: Photo) -> None:
    desk = tap(photo("coffee", **TABLET), *CUP)
    assert [one["clicks"][0]["positive"] for one in desk.objects()] == [True]
    hold(desk, *SPOON)
    assert [click["positive"] for click in desk.objects()[0]["clicks"]] == [True, False]


def test_two_fingers_zoom_and_pan_and_never_click(photo: Photo) -> None:
    desk = photo("coffee", **TABLET)
    left, top, right, bottom = desk.photo_box()
    x, y = (left + right) / 2, (top + bottom) / 2
    before = zoom_of(desk)
    slide(
        desk,
        between((x - 60, y), (x - 150, y)),
        between((x + 60, y), (x + 150, y)),
    )
    assert zoom_of(desk) == pytest.approx(before * 2.5, abs=2)
    slide(desk, between((x - 60, y), (x - 10, y + 40)), between((x + 60, y), (x + 110, y + 40)))
    assert zoom_of(desk) == pytest.approx(before * 2.5, abs=2)
    slide(desk, between((x, y), (x + 70, y - 30)))  # one finger moves the view
    desk.touch("Start", {1: (x, y)})  # a finger that stays behind after a pinch does nothing
    desk.touch("Start", {1: (x, y), 2: (x + 50, y)})
    desk.touch("End", {1: (x, y)})
    desk.page.wait_for_timeout(HOLD_MS)
    desk.touch("End", {})
    assert desk.ready().objects() == []
    assert desk.server.document(desk.name)["revision"] == 0


def test_a_finger_draws_with_a_brush_unless_a_second_one_comes(photo: Photo) -> None:
    desk = photo("coffee", **TABLET).press("d")
    start, end = desk.window_point(100, 100), desk.window_point(200, 100)
    desk.touch("Start", {1: start})
    for place in between(start, end)[1:]:
        desk.touch("Move", {1: place})
    desk.touch("Start", {1: end, 2: (end[0] + 40, end[1])})
    desk.touch("End", {})
    assert desk.ready().objects() == []
    slide(desk, between(start, end))
    mask = desk.mask()
    assert mask[100, 105]
    assert mask[100, 195]


def test_what_is_drawn_is_drawn_by_finger(photo: Photo) -> None:
    """A box, an area by hand, a line that cuts. Buttons are clicked: a tap that a script sends
    right behind a slide, Chromium takes for the end of the slide's fling."""
    desk = photo("coffee", **TABLET)
    page = desk.page

    def press(command: str) -> None:
        page.locator(f"[data-command={command}]:visible").first.click()
        desk.ready()

    def draw(*corners: tuple[float, float]) -> None:
        places = [desk.window_point(*corner) for corner in corners]
        slide(desk, [place for two in pairwise(places) for place in between(*two)])

    press("box")
    draw((150, 80), (440, 350))
    press("new")
    press("outline")
    draw((470, 20), (560, 20), (560, 90), (470, 90))  # its end and its beginning are joined
    page.locator("#labels .chip").nth(1).click()
    assert [one["label"] for one in desk.ready().objects()] == ["cup", "plate"]
    press("cut")
    draw((515, 5), (515, 110))
    assert len(desk.objects()) == 3
    press("merge")
    page.locator("#object-list .pick").first.click()
    assert len(desk.ready().objects()) == 2
    assert desk.mask(1)[50, 490] and desk.mask(1)[50, 540]


def test_a_pinch_leaves_the_corners_of_a_polygon(photo: Photo) -> None:
    """Its first finger may wander before the second one comes."""
    desk = photo("coffee", **TABLET).press("a")
    for corner in ((250, 200), (330, 200), (330, 280)):
        tap(desk, *corner)
    x, y = desk.window_point(200, 100)
    desk.touch("Start", {1: (x, y)})
    desk.touch("Move", {1: (x + 15, y)})
    desk.touch("Start", {1: (x + 15, y), 2: (x + 80, y)})
    desk.touch("End", {})
    desk.ready().press("Enter")  # closes what is there
    mask = desk.mask()
    assert mask[220, 320]
    assert not mask[120, 210]


def test_the_hand_that_holds_a_pen_does_nothing(photo: Photo) -> None:
    """It lies on the screen before the pen does, while it draws and when it is lifted."""
    desk = photo("coffee", **TABLET)
    palm = desk.window_point(480, 350)
    desk.touch("Start", {1: palm})
    cup = desk.window_point(*CUP)
    desk.pen("mousePressed", *cup, force=0.5)
    desk.pen("mouseReleased", *cup, force=0)
    desk.page.wait_for_timeout(HOLD_MS)
    desk.touch("End", {})
    desk.touch("Start", {2: palm})  # right behind the pen
    desk.touch("End", {})
    (only,) = desk.ready().objects()
    assert len(only["clicks"]) == 1


@pytest.mark.parametrize("tool", ["d", "a"])
def test_a_hand_that_slid_before_the_pen_takes_nothing_of_its_stroke(
    photo: Photo, tool: str
) -> None:
    desk = photo("coffee", **TABLET).press(tool)
    palm = desk.window_point(480, 350)
    desk.touch("Start", {1: palm})
    for place in between(palm, (palm[0] + 40, palm[1] + 5)):
        desk.touch("Move", {1: place})
    corners = [desk.window_point(*at) for at in ((60, 100), (260, 100), (260, 240))]
    desk.pen("mousePressed", *corners[0], force=0.5)
    for start, end in pairwise(corners):
        for place in between(start, end)[1:]:
            desk.pen("mouseMoved", *place, force=0.5)
    desk.pen("mouseReleased", *corners[-1], force=0)
    desk.touch("End", {})
    mask = desk.ready().mask()
    assert mask[104, 150]
    assert mask[200, 258]
    assert not mask[350, 480:500].any()


def test_a_phone_keeps_stage_and_accept_usable(photo: Photo) -> None:
    desk = photo("coffee", **PHONE)
    stage = desk.page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["width"] == 390
    assert stage["height"] > 0.7 * 780
    accept = desk.page.locator("#accept")
    expect(accept).to_be_in_viewport(ratio=1)
    tap(desk, *CUP)
    assert len(desk.objects()) == 1
    desk.page.locator("#objects-drawer").tap()
    expect(desk.page.locator("#object-list .pick")).to_be_in_viewport()
    expect(accept).to_be_in_viewport(ratio=1)
    tap(desk, 20, 20)  # beside the drawer: it goes, and a far tap begins an object
    expect(desk.page.locator("#object-list .pick").first).to_be_hidden()
    accept.tap()
    desk.ready()
    assert desk.server.images()[desk.name]["state"] == "done"


_SIZES = """() => [...document.querySelectorAll('button, [role=switch]')]
  .filter(it => it.checkVisibility() && it.getBoundingClientRect().width)
  .map(it => [it.closest('label') ?? it, it])
  .map(([box, it]) => [it.id || it.dataset.command || it.className || it.textContent,
                       box.getBoundingClientRect().height])"""


@pytest.mark.parametrize(("options", "least"), [({}, 32), (TABLET | {"is_mobile": True}, 44)])
def test_buttons_are_large_enough(photo: Photo, options: dict[str, Any], least: int) -> None:
    """32 px for a mouse, 44 px where the pointer is coarse."""
    desk = photo("coffee", **options)
    small = [(name, height) for name, height in desk.page.evaluate(_SIZES) if height < least]
    assert small == []


@pytest.mark.parametrize(("options", "least"), [({}, 32), (TABLET | {"is_mobile": True}, 44)])
def test_folders_are_large_enough(
    tmp_path: Path,
    serve: Callable[..., Server],
    sit_down: Callable[..., Desk],
    options: dict[str, Any],
    least: int,
) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(shapes_image()).save(tmp_path / name)
    desk = sit_down(serve(tmp_path), **options)
    assert desk.page.locator(".folder-row").count() == 2
    small = [(name, height) for name, height in desk.page.evaluate(_SIZES) if height < least]
    assert small == []
    rows = [row.bounding_box() for row in desk.page.locator("#image-list li").all()]
    for above, below in pairwise(filter(None, rows)):  # as the virtual list counts them
        assert above["y"] + above["height"] == pytest.approx(below["y"], abs=0.5)


def test_a_narrow_screen_has_the_look_and_the_fit_in_its_settings(photo: Photo) -> None:
    desk = photo("coffee", **PHONE)
    page = desk.page
    page.locator("#settings").tap()
    page.locator("#settings-menu").get_by_text("Brightness").tap()
    page.get_by_role("slider", name="Gamma").fill("2")
    expect(page.locator("#photo")).to_have_css("filter", re.compile("look"))
    page.keyboard.press("Escape")
    before = zoom_of(desk)
    page.locator("#settings-menu").get_by_text("One image pixel").tap()
    expect(page.locator("#settings-menu")).to_be_hidden()
    assert zoom_of(desk.ready()) != before


def test_a_pen_paints_thicker_where_it_presses_harder(photo: Photo) -> None:
    desk = photo("coffee").press("d")
    route = between(desk.window_point(60, 100), desk.window_point(260, 100), 20)
    for step, (x, y) in enumerate(route):
        kind = "mousePressed" if step == 0 else "mouseMoved"
        desk.pen(kind, x, y, force=step / 20)
    desk.pen("mouseReleased", *route[-1], force=0)
    mask = desk.ready().mask()
    thin, thick = (np.count_nonzero(mask[:, column]) for column in (75, 245))
    assert thick > 1.5 * thin > 0
