"""axe-core (Deque's rules for WCAG) finds nothing serious in the page, state by state, in light and
dark.

axe-core is the judge here, not this project: every rule that it has on by default is asked. Its
impacts are "minor", "moderate", "serious" and "critical"; the last two fail.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Server
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Start, Sit = Callable[..., Server], Callable[..., Desk]
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
AXE = files("axe_playwright_python") / "axe.min.js"
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])
# A transition's colours are neither the one state's nor the other's.
_SETTLED = "() => Promise.allSettled(document.getAnimations().map(it => it.finished))"
# preload would fetch style sheets of other origins; the page has none.
_RUN = "() => axe.run(document, {preload: false})"


def audit(desk: Desk) -> dict[str, Any]:
    """All that axe-core reports on the page as it is now."""
    if not desk.page.evaluate("() => 'axe' in window"):
        desk.page.evaluate(AXE.read_text(encoding="utf-8"))
    desk.page.evaluate(_SETTLED)
    found: dict[str, Any] = desk.page.evaluate(_RUN)
    assert len(found["passes"]) > 10  # it did look
    return found


def serious(desk: Desk) -> list[str]:
    """A line for each element with a serious or critical finding."""
    lines = []
    for finding in audit(desk)["violations"]:
        if finding["impact"] not in ("serious", "critical"):
            continue
        for node in finding["nodes"]:
            lines.append(f"{finding['id']}: {node['html'][:160]} {node['failureSummary']}")
    return lines


def test_axe_finds_what_is_wrong(desk: Desk) -> None:
    """An image without a description and a button without a name are critical to axe."""
    desk.page.evaluate(
        "document.querySelector('header').append("
        "document.createElement('button'), document.createElement('img'))"
    )
    rules = {line.split(":")[0] for line in serious(desk)}
    assert {"button-name", "image-alt"} <= rules


@THEMES
def test_an_image_with_and_without_objects(
    theme: str, server: Server, picture: str, sit_down: Sit
) -> None:
    desk = sit_down(server, picture, color_scheme=theme)
    assert serious(desk) == []
    desk.click(*ELLIPSE)
    assert serious(desk) == []
    desk.press("n").click(*RECTANGLE).press("r", "Control+a")
    assert serious(desk) == []
    desk.press("Escape")
    desk.page.locator("#object-list .pick").first.click()
    desk.page.locator("#details summary").click()
    desk.page.locator("#new-label input").fill("fork")
    assert serious(desk) == []


@THEMES
def test_dialogs_and_menus(theme: str, folder: Path, serve: Start, sit_down: Sit) -> None:
    (folder / "notes.txt").write_text("x")
    desk = sit_down(serve(folder), "a.png", color_scheme=theme)
    page = desk.page
    desk.click(*ELLIPSE)
    for opener in ("#export", "#settings", "#look-button"):
        page.locator(opener).click()
        expect(page.locator("[popover]:popover-open")).to_be_visible()
        assert serious(desk) == [], opener
        desk.press("Escape")
    page.locator("#manage-labels").click()
    expect(page.get_by_label("Name of cup")).to_be_visible()
    assert serious(desk) == []
    page.get_by_label("Delete cup").click()
    assert serious(desk) == []
    desk.press("Escape", "?")
    expect(page.locator("dialog")).to_be_visible()
    assert serious(desk) == []
    desk.press("Escape")
    page.get_by_role("button", name="1 file left out").click()
    assert serious(desk) == []


@THEMES
def test_what_an_export_and_an_import_have_to_say(
    theme: str, folder: Path, serve: Start, sit_down: Sit
) -> None:
    """The dialog of losses with its images unfolded, and the one of what wasn't imported."""
    server = serve(folder)
    desk = sit_down(server, "a.png", color_scheme=theme)
    page = desk.page
    desk.click(*ELLIPSE)
    answer = {
        "url": "/static/favicon.svg",
        "name": "shapes.zip",
        "warnings": ["a.png: object 1 has a hole, which polygons can't hold."],
        "losses": ["1 object has holes."],
    }
    desk.intercept("**/api/v1/exports", lambda route: route.fulfill(json=answer))
    page.locator("#export").click()
    page.locator("[data-format=coco]").click()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text("1 object has holes.")
    box.locator("summary").click()
    assert serious(desk) == []
    desk.press("Escape")
    answer["losses"] = []
    page.locator("#export").click()
    page.locator("[data-format=coco]").click()
    expect(box).to_contain_text("can't hold")
    assert serious(desk) == []


@THEMES
def test_banners_and_toasts(theme: str, server: Server, picture: str, sit_down: Sit) -> None:
    """A conflict, which asks; a server that is away; a sentence that passes."""
    desk = sit_down(server, picture, color_scheme=theme)
    other = sit_down(server, picture)
    other.click(*RECTANGLE)
    desk.page.mouse.click(*desk.window_point(*ELLIPSE))
    expect(desk.page.get_by_role("alert")).to_contain_text("changed elsewhere")
    assert serious(desk) == []
    desk.page.get_by_role("button", name="OK").click()
    desk.ready().press("Escape", "e").click(20, 100)
    expect(desk.page.locator(".toast")).to_be_visible()
    assert serious(desk) == []
    desk.lose_the_server()
    desk.press("c")
    desk.page.mouse.click(*desk.window_point(*ELLIPSE))
    expect(desk.page.get_by_role("alert")).to_contain_text("doesn't answer")
    assert serious(desk) == []


@THEMES
def test_the_import_dialog_with_a_preview(
    theme: str, folder: Path, serve: Start, sit_down: Sit
) -> None:
    mask = Image.new("L", (160, 120))
    mask.paste(255, (10, 10, 30, 20))
    mask.save(folder / "a.mask.png")
    desk = sit_down(serve(folder), "a.png", color_scheme=theme)
    assert serious(desk) == []  # the offer to import the mask beside the image
    desk.page.locator("#export").click()
    desk.page.locator("[data-format=import]").click()
    box = desk.page.locator("dialog.import")
    assert serious(desk) == []
    box.get_by_role("button", name="In this folder").click()
    expect(box.locator(".sum")).to_contain_text("1 object")
    assert serious(desk) == []


@THEMES
def test_the_first_minute(theme: str, server: Server, picture: str, sit_down: Sit) -> None:
    desk = sit_down(server, picture, lesson=True, color_scheme=theme)
    expect(desk.page.get_by_role("dialog")).to_be_visible()
    assert serious(desk) == []


@THEMES
def test_lists_that_are_empty(
    theme: str, folder: Path, serve: Start, sit_down: Sit, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    desk = sit_down(serve(nothing), color_scheme=theme)
    assert serious(desk) == []
    desk = sit_down(serve(folder), "a.png", color_scheme=theme)
    desk.page.locator("#search").fill("nothing such")
    expect(desk.page.locator("#none-fits")).to_be_visible()
    assert serious(desk) == []
