"""The whole way without a mouse.

The first arrow puts the crosshair into the middle of what is visible: 80.5, 60.5.
"""

from __future__ import annotations

import pytest
from desk import Desk, Server
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_an_image_is_annotated_by_keyboard_alone(desk: Desk, server: Server, picture: str) -> None:
    desk.press("ArrowLeft", *["Shift+ArrowLeft"] * 2, "ArrowUp", "Enter")
    desk.press("n", *["Shift+ArrowRight"] * 6, "Enter", "2")
    desk.press(*["Shift+ArrowUp"] * 4, "Alt+Enter")
    first, second = server.document(picture)["objects"]
    assert first["clicks"] == [{"x": 60.5, "y": 59.5, "positive": True}]
    assert second["label"] == "plate"
    assert second["clicks"] == [
        {"x": 120.5, "y": 59.5, "positive": True},
        {"x": 120.5, "y": 19.5, "positive": False},
    ]
    mask = server.mask(picture, 1)
    assert mask[60, 130]
    assert not mask[54, 56]

    desk.press("Control+z")
    assert len(server.document(picture)["objects"][1]["clicks"]) == 1
    desk.press(
        "Control+y", ",", "Shift+F", "d", "]", "[", "Enter"
    )  # the lower object: filled, then dabbed at the cross
    lower = server.document(picture)["objects"][0]
    assert lower["edited"]
    assert server.mask(picture, 0)[19, 120]

    desk.press("Control+Enter")
    assert server.images()[picture]["state"] == "done"
    expect(desk.page.locator("#image-list .current .name")).not_to_have_text(picture)

    desk.press("/")
    desk.page.keyboard.type(picture[:2])
    desk.press("ArrowDown", "Enter")
    expect(desk.page.locator("#image-list .current .name")).to_have_text(picture)
    assert desk.page.evaluate("document.activeElement.id") == "stage"
    expect(desk.page.locator("#accept")).to_contain_text("Take back")
    desk.press("Control+Enter")
    assert server.images()[picture]["state"] == "in_work"


def test_the_sheet_lists_what_the_keys_do_and_gives_the_focus_back(desk: Desk) -> None:
    desk.press("?")
    sheet = desk.page.get_by_role("dialog", name="Shortcuts")
    expect(sheet).to_be_visible()
    for name in ("Undo", "Brush", "Fit the image", "Accept and go on", "New object"):
        expect(sheet.get_by_text(name, exact=True)).to_be_visible()
    desk.press("d")  # keys belong to the sheet while it is open
    expect(desk.page.locator("[data-command=brush]")).to_have_attribute("aria-pressed", "false")
    desk.press("Escape")
    expect(sheet).to_have_count(0)
    assert desk.page.evaluate("document.activeElement.id") == "stage"


def test_tab_reaches_everything_with_a_ring_and_comes_round(desk: Desk) -> None:
    desk.press("ArrowLeft", "Enter")
    seen: list[str] = []
    for _ in range(80):
        desk.page.keyboard.press("Tab")
        found = desk.page.evaluate(
            """() => {
              const at = document.activeElement, field = at.closest('.field') ?? at;
              const {outlineStyle, outlineWidth} = getComputedStyle(field);
              const ringed = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
              return [at.id || at.dataset.command || at.className, ringed];
            }"""
        )
        if found[0] == "stage":
            break
        if not found[0]:
            continue  # the browser's own bar, on the way round
        assert found[1], f"{found[0]} has no visible focus ring"
        seen.append(found[0])
    wanted = {
        "click",
        "brush",
        "eraser",
        "keep",
        "new",
        "remove",
        "smooth",
        "opacity",
        "accept",
    }  # from the stage on
    wanted |= {"undo", "fit", "theme", "help", "export", "search"}  # and from the top again
    assert wanted <= set(seen)
