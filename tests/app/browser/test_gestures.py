"""What the hand does: drags, strokes, wheel, rest.

A click's place is compared with the pixel that was aimed at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, Server, write_mask_beside
from PIL import Image
from playwright.sync_api import Request, Response, Route, expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def test_a_click_is_dragged_elsewhere_and_the_rest_is_played_again(
    desk: Desk, server: Server, picture: str
) -> None:
    desk.click(*ELLIPSE).drag(ELLIPSE, (90, 60), RECTANGLE)
    (click,) = server.document(picture)["objects"][0]["clicks"]
    assert math.dist((click["x"], click["y"]), RECTANGLE) < 1
    mask = server.mask(picture)
    assert mask[60, 130]
    assert not mask[54, 40]
    assert desk.is_painted(130, 60)
    assert not desk.is_painted(40, 54)


def test_a_click_is_chosen_and_deleted(desk: Desk, server: Server, picture: str) -> None:
    desk.click(*ELLIPSE).click(*RECTANGLE)
    desk.click(*ELLIPSE).press("Delete")  # on a click: chooses it
    (click,) = server.document(picture)["objects"][0]["clicks"]
    assert math.dist((click["x"], click["y"]), RECTANGLE) < 1


def test_brush_and_eraser_paint_what_they_cover(desk: Desk, server: Server, picture: str) -> None:
    """Expected: the pixels whose centres lie within the radius of the stroke, give or take a pixel
    at the rim."""
    desk.press("d", *["["] * 4)  # 16 px four times by 1.25 smaller
    radius = 16 / 1.25**4
    desk.drag((40, 60), (100, 60))
    rows, cols = np.mgrid[:120, :160] + 0.5
    distance = np.hypot(cols - cols.clip(40, 100), rows - 60)
    mask = server.mask(picture)
    assert mask[distance < radius - 1].all()
    assert not mask[distance > radius + 1].any()
    assert desk.is_painted(70, 60)
    assert server.document(picture)["objects"][0]["edited"]

    desk.press("e").drag((70, 40), (70, 80))
    gap = np.hypot(cols - 70, rows - rows.clip(40, 80))
    mask = server.mask(picture)
    assert not mask[gap < radius - 1].any()
    assert mask[(distance < radius - 1) & (gap > radius + 1)].all()
    desk.press("Control+z", "Control+z")
    assert server.document(picture)["objects"] == []


def test_a_drawn_mask_is_corrected_in_part_or_refitted(
    desk: Desk, server: Server, picture: str
) -> None:
    """A speck far from the ellipse stays when a click changes its part alone; K: it goes."""
    desk.click(*ELLIPSE).press("d", *["["] * 10).drag((150, 5), (152, 5)).press("c")
    keep = desk.page.locator("[data-command=keep]")
    expect(keep).to_have_attribute("aria-pressed", "true")
    desk.click(*RECTANGLE)
    assert server.mask(picture)[5, 151]
    assert server.mask(picture)[66, 124]
    desk.press("Control+z", "k")
    expect(keep).to_have_attribute("aria-pressed", "false")
    expect(desk.page.locator("#hint")).to_contain_text("the network's whole answer")
    with desk.page.expect_response("**/preview") as waiting:
        desk.page.mouse.move(*desk.window_point(*RECTANGLE))
    assert waiting.value.ok
    assert server.mask(picture)[5, 151]  # a preview changes nothing
    desk.click(*RECTANGLE)
    assert not server.mask(picture)[5, 151]
    assert server.mask(picture)[66, 124]


def test_holes_are_filled_parts_dropped_outlines_smoothed_and_each_is_undone(
    desk: Desk, server: Server, picture: str
) -> None:
    mask = np.zeros((120, 160), bool)
    mask[20:80, 20:80] = True
    mask[40:50, 40:50] = False
    mask[100:103, 100:103] = True
    write_mask_beside(server, picture, mask)
    desk.open(picture)
    desk.page.get_by_role("button", name="Import", exact=True).click()
    desk.ready().press("Shift+F")
    assert server.mask(picture)[40:50, 40:50].all()
    desk.press("Shift+P")
    assert not server.mask(picture)[100:103].any()
    desk.press("Shift+S")
    assert not server.mask(picture)[20, 20]
    desk.press("Control+z", "Control+z", "Control+z")
    assert np.array_equal(server.mask(picture), mask)


@pytest.mark.parametrize("ratio", [1, 2])
def test_clicks_hit_the_pixel_aimed_at_at_every_zoom(
    ratio: int, tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    """A white square of 3 pixels lies somewhere in a large black picture. Wherever it is on the
    screen after zooming and panning, a click in the middle of what is white there has to arrive in
    its middle pixel. With the whole picture in view a pixel is smaller than the mouse's step: then
    it may miss by that step."""
    target = (1237, 711)
    image = np.zeros((1200, 2000, 3), np.uint8)
    image[target[1] - 1 : target[1] + 2, target[0] - 1 : target[0] + 2] = 255
    Image.fromarray(image).save(tmp_path / "large.png")
    server = serve(tmp_path)
    desk = sit_down(server, device_scale_factor=ratio)
    at = desk.window_point(target[0] + 0.5, target[1] + 0.5)
    for notches, pan in [(0, (0, 0)), (14, (-37, 23)), (5, (15, -51))]:
        desk.page.mouse.move(*at)
        for _ in range(notches):
            desk.page.mouse.wheel(0, -120)
        desk.page.mouse.down(button="middle")
        desk.page.mouse.move(at[0] + pan[0], at[1] + pan[1], steps=4)
        desk.page.mouse.up(button="middle")
        at = desk.ready().bright_spot() if notches else at
        desk.page.mouse.click(*at)
        desk.ready()
        (click,) = server.document("large.png")["objects"][-1]["clicks"]
        step = (
            0
            if notches
            else 100
            * ratio
            / int(desk.page.locator("#reading-zoom").inner_text().removesuffix(" %"))
        )
        assert abs(math.floor(click["x"]) - target[0]) <= step
        assert abs(math.floor(click["y"]) - target[1]) <= step
        desk.press("n")  # the next click begins an object, whatever lies there


def test_pixels_stay_crisp_when_enlarged(tmp_path: Path, serve: Start, sit_down: Sit) -> None:
    """A chessboard of single pixels, enlarged about ten times: next to nothing between black and
    white."""
    board = np.indices((100, 100)).sum(0) % 2 * 255
    Image.fromarray(np.uint8(board)).save(tmp_path / "board.png")
    desk = sit_down(serve(tmp_path)).press("g", *["+"] * 7)
    shown = desk.pixels("photo")[..., 0]
    assert np.mean((shown < 12) | (shown > 243)) > 0.99


def test_rest_previews_and_the_next_move_takes_it_away(
    desk: Desk, server: Server, picture: str
) -> None:
    before = server.document(picture)
    place = desk.window_point(*ELLIPSE)
    with desk.page.expect_response("**/preview") as waiting:
        desk.page.mouse.move(*place)
    assert waiting.value.ok
    desk.until_painted(40, 54)
    desk.intercept("**/preview", lambda route: route.abort())
    desk.page.mouse.move(place[0] + 3, place[1])
    desk.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert not desk.is_painted(40, 54)
    assert server.document(picture) == before


def test_what_is_likely_to_be_pressed_next_is_asked_for_in_a_rest(desk: Desk) -> None:
    """In the very words of the click itself, so that the server answers it from memory
    (tests/app/test_pictures.py): the click that adds, and on the mask the one that takes away,
    whose effect isn't shown."""
    asked: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/preview"):
            asked.append(request.post_data_json)

    desk.page.on("request", note)
    place = desk.window_point(*ELLIPSE)
    for button in ("left", "right"):
        adds = button == "left"

        def is_answered(response: Response, adds: bool = adds) -> bool:
            if not response.url.endswith("/preview"):
                return False
            return bool(response.request.post_data_json["clicks"][0]["positive"]) is adds

        with desk.page.expect_response(is_answered):
            desk.page.mouse.move(*place)
        if not adds:
            assert desk.is_painted(*ELLIPSE)
        with desk.page.expect_request("**/changes") as waiting:
            desk.page.mouse.click(*place, button=button)
        pressed = waiting.value.post_data_json
        preview = next(one for one in reversed(asked) if one["clicks"][0]["positive"] is adds)
        assert {name: pressed.get(name, preview[name]) for name in preview} == preview
        desk.ready()
        place = desk.window_point(ELLIPSE[0] + 4, ELLIPSE[1])


