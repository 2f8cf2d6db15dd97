"""No notice covers a tool, Accept, the hint line or, but for a passing one, the photo; each is
readable on any.

4.5:1 is WCAG 2.2's 1.4.3 (AA). Contrast is that of the pixels on the screen: a notice's ground is
its most frequent colour, its text the colour farthest from that.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server, luminance
from PIL import Image
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser
Start, Sit = Callable[..., Server], Callable[..., Desk]
WINDOWS = {
    "usual": {"viewport": {"width": 1280, "height": 720}},
    "doubled": {"viewport": {"width": 640, "height": 360}, "device_scale_factor": 2},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
LONG = "The folder has something to tell, in a sentence that fits no narrow window's line. " * 3
# What the box of a notice shares with that of each element that the selector finds, in CSS pixels.
_SHARED = """(notice, selector) => [...document.querySelectorAll(selector)]
  .filter(element => element.checkVisibility() && element.getBoundingClientRect().width > 0)
  .filter(element => {
    const [a, b] = [notice.getBoundingClientRect(), element.getBoundingClientRect()];
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    return across > 0.5 && down > 0.5;
  })
  .map(element => element.id || element.className)"""
WORKED_WITH = "#tools > *, #tools button, .bar button, #accept, #hint-line, #object-list"


def contrast(notice: Locator) -> float:
    """Of the notice's text on the screen."""
    image = Image.open(io.BytesIO(notice.screenshot())).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    levels = luminance(colours.astype(float))
    ground = levels[counts.argmax()]
    often = levels[counts >= 8]  # not the one odd pixel
    ratios = (np.maximum(often, ground) + 0.05) / (np.minimum(often, ground) + 0.05)
    return float(ratios.max())


def write_photos(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    photos = {"black": np.zeros_like(noise), "busy": noise, "white": np.full_like(noise, 255)}
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png")


def covers(notice: Locator, selector: str) -> list[str]:
    expect(notice).to_be_visible()
    found: list[str] = notice.evaluate(_SHARED, selector)
    return found


@pytest.mark.parametrize("window", WINDOWS)
def test_notices_cover_nothing_that_is_worked_with(
    window: str, tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    write_photos(tmp_path)
    server = serve(tmp_path)
    desk = sit_down(server, "black.png", **WINDOWS[window])
    page = desk.page
    told = server.ask("/project") | {"notices": [LONG]}
    desk.intercept("**/api/v1/project", lambda route: route.fulfill(json=told))
    page.reload()
    desk.ready()
    banner, toast = page.locator("#banner"), page.locator(".toast")
    assert covers(banner, WORKED_WITH + ", #stage") == []
    for name in ("black.png", "busy.png", "white.png"):
        desk.open(name)
        assert contrast(banner) >= 4.5
        page.keyboard.press("e")
        page.locator("#stage").focus()
        desk.click(200, 150)  # nothing is selected: it says so
        expect(toast).to_be_visible()
        assert contrast(toast) >= 4.5
        assert covers(toast, WORKED_WITH) == []
        assert toast.evaluate("toast => getComputedStyle(toast).pointerEvents") == "none"
        page.keyboard.press("c")
        page.evaluate("document.querySelector('.toast')?.remove()")


def test_the_photo_stays_under_the_hand_when_a_notice_comes(
    server: Server, picture: str, sit_down: Sit
) -> None:
    desk = sit_down(server, picture)
    desk.click(56, 54)
    corner = desk.photo_box()[2:]  # the lower right one, which is never out of sight
    place = desk.window_point(124, 66)
    desk.lose_the_server()
    desk.page.mouse.click(*place)
    expect(desk.page.get_by_role("alert")).to_be_visible()
    desk.page.wait_for_function("document.querySelector('#banner').clientHeight > 0")
    assert desk.photo_box()[2:] == pytest.approx(corner, abs=0.6)
    desk.page.unroute_all()
    expect(desk.page.get_by_role("alert")).to_have_count(0)
    assert desk.ready().photo_box()[2:] == pytest.approx(corner, abs=0.6)


def test_a_press_lands_where_it_was_meant_while_a_notice_comes(
    server: Server, picture: str, sit_down: Sit
) -> None:
    """Between a notice's coming and the next painting the stage has moved, and the screen not."""
    desk = sit_down(server, picture)
    desk.click(56, 54)
    desk.page.evaluate(
        """([x, y]) => {
          const stage = document.getElementById('stage');
          stage.setPointerCapture = () => {};  // which a made-up pointer can't have
          document.getElementById('banner').style.height = '40px';
          for (const kind of ['pointerdown', 'pointerup'])
            stage.dispatchEvent(new PointerEvent(kind, {clientX: x, clientY: y, bubbles: true}));
        }""",
        desk.window_point(60, 50),
    )
    desk.page.wait_for_function("document.querySelector('#banner').clientHeight > 0")
    desk.ready()
    click = server.document(picture)["objects"][0]["clicks"][-1]
    assert (click["x"], click["y"]) == pytest.approx((60, 50), abs=1)
