"""Lists: filters and search, folders, several objects at once, hover, 20,000 images.

Times are the page's own, by performance.now() around what the page does for one step; their limit
is the issue's 100 ms, times the load of the machine that runs the tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Server
from fakes import shapes_image
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
ELLIPSE, RECTANGLE, GREEN = (56, 54), (124, 66), (140, 20)
Start, Sit = Callable[..., Server], Callable[..., Desk]
NAME = "#image-list .current .name"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Five images: one in the folder itself, two in each of two folders, one of which is nested."""
    folder = tmp_path / "tree"
    for name in ("top.png", "city/a.png", "city/b.png", "city/night/c.png", "city/night/d.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shapes_image()).save(path)
    return folder


def listed(desk: Desk) -> list[str]:
    return desk.page.locator("#image-list .name").all_inner_texts()


def test_folders_are_a_tree_that_folds(tree: Path, serve: Start, sit_down: Sit) -> None:
    desk = sit_down(serve(tree))
    whole = ["city", "a.png", "b.png", "night", "c.png", "d.png", "top.png"]
    assert listed(desk) == whole
    desk.page.locator("[data-folder='city/night/']").get_by_role("button").click()
    assert listed(desk) == ["city", "a.png", "b.png", "night", "top.png"]
    desk.page.locator("[data-folder='city/']").get_by_role("button").press("ArrowLeft")
    assert listed(desk) == ["city", "top.png"]
    desk.page.locator("#stage").focus()
    desk.press("PageDown")  # from city/a.png: what is opened is unfolded
    expect(desk.page.locator(NAME)).to_have_text("b.png")
    desk.press("PageDown")
    expect(desk.page.locator(NAME)).to_have_text("c.png")
    assert listed(desk) == whole


def test_going_on_and_accepting_follow_the_filtered_list(
    tree: Path, serve: Start, sit_down: Sit
) -> None:
    server = serve(tree)
    desk = sit_down(server, "city/a.png")
    desk.press("r").press("PageDown").press("PageDown").press("r")
    assert [found["state"] for found in server.images().values()].count("review") == 2
    desk.page.locator("[data-filter=review]").click()
    assert listed(desk) == ["city", "a.png", "night", "c.png"]
    desk.page.locator("#stage").focus()
    desk.press("PageUp")
    expect(desk.page.locator(NAME)).to_have_text("a.png")
    desk.press("Control+Enter")
    expect(desk.page.locator(NAME)).to_have_text("c.png")
    desk.press("Control+Enter")
    expect(desk.page.locator("#toasts")).to_contain_text("All images of this list are done")
    expect(desk.page.locator("#none-fits")).to_contain_text("No images among “Review”")
    desk.page.get_by_role("button", name="Show all images").click()
    assert len(listed(desk)) == 7


def test_search_finds_names_and_labels_and_says_when_nothing_fits(
    tree: Path, serve: Start, sit_down: Sit
) -> None:
    desk = sit_down(serve(tree), "top.png").click(*ELLIPSE).press("2")
    search = desk.page.locator("#search")
    search.fill("NIGHT/")
    assert listed(desk) == ["city", "night", "c.png", "d.png"]
    search.fill("label:plate")
    assert listed(desk) == ["top.png"]
    search.fill("no such thing")
    expect(desk.page.locator("#none-fits")).to_contain_text("Nothing fits “no such thing”.")
    desk.page.get_by_role("button", name="Show all images").click()
    expect(search).to_have_value("")
    before = listed(desk)
    search.fill("night/")
    search.press("Escape")
    expect(search).to_have_value("")
    assert listed(desk) == before


def test_enter_opens_the_first_image_found_and_keeps_to_what_was_found(
    tree: Path, serve: Start, sit_down: Sit
) -> None:
    desk = sit_down(serve(tree), "top.png")
    desk.page.locator("#search").press_sequentially("NIGHT/")
    desk.page.keyboard.press("Enter")
    current = desk.page.locator("#image-list [aria-current]")
    expect(current).to_contain_text("c.png")
    desk.ready().press("PageDown")
    expect(current).to_contain_text("d.png")
    assert listed(desk) == ["city", "night", "c.png", "d.png"]


def test_several_objects_are_labelled_hidden_and_deleted_together(
    desk: Desk, server: Server, picture: str
) -> None:
    desk.click(*ELLIPSE).press("n").click(*RECTANGLE).press("n").click(*GREEN)
    rows = desk.page.locator("#object-list .pick")
    expect(desk.page.locator("#object-list .number")).to_have_text(["3", "2", "1"])
    rows.nth(0).click()
    rows.nth(1).click(modifiers=["Control"])
    expect(desk.page.locator("#several-count")).to_contain_text("2 chosen")
    desk.page.locator("#stage").focus()
    desk.press("3")
    labels = [found["label"] for found in server.document(picture)["objects"]]
    assert labels == ["cup", "spoon", "spoon"]
    desk.page.get_by_role("button", name="Hide / show").click()
    desk.ready()
    assert [found["visible"] for found in server.document(picture)["objects"]] == [
        True,
        False,
        False,
    ]
    desk.page.locator("#stage").focus()
    desk.press("h", "l")
    objects = server.document(picture)["objects"]
    assert [found["visible"] for found in objects] == [True, True, True]
    assert [found["locked"] for found in objects] == [False, True, True]
    desk.press("l")
    rows.nth(0).click()
    rows.nth(2).click(modifiers=["Shift"])
    expect(desk.page.locator("#several-count")).to_contain_text("3 chosen")
    desk.page.locator("#stage").focus()
    desk.press("Delete")
    assert server.document(picture)["objects"] == []
    desk.press("Control+z")
    assert len(server.document(picture)["objects"]) == 3
    expect(desk.page.locator("#several-count")).to_contain_text("3 chosen")
    desk.press("Control+a", "Escape")
    expect(desk.page.locator("#several")).to_be_hidden()


def test_hover_lights_the_mask_and_the_row(desk: Desk) -> None:
    desk.click(*ELLIPSE).press("n").click(*RECTANGLE)
    before = desk.opacity_at(40, 54)
    desk.page.locator("#object-list .pick").last.hover()
    desk.ready()
    assert desk.opacity_at(40, 54) > before + 0.1
    desk.page.mouse.move(*desk.window_point(60, 60))
    expect(desk.page.locator("#object-list .row.lit .number")).to_have_text("1")
    desk.page.mouse.move(*desk.window_point(5, 5))
    expect(desk.page.locator("#object-list .row.lit")).to_have_count(0)


def test_objects_are_coloured_by_label_or_each_for_itself(desk: Desk) -> None:
    desk.click(*ELLIPSE).press("n").click(*RECTANGLE)
    swatches = (
        "[...document.querySelectorAll('#object-list .swatch')].map(it => it.style.backgroundColor)"
    )
    assert len(set(desk.page.evaluate(swatches))) == 1
    desk.press("Shift+O")
    assert len(set(desk.page.evaluate(swatches))) == 2
    desk.page.reload()
    desk.ready()
    assert len(set(desk.page.evaluate(swatches))) == 2  # remembered


# What one step of the list takes, from the event until the list is laid out again.
_STEP = """([selector, value]) => {
  const input = document.querySelector(selector);
  const begun = performance.now();
  if (value === null) input.click();
  else { input.value = value; input.dispatchEvent(new Event('input')); }
  document.getElementById('image-list').getBoundingClientRect();
  return performance.now() - begun;
}"""


@pytest.mark.slow
def test_twenty_thousand_images_are_listed_filtered_and_searched(
    tmp_path: Path, serve: Start, sit_down: Sit
) -> None:
    folder = tmp_path / "many"
    first = folder / "000" / "00000.png"
    first.parent.mkdir(parents=True)
    Image.fromarray(shapes_image()).save(first)
    for number in range(1, 20_000):
        path = folder / f"{number // 500:03}" / f"{number:05}.png"
        path.parent.mkdir(exist_ok=True)
        os.link(first, path)
    desk = sit_down(serve(folder))
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    assert desk.page.locator("#image-list li").count() < 60
    steps: list[tuple[str, Any]] = [
        ("#search", "19"),
        ("#search", "19999"),
        ("#search", ""),
        ("[data-filter=todo]", None),
        ("[data-filter=done]", None),
        ("[data-filter=all]", None),
    ]
    for step in steps:  # the first time the browser compiles what it runs
        desk.page.evaluate(_STEP, list(step))
    taken = {step: desk.page.evaluate(_STEP, list(step)) for step in steps}
    print({f"{name} {value}": round(ms, 1) for (name, value), ms in taken.items()})
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert max(taken.values()) < 100 * busy
    desk.page.locator("#search").fill("19999")
    expect(desk.page.locator("#image-list .name").last).to_have_text("19999.png")
    expect(desk.page.locator("#image-list img").last).to_have_js_property("complete", True)
    assert sum("thumbnail" in url for url in asked) < 60  # of what was in sight, no more


def test_the_open_images_thumbnail_comes_first(server: Server, sit_down: Sit) -> None:
    desk = sit_down(server)
    desk.page.goto("about:blank")  # what the page is still asking for isn't meant
    with desk.page.expect_request("**/thumbnail.jpg*") as first:
        desk.open("70.png")
    names = desk.page.locator("#image-list .name")
    assert names.first.inner_text() != "70.png"  # others in sight stand before it
    assert server.images()["70.png"]["id"] in first.value.url


def test_an_image_far_down_is_in_sight_when_the_drawer_opens(server: Server, sit_down: Sit) -> None:
    desk = sit_down(server, "70.png", viewport={"width": 640, "height": 360})
    desk.page.locator("#drawer").click()
    expect(desk.page.locator("#image-list .current")).to_be_in_viewport()


def test_keys_in_the_open_drawer_reach_nothing_behind_it(
    desk: Desk, server: Server, picture: str
) -> None:
    desk.page.set_viewport_size({"width": 800, "height": 600})
    desk.ready().click(*ELLIPSE)
    row = desk.page.locator("#image-list .current")
    desk.page.locator("#drawer").click()
    expect(row).to_be_focused()
    desk.press("Delete", "Control+z", "n")
    assert len(server.document(picture)["objects"]) == 1
    desk.press("Escape")
    expect(row).to_be_hidden()
    assert desk.selected() is not None
    desk.press("Delete")
    assert server.document(picture)["objects"] == []
