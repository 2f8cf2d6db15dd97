"""Looking: opacity, hiding, moving the view, selecting, the list of images, native detail of large
images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE, GREEN = (56, 54), (124, 66), (140, 20)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def test_masks_fade_and_hide(desk: Desk) -> None:
    """The rectangle's middle is far from its outline and from the click: what lies there is the
    fill alone."""
    desk.click(112, 52)
    for percent in (20, 100):
        desk.page.locator("#opacity").fill(str(percent))
        desk.ready()
        assert abs(desk.opacity_at(*RECTANGLE) - percent / 100) < 0.01
    desk.page.locator("#stage").focus()
    desk.press("x")
    assert desk.opacity_at(*RECTANGLE) == 0
    desk.press("x")
    assert desk.opacity_at(*RECTANGLE) == 1


def test_space_held_moves_the_view(desk: Desk, server: Server, picture: str) -> None:
    before = desk.photo_box()
    x, y = desk.window_point(*GREEN)
    desk.page.keyboard.down("Space")
    desk.page.mouse.move(x, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 9, y - 7, steps=3)
    desk.page.mouse.up()
    desk.page.keyboard.up("Space")
    moved = np.subtract(desk.ready().photo_box(), before)
    assert moved.tolist() == [9, -7, 9, -7]
    assert server.document(picture)["objects"] == []
    desk.press("f")
    assert desk.photo_box() == before


def test_alt_takes_away_and_shift_selects(desk: Desk, server: Server, picture: str) -> None:
    desk.click(*ELLIPSE).press("n").click(*RECTANGLE)
    pressed = desk.page.locator("#object-list .pick[aria-pressed=true]")
    for place, object_id in ((ELLIPSE, "o1"), (RECTANGLE, "o2")):
        desk.page.mouse.move(*desk.window_point(*place))
        desk.page.keyboard.down("Shift")
        desk.page.mouse.click(*desk.window_point(place[0] + 8, place[1] + 8))
        desk.page.keyboard.up("Shift")
        expect(
            desk.page.locator(f"#object-list [data-object={object_id}] .pick")
        ).to_have_attribute("aria-pressed", "true")
        expect(pressed).to_have_count(1)
    desk.page.keyboard.down("Alt")
    desk.page.mouse.click(*desk.window_point(*GREEN))
    desk.page.keyboard.up("Alt")
    desk.ready()
    signs = [
        [click["positive"] for click in one["clicks"]]
        for one in server.document(picture)["objects"]
    ]
    assert signs == [[True], [True, False]]


def test_the_list_is_searched_and_filtered(folder: Path, serve: Start, sit_down: Sit) -> None:
    desk = sit_down(serve(folder))
    rows = desk.page.locator("#image-list li:visible .name")
    expect(rows).to_have_text(["a.png", "b.png", "c.png"])
    expect(desk.page.locator("#image-list img").first).to_have_js_property("naturalWidth", 160)
    desk.press("Control+Enter")
    desk.page.locator("[data-filter=todo]").click()
    expect(rows).to_have_text(["b.png", "c.png"])
    desk.page.locator("[data-filter=done]").click()
    expect(rows).to_have_text(["a.png"])
    desk.page.locator("[data-filter=all]").click()
    desk.page.locator("#search").fill("C.P")
    expect(rows).to_have_text(["c.png"])


def test_native_detail_comes_where_one_looks_and_the_click_looks_there(
    tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    """6000 x 4000 pixels: as a whole at an eighth. Zoomed in, level 0 comes from half size on, when
    1600 x 1300 pixels are visible: up to 5 x 4 of its 96 tiles."""
    Image.new("RGB", (6000, 4000), "teal").save(tmp_path / "large.jpg")
    server = serve(tmp_path)
    desk = sit_down(server)
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url.split("?")[0]))
    desk.page.reload()
    desk.ready()
    assert any("/tiles/" in url for url in asked)
    assert not any("/tiles/0/" in url for url in asked)

    at = desk.window_point(600, 500)
    desk.page.mouse.move(*at)
    for _ in range(10):
        desk.page.mouse.wheel(0, -120)
    desk.ready()
    native = {url for url in asked if "/tiles/0/" in url}
    assert 1 <= len(native) <= 20
    with desk.page.expect_request("**/changes") as sent:
        desk.page.mouse.click(*at)
    x0, y0, x1, y1 = json.loads(sent.value.post_data)["region"]
    size = desk.page.locator("#stage").bounding_box()
    zoom = int(desk.page.locator("#reading-zoom").inner_text().removesuffix(" %")) / 100
    assert x1 - x0 < 1500
    assert x0 < 600 < x1
    assert y0 < 500 < y1
    assert abs((x1 - x0) - size["width"] / zoom) < 2 + 0.01 * (x1 - x0)
    assert abs((y1 - y0) - size["height"] / zoom) < 2 + 0.01 * (y1 - y0)
    desk.ready()
    assert len(server.document("large.jpg")["objects"]) == 1
