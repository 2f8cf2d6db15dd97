"""States told truly: what is saved, a server that is started again, what keys may not do behind a
menu, and an acceptance that is taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE = (56, 54), (124, 66)
Start, Sit = Callable[..., Server], Callable[..., Desk]
NAME = "#image-list .current .name"


def test_what_is_saved_and_what_accept_means_is_said(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    saved = desk.page.locator("#saved")
    expect(saved).to_have_text("Every change is saved. Accept marks the image as done.")
    place = desk.window_point(*RECTANGLE)
    desk.lose_the_server()
    desk.page.mouse.click(*place)
    expect(saved).to_contain_text("1 not saved yet")
    desk.page.unroute_all()
    desk.ready()
    expect(saved).to_contain_text("Every change is saved")


def test_undo_takes_back_accept_wherever_the_page_went_on_to(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE).press("Control+Enter")
    expect(desk.page.locator(NAME)).to_have_text("b.png")
    desk.ready().press("Control+z")
    expect(desk.page.locator("#toasts")).to_contain_text("back in work")
    expect(desk.page.locator(NAME)).to_have_text("a.png")
    desk.ready()
    assert server.images()["a.png"]["state"] == "in_work"
    assert len(server.document("a.png")["objects"]) == 1  # nothing else was undone

    desk.press("Control+Enter")
    expect(desk.page.locator(NAME)).to_have_text("b.png")
    desk.ready().click(*ELLIPSE).press("Control+z")  # now it is the click that was last
    assert server.images()["a.png"]["state"] == "done"
    assert server.document("b.png")["objects"] == []


@pytest.mark.parametrize("menu", ["#export", "#look-button"])
def test_keys_never_reach_what_lies_behind_a_menu(
    menu: str, folder: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(folder)
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    before = server.document("a.png")
    selected = desk.page.locator("#object-list .row.current")
    desk.page.locator(menu).click()
    desk.press("Delete", "n", "2", "Control+Enter", "Control+z")
    assert server.document("a.png") == before
    desk.press("Escape")
    expect(desk.page.locator(":popover-open")).to_have_count(0)
    expect(selected).to_have_count(1)
    desk.page.locator("#manage-labels").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Close").focus()
    desk.press("Delete", "Escape")
    expect(desk.page.get_by_role("dialog")).to_have_count(0)
    expect(selected).to_have_count(1)
    assert server.document("a.png") == before


def test_a_server_that_was_started_again_is_told(folder: Path, serve: Start, sit_down: Sit) -> None:
    """The page asks now and then by itself; the test lets that come at once."""
    server = serve(folder, keep="keep")
    desk = sit_down(server, "a.png").click(*ELLIPSE)
    server.kill()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "new.png")
    serve(folder, keep="keep")
    desk.page.mouse.click(*desk.window_point(*RECTANGLE))
    expect(desk.page.locator("#toasts")).to_contain_text("started again")
    expect(desk.page.locator("#image-list .name", has_text="new.png")).to_have_count(1)
    desk.ready()
    assert desk.is_painted(40, 54)


def test_files_that_are_left_out_are_listed_with_the_reason(
    folder: Path, serve: Start, sit_down: Sit
) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "IMG_1.CR2").write_text("x")
    desk = sit_down(serve(folder))
    desk.page.get_by_role("button", name="2 files left out").click()
    box = desk.page.get_by_role("dialog", name="Left out of the list")
    expect(box).to_contain_text("IMG_1.CR2")
    expect(box).to_contain_text("Files that aren't images.")


def test_brightness_and_a_window_change_what_is_seen_and_no_mask(
    tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    """A 16-bit ramp from 20,000 in steps of 100: the usual window spreads it from black to
    white."""
    values = np.tile(20_000 + 100 * np.arange(160, dtype=np.uint16), (120, 1))
    Image.fromarray(values).save(tmp_path / "ramp.png")
    Image.fromarray(np.full((120, 160), 128, np.uint8)).save(tmp_path / "s.png")
    Image.fromarray(values[:, ::-1]).save(tmp_path / "turned.png")
    desk = sit_down(serve(tmp_path), "ramp.png")
    page = desk.page

    def ends() -> tuple[int, int]:
        row = desk.pixels("photo")[..., 0]
        seen = row[row.shape[0] // 2][desk.pixels("photo")[row.shape[0] // 2, :, 3] > 0]
        return int(seen[3]), int(seen[-4])

    assert 60 < ends()[0] < 90
    page.locator("#look-button").click()
    page.get_by_role("button", name="Usual window").click()
    desk.ready()
    assert ends()[0] < 15
    assert ends()[1] > 240
    page.keyboard.press("Escape")
    desk.press("PageDown")
    assert abs(ends()[0] - 128) < 3  # the window isn't for 8 bits
    desk.press("PageDown")
    expect(page.locator(NAME)).to_have_text("turned.png")
    page.wait_for_function("document.querySelector('#window-part').hidden === false")
    desk.ready()
    assert ends()[0] > 240  # but it is for the next one of 16
    assert ends()[1] < 15
    desk.press("PageUp", "PageUp")
    page.locator("#look-button").click()
    page.get_by_role("slider", name="Gamma").evaluate(
        "it => { it.value = 2; it.dispatchEvent(new Event('input')); }"
    )
    expect(page.locator("#photo")).to_have_css("filter", 'url("#look")')
    assert page.locator("#look .power").first.get_attribute("exponent") == "0.5"
    page.get_by_role("button", name="As it is").click()
    desk.ready()
    assert 60 < ends()[0] < 90
    expect(page.locator("#photo")).to_have_css("filter", "none")