def test_the_next_move_cancels_a_preview_on_its_way(desk: Desk) -> None:
    """The server's answer is held back: the page has to give the request up by itself."""
    place = desk.window_point(*ELLIPSE)
    desk.intercept("**/preview", lambda route: None)
    with desk.page.expect_request("**/preview"):
        desk.page.mouse.move(*place)
    with desk.page.expect_event(
        "requestfailed", lambda request: request.url.endswith("/preview")
    ) as given_up:
        desk.page.mouse.move(place[0] + 3, place[1])
    assert "ABORTED" in given_up.value.failure


def test_a_click_that_meets_a_full_queue_is_sent_again(
    desk: Desk, server: Server, picture: str
) -> None:
    """503 once, with Retry-After; the server's part is in tests/app/test_api.py."""
    answers = [503]

    def busy(route: Route) -> None:
        if answers:
            error = {"error": {"code": "busy", "message": "Too many predictions wait."}}
            route.fulfill(status=answers.pop(), headers={"Retry-After": "1"}, json=error)
        else:
            route.continue_()

    desk.intercept("**/changes", busy)
    desk.click(*ELLIPSE)
    assert not answers
    assert len(server.document(picture)["objects"][0]["clicks"]) == 1
    assert desk.is_painted(40, 54)
    expect(desk.page.get_by_role("alert")).to_have_count(0)


def test_clicks_made_in_haste_all_arrive_in_order(desk: Desk, server: Server, picture: str) -> None:
    places = [(30 + 6 * i, 40 + 3 * i) for i in range(6)]
    route = [desk.window_point(*place) for place in places]
    for place in route:
        desk.page.mouse.click(*place, button="right" if place == route[-1] else "left")
    desk.ready()
    (only,) = server.document(picture)["objects"]
    assert [(round(click["x"]), round(click["y"])) for click in only["clicks"]] == places
    assert [click["positive"] for click in only["clicks"]] == [True] * 5 + [False]
    expect(desk.page.locator("#reading-ms")).to_have_text(re.compile(r"^\d+ ms$"))
