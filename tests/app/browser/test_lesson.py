"""The first minute: shown once, skippable, by mouse, keyboard and touch; and the sheet of keys is
complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser
CUP, SPOON, HANDLE = (290, 235), (366, 290), (355, 320)
Start, Sit = Callable[..., Server], Callable[..., Desk]


def at(canvas: Locator, point: tuple[float, float]) -> dict[str, float]:
    """Where a point of the photo, 600 x 400, lies in the canvas."""
    box = canvas.bounding_box()
    assert box is not None
    return {"x": point[0] * box["width"] / 600, "y": point[1] * box["height"] / 400}


def test_three_steps_then_never_again(server: Server, picture: str, sit_down: Sit) -> None:
    desk = sit_down(server, picture, lesson=True)
    lesson = desk.page.get_by_role("dialog", name="The first minute")
    canvas, title = lesson.locator("canvas"), lesson.locator("h3")
    expect(title).to_contain_text("Click the cup")
    canvas.click(position=at(canvas, CUP))
    expect(title).to_contain_text("Right-click")
    canvas.click(position=at(canvas, SPOON), button="right")
    expect(title).to_contain_text("Press N")
    desk.page.keyboard.press("n")
    canvas.click(position=at(canvas, HANDLE))
    expect(title).to_contain_text("all it takes")
    lesson.get_by_role("button", name="Start").click()
    expect(lesson).to_have_count(0)
    assert server.document(picture)["objects"] == []
    assert desk.page.evaluate("document.activeElement.id") == "stage"
    desk.page.reload()
    desk.ready()
    expect(lesson).to_have_count(0)
    desk.press("?")
    desk.page.get_by_role("button", name="Show the first minute again").click()
    expect(lesson).to_be_visible()


def test_it_is_skipped_by_escape_and_taken_by_keyboard(
    server: Server, picture: str, sit_down: Sit
) -> None:
    desk = sit_down(server, picture, lesson=True)
    title = desk.page.locator("dialog h3")
    for key, text in (("Enter", "Right-click"), ("Enter", "Press N"), ("n", "Press N")):
        desk.page.keyboard.press(key)
        expect(title).to_contain_text(text)
    desk.page.keyboard.press("Enter")
    expect(title).to_contain_text("all it takes")
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("dialog")).to_have_count(0)
    desk.page.reload()
    desk.ready()
    expect(desk.page.locator("dialog")).to_have_count(0)


def test_a_finger_taps_and_holds(server: Server, picture: str, sit_down: Sit) -> None:
    desk = sit_down(
        server,
        picture,
        lesson=True,
        viewport={"width": 390, "height": 780},
        has_touch=True,
        is_mobile=True,
    )
    canvas, title = desk.page.locator("dialog canvas"), desk.page.locator("dialog h3")
    box: Any = canvas.bounding_box()
    place = at(canvas, CUP)
    desk.page.touchscreen.tap(box["x"] + place["x"], box["y"] + place["y"])
    expect(title).to_contain_text("Hold a finger")
    desk.touch("Start", {1: (box["x"] + place["x"] + 5, box["y"] + place["y"])})
    desk.page.wait_for_timeout(700)
    desk.touch("End", {})
    expect(title).to_contain_text("Press New object")


def test_what_was_chosen_and_learnt_holds_for_the_next_folder(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    serve: Start,
    sit_down: Sit,
) -> None:
    """Whose server has another port."""
    other = tmp_path_factory.mktemp("other")
    Image.fromarray(shapes_image()).save(other / "z.png")
    first, second = serve(folder), serve(other)
    assert first.port != second.port
    desk = sit_down(first, lesson=True)
    desk.page.get_by_role("button", name="Skip").click()
    desk.press("Shift+T", "Shift+O")
    chosen = desk.page.evaluate("document.documentElement.dataset.theme")
    desk.page.goto(second.url)
    desk.ready()
    expect(desk.page.locator("dialog.lesson")).to_have_count(0)
    assert desk.page.evaluate("document.documentElement.dataset.theme") == chosen
    colouring = desk.page.locator("[data-command=colouring]")
    expect(colouring).to_have_attribute("aria-pressed", "true")


def test_every_key_is_in_the_sheet(desk: Desk) -> None:
    """The page's own table of commands against what the sheet shows; the keys of a command without
    a name are shown beside another's of its group."""
    commands = desk.page.evaluate(
        """async () => {
          const { createCommands } = await import('/static/js/commands.js');
          const nothing = new Proxy({}, { get: () => () => {} });
          const page = { store: { state: {} }, stage: nothing, editor: nothing, dialogs: nothing };
          const told = ({ name, key, held = [], where }) => ({ name, key, held, where });
          return createCommands(page).map(told);
        }"""
    )
    pressed = [
        (command["key"], tuple(command["held"]), command.get("where"))
        for command in commands
        if command.get("key")
    ]
    assert len(set(pressed)) == len(pressed)  # no key does two things
    desk.press("?")
    shown = desk.page.get_by_role("dialog", name="Shortcuts").inner_text()
    for command in commands:
        if command.get("name"):
            assert command["name"] in shown
    keys = {command["key"] for command in commands if command.get("key")}
    told = set(desk.page.locator("dialog kbd").all_inner_texts())
    spelt = {text.split(" + ")[-1] for text in told}
    names = {
        "ArrowUp": "↑",
        "ArrowDown": "↓",
        "PageUp": "PgUp",
        "PageDown": "PgDn",
        "-": "−",
        "Escape": "Esc",
    }
    silent = {"ArrowLeft", "ArrowRight", "y", *"23456789"}
    for key in keys - silent:
        text = names.get(key, key)
        assert {text, text.upper()} & spelt or text == "1", key
