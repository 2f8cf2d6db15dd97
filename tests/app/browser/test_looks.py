"""What meets the eye: contrast, overlap, the states that are not the usual one, in both themes and
at 200 % zoom.

4.5:1 is WCAG 2.2's 1.4.3 (AA). A window of 1280 x 720 at 200 % has 640 x 360 CSS pixels of two
device pixels each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Desk, Server, luminance
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Start, Sit = Callable[..., Server], Callable[..., Desk]
HERE = Path(__file__).parent
WINDOWS = {
    "usual": {"viewport": {"width": 1280, "height": 720}},
    "doubled": {"viewport": {"width": 640, "height": 360}, "device_scale_factor": 2},
}


def require_good_looks(desk: Desk) -> None:
    page = desk.page
    poor = [
        (text, round(contrast, 2))
        for text, contrast in page.evaluate((HERE / "contrasts.js").read_text())
        if contrast < 4.5
    ]
    assert not poor
    assert page.evaluate((HERE / "collisions.js").read_text()) == []


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_and_nothing_overlaps(
    theme: str, window: str, server: Server, picture: str, sit_down: Sit
) -> None:
    desk = sit_down(server, picture, color_scheme=theme, **WINDOWS[window])
    require_good_looks(desk)
    desk.click(56, 54).press("n").click(124, 66).press("d")
    require_good_looks(desk)
    desk.page.locator("#export").click()
    require_good_looks(desk)
    desk.press("Escape", "?")
    require_good_looks(desk)
    if window == "usual":
        sheet = "document.querySelector('dialog')"
        assert desk.page.evaluate(
            f"{sheet}.scrollHeight <= {sheet}.clientHeight"
        )  # all of it, without scrolling
    desk.press("Escape")
    if window == "doubled":
        desk.page.locator("#drawer").click()
        expect(desk.page.locator("#image-list .current")).to_be_in_viewport()
        require_good_looks(desk)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panels_and_menus_are_readable_too(
    theme: str, folder: Path, serve: Start, sit_down: Sit
) -> None:
    (folder / "notes.txt").write_text("x")
    desk = sit_down(serve(folder), "a.png", color_scheme=theme)
    page = desk.page
    desk.click(56, 54).press("n").click(124, 66).press("r", "Control+a")
    require_good_looks(desk)
    desk.press("Escape")
    page.locator("#object-list .pick").first.click()
    page.locator("#details summary").click()
    page.locator("#new-label input").fill("fork")
    require_good_looks(desk)
    page.locator("#new-label input").press("Escape")
    page.locator("#look-button").click()
    require_good_looks(desk)
    desk.press("Escape")
    page.locator("#manage-labels").click()
    page.get_by_label("Delete cup").click()
    require_good_looks(desk)
    desk.press("Escape")
    page.get_by_role("button", name="1 file left out").click()
    require_good_looks(desk)
    desk.press("Escape")
    page.locator("#search").fill("nothing such")
    require_good_looks(desk)


def test_the_theme_is_switched_and_remembered(server: Server, picture: str, sit_down: Sit) -> None:
    desk = sit_down(server, picture, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = desk.page.evaluate(ground)
    desk.press("Shift+T")
    dark = desk.page.evaluate(ground)
    assert dark != light
    desk.page.reload()
    desk.ready()
    assert desk.page.evaluate(ground) == dark


def test_masks_stand_out_on_any_photo(tmp_path: Path, serve: Start, sit_down: Sit) -> None:
    """Along a row through the mask, the contour's tones differ from the photo's dark, middle and
    bright by 3:1."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    mask = np.zeros((120, 160), np.uint8)
    mask[30:90, 40:120] = 255
    for name, image in {
        "black": np.zeros_like(noise),
        "white": np.full_like(noise, 255),
        "busy": noise,
    }.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / f"{name}.mask.png")
    desk = sit_down(serve(tmp_path))
    for _ in range(3):
        desk.page.get_by_role("button", name="Import", exact=True).click()
        desk.ready()
        overlay, photo = (desk.pixels(canvas).astype(float) for canvas in ("overlay", "photo"))
        row, below = overlay[overlay.shape[0] // 2], photo[overlay.shape[0] // 2]
        tones = luminance(row[row[:, 3] > 200, :3])
        assert tones.size >= 6  # both sides, a few device pixels each
        for level in np.percentile(luminance(below[below[:, 3] > 0, :3]), [5, 50, 95]):
            ratio = (np.maximum(tones, level) + 0.05) / (np.minimum(tones, level) + 0.05)
            assert ratio.max() >= 3
        desk.press("PageDown")


@pytest.mark.parametrize("width", [1280, 390])
def test_an_object_has_two_lines_in_the_list_whatever_is_said_of_it(
    width: int, tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    """A long name is cut, which the title tells in full; a large number of pixels is written
    short."""
    Image.new("RGB", (1200, 900), "green").save(tmp_path / "wide.png")
    Image.new("L", (1200, 900), 255).save(tmp_path / "wide.mask.png")
    server = serve(tmp_path, labels="x" * 60)
    desk = sit_down(server, "wide.png", viewport={"width": width, "height": 800})
    page = desk.page
    page.get_by_role("button", name="Import", exact=True).click()
    desk.ready().click(600, 450).click(300, 450)
    change = {"op": "set", "object": desk.selected(), "note": "the whole picture"}
    image = server.images()["wide.png"]["id"]
    server.ask(f"/images/{image}/changes", change | {"revision": 3})
    page.reload()
    desk.ready()
    if width < 600:
        page.locator("#objects-drawer").click()
    row = page.locator("#object-list .pick")
    lines = row.evaluate(
        """row => [...row.children].map(line => {
          const text = document.createRange();
          text.selectNodeContents(line.querySelector('span:not(.swatch)') ?? line);
          return new Set([...text.getClientRects()].map(({top}) => Math.round(top))).size;
        })"""
    )
    assert lines == [1, 1]
    assert row.locator(".about").text_content() == "1.1M px · note"
    title = (row.get_attribute("title") or "").splitlines()
    assert title[:2] == ["x" * 60, "1,080,000 px · 2 clicks · note"]
    assert page.evaluate((HERE / "collisions.js").read_text()) == []


def test_an_empty_folder_says_what_to_do(tmp_path: Path, serve: Start, sit_down: Sit) -> None:
    desk = sit_down(serve(tmp_path))
    expect(desk.page.get_by_role("status").filter(has_text="No images here yet")).to_be_visible()
    expect(desk.page.locator("#accept")).to_be_disabled()
    require_good_looks(desk)


def test_an_unreadable_file_is_marked_and_the_rest_works(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    (folder / "aa.jpg").write_bytes(b"not a picture")
    server = serve(folder)
    desk = sit_down(server)
    row = desk.page.locator("#image-list li", has_text="aa.jpg")
    expect(row).to_contain_text("can't be read")
    row.get_by_role("button").click()
    expect(desk.page.get_by_role("status").filter(has_text="can't be shown")).to_be_visible()
    require_good_looks(desk)
    desk.press("PageDown").click(56, 54)
    assert len(server.document("b.png")["objects"]) == 1


def test_a_folder_that_can_not_be_written_is_shown_and_not_changed(
    desk: Desk, server: Server, picture: str
) -> None:
    """The server's part is in tests/app/test_store.py; here the page is told that the folder is
    read-only."""
    desk.click(56, 54)
    told = server.ask("/project") | {
        "read_only": "The folder can't be written: it is open for viewing only."
    }
    desk.intercept("**/project", lambda route: route.fulfill(json=told))
    desk.page.reload()
    desk.ready()
    expect(desk.page.get_by_role("note")).to_contain_text("viewing only")
    assert desk.is_painted(40, 54)
    for command in ("brush", "remove", "accept", "undo", "new"):
        expect(desk.page.locator(f"[data-command={command}]")).to_be_disabled()
    before = server.document(picture)
    desk.click(124, 66).press("Delete", "Control+Enter", "2")
    assert server.document(picture) == before
    require_good_looks(desk)


def test_the_page_asks_nobody_but_its_server(server: Server, picture: str, sit_down: Sit) -> None:
    desk = sit_down(server, picture)
    asked: list[Any] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    desk.page.reload()
    desk.ready().click(56, 54)
    assert asked
    assert all(url.startswith(server.origin) for url in asked)
