"""Boxes, outlines, scribbles, moves and sizes by mouse and by keyboard; touching objects kept
apart, merged, subtracted and split.

On copies of the coffee cup, which stands around (290, 200). What each does to pixels is in
tests/app/test_handwork.py and test_apart.py; here it has to arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from desk import Desk, Server
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Photo = Callable[..., Desk]
SQUARE = ((470, 60), (560, 60), (560, 150), (470, 150))  # on the table
BESIDE = ((400, 60), (500, 60), (500, 150), (400, 150))  # overlaps it
BESIDE_MIDDLE = (440, 105)


def outline(desk: Desk, *corners: tuple[float, float]) -> Desk:
    """As a polygon: its corners, then Enter."""
    for corner in corners:
        desk.page.mouse.click(*desk.window_point(*corner))
        desk.page.wait_for_timeout(1)
    return desk.press("Enter")


def square_mask(corners: tuple[tuple[float, float], ...]) -> np.ndarray:
    """The pixels between the first and the third corner."""
    mask = np.zeros((400, 600), bool)
    (x0, y0), _, (x1, y1), _ = corners
    mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return mask


def nearly(mask: np.ndarray, other: np.ndarray) -> bool:
    """The mouse aims in steps of a CSS pixel, which isn't a pixel of the image."""
    return np.count_nonzero(mask ^ other) <= 0.06 * np.count_nonzero(other)


def test_a_box_gives_a_mask_that_clicks_refine(photo: Photo) -> None:
    desk = photo("coffee")
    desk.press("b").drag((150, 20), (410, 330))
    (made,) = desk.objects()
    assert np.allclose(made["prompt"], [150, 20, 410, 330], atol=1)
    area = made["area"]
    assert area > 10_000
    desk.click(440, 350, positive=False)  # a press without a drag
    assert [click["positive"] for click in desk.objects()[0]["clicks"]] == [False]
    desk.press("Control+z", "Control+z")
    assert desk.objects() == []
    desk.press("Control+Shift+Z")
    assert desk.objects()[0]["area"] == area
    # Another box begins another object; by keyboard, two corners.
    desk.press("ArrowRight", "Enter", *["Shift+ArrowRight"] * 4, *["Shift+ArrowDown"] * 3, "Enter")
    assert len(desk.objects()) == 2


def test_lasso_and_polygon_draw_what_the_network_will_not_get(photo: Photo) -> None:
    desk = photo("coffee")
    desk.press("a").drag(*SQUARE, SQUARE[0])
    assert nearly(desk.mask(), square_mask(SQUARE))
    outline(desk, *BESIDE)
    assert nearly(desk.mask(), square_mask(SQUARE) | square_mask(BESIDE))
    desk.press("Control+z")
    assert nearly(desk.mask(), square_mask(SQUARE))
    for corner in SQUARE[:2]:
        desk.page.mouse.click(*desk.window_point(*corner), button="right")
    desk.press("Delete", "Control+z")  # the corners, one by one, and no object behind them
    assert nearly(desk.mask(), square_mask(SQUARE))
    for corner in SQUARE[:2]:
        desk.page.mouse.click(*desk.window_point(*corner), button="right")
    desk.press("Escape")  # puts away what is half done, and nothing else
    assert desk.selected() == desk.objects()[0]["id"]
    assert nearly(desk.mask(), square_mask(SQUARE))


def test_a_scribble_takes_the_area_of_its_colour(photo: Photo) -> None:
    desk = photo("coffee")
    desk.press("w", *["["] * 8).drag((280, 180), (300, 200))  # the coffee in the cup
    mask = desk.mask()
    assert mask[190, 290]
    assert not mask[380, 20]
    painted = np.count_nonzero(mask)
    desk.press("Control+z")
    assert desk.objects() == []
    desk.press("d").drag((280, 180), (300, 200))
    assert painted > 1.5 * np.count_nonzero(desk.mask())  # more than the line itself


def test_a_mask_is_nudged_dragged_grown_and_shrunk(photo: Photo) -> None:
    desk = photo("coffee")
    outline(desk.press("a"), *SQUARE)
    before = desk.mask()
    desk.press("v", *["ArrowLeft"] * 3, "Shift+ArrowDown").page.wait_for_timeout(400)
    desk.ready()
    moved = np.zeros_like(before)
    moved[10:, :-3] = before[:-10, 3:]
    np.testing.assert_array_equal(desk.mask(), moved)
    desk.press("Control+z")  # all of it was one step
    np.testing.assert_array_equal(desk.mask(), before)
    desk.drag((515, 105), (495, 125))
    assert desk.server.document(desk.name)["undo"] == "shift"
    desk.press("Control+z", "Shift+G")
    assert desk.objects()[0]["area"] > before.sum()
    desk.press("Control+z")
    desk.page.locator("#grow-by").fill("7")
    desk.page.locator("[data-command=shrink]").click()
    desk.ready()
    x0, y0, x1, y1 = desk.objects()[0]["box"]
    assert (x1 - x0, y1 - y0) == (before.any(0).sum() - 14, before.any(1).sum() - 14)


def let_overlap(desk: Desk) -> None:
    """Switches "Keep objects apart" off, for this page alone: other tests have the same project."""
    with desk.page.expect_response(lambda answer: answer.request.post_data is not None):
        desk.page.get_by_role("switch", name="Keep objects apart").uncheck()
    desk.server.ask("/project", {"keep_apart": None})


def test_objects_are_kept_apart_until_the_switch_is_off(photo: Photo) -> None:
    desk = photo("coffee")
    outline(desk.press("a"), *SQUARE)
    first = desk.mask()
    outline(desk.press("n"), *BESIDE)
    assert not (desk.mask(1) & first).any()
    np.testing.assert_array_equal(desk.mask(0), first)
    desk.press("Control+z")
    switch = desk.page.get_by_role("switch", name="Keep objects apart")
    expect(switch).to_be_checked()
    let_overlap(desk)
    outline(desk.press("n"), *BESIDE)
    assert (desk.mask(1) & first).any()
    # Layers stay layers for whoever never touched the switch.
    desk.page.evaluate("document.cookie = 'vtmr-preferences=; max-age=0'")
    desk.page.goto("about:blank")
    desk.open(desk.name)
    expect(switch).not_to_be_checked()


def test_a_colleague_finds_objects_kept_apart_as_they_were(
    folder: Path, serve: Callable[..., Server], sit_down: Callable[..., Desk]
) -> None:
    """Another browser on the same folder; what it says outlives what that one had chosen."""
    server = serve(folder)
    desk, colleague = sit_down(server, "a.png"), sit_down(server, "b.png")
    switches = [
        at.page.get_by_role("switch", name="Keep objects apart") for at in (desk, colleague)
    ]
    with desk.page.expect_response("**/api/v1/project"):
        switches[0].uncheck()
    colleague.page.reload()
    expect(switches[1]).not_to_be_checked()
    with colleague.page.expect_response("**/api/v1/project"):
        colleague.ready().press("q")
    desk.page.reload()
    expect(switches[0]).to_be_checked()


def test_two_touching_objects_are_separated_in_six_actions(photo: Photo) -> None:
    """A mask that runs over both is cut in two by a line and one half labelled anew."""
    desk = photo("coffee")
    both = ((470, 60), (560, 60), (560, 150), (470, 150), (470, 60))
    desk.press("a").drag(*both)
    actions = [
        lambda: desk.press("t"),
        lambda: desk.drag((515, 40), (515, 170)),
        lambda: desk.press("2"),
    ]
    for act in actions:
        act()
    one, other = desk.objects()
    assert (one["label"], other["label"]) == ("plate", "cup")
    np.testing.assert_array_equal(
        desk.mask(0).any(1) | desk.mask(1).any(1), square_mask(SQUARE).any(1)
    )
    assert not (desk.mask(0) & desk.mask(1)).any()
    assert len(actions) <= 6


def test_masks_are_merged_subtracted_and_split_into_parts(photo: Photo) -> None:
    desk = photo("coffee")
    let_overlap(desk)
    outline(desk.press("a"), *SQUARE)
    outline(desk.press("n"), *BESIDE)
    one, other = desk.mask(0), desk.mask(1)
    desk.press("s")
    expect(desk.page.locator("#hint")).to_contain_text("taken out")
    desk.click(545, 130)  # the first one; the second is selected
    np.testing.assert_array_equal(desk.mask(1), other & ~one)
    desk.press("Control+z", "m")
    desk.page.locator("#object-list .pick").last.click()  # its row will do as well
    desk.ready()
    assert len(desk.objects()) == 1
    np.testing.assert_array_equal(desk.mask(0), one | other)
    desk.press("Control+z").press("m", "Escape")
    assert len(desk.objects()) == 2
    desk.press("c")
    expect(desk.page.locator("#hint")).not_to_contain_text("merge")

    rows = desk.page.locator("#object-list .pick")
    rows.last.click(modifiers=["Control"])  # both are chosen: these are meant
    desk.press("m")
    assert len(desk.objects()) == 1
    desk.press("Control+z")
    assert len(desk.objects()) == 2

    outline(desk.press("a"), (100, 300), (140, 300), (140, 340), (100, 340))  # a second part
    desk.page.locator("[data-command=split]").click()
    desk.ready()
    assert len(desk.objects()) == 3


LONG_LINE = """async () => {
  const { createStrokeLayer } = await import("/static/js/paint/strokelayer.js");
  let edges = 0;
  const { lineTo } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.lineTo = function (...rest) {
    edges += 1;
    return lineTo.apply(this, rest);
  };
  const points = Array.from({ length: 1000 }, (_, i) => [20 + ((7 * i) % 280), 20 + i / 5]);
  const shared = { view: { scale: 1, x: 0, y: 0 }, viewport: { ratio: 1 }, opacity: 0.45 };
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 240];
  const context = canvas.getContext("2d");
  const paint = (layer, count, more) => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, 320, 240);
    const stroke = { points: points.slice(0, count), radius: 6, mode: "add", ...more };
    layer.paint(context, { ...shared, waiting: [], stroke }, "#ffb703");
  };
  const opacities = () => context.getImageData(0, 0, 320, 240).data.filter((_, i) => i % 4 === 3);
  const pressures = points.map((_, i) => 0.5 + (i % 100) / 100);
  return [() => ({}), (count) => ({ pressures: pressures.slice(0, count) })].map((more) => {
    edges = 0;
    const layer = createStrokeLayer();
    for (let count = 20; count <= 1000; count += 20) paint(layer, count, more(count));
    const [painted, grown] = [edges, opacities()];
    paint(createStrokeLayer(), 1000, more(1000));
    const whole = opacities();
    const apart = whole.reduce((sum, it, i) => sum + Math.abs(it - grown[i]), 0) / whole.length;
    return { edges: painted, apart, covered: whole.filter((it) => it > 0).length / whole.length };
  });
}"""


def test_a_long_line_grows_by_its_new_stretches_and_looks_as_if_drawn_whole(
    server: Server, sit_down: Callable[..., Desk]
) -> None:
    """A line of a thousand points that grows by twenty a frame: painted whole each time, it would
    be 25,500 stretches."""
    for line in sit_down(server).page.evaluate(LONG_LINE):
        assert 1000 <= line["edges"] < 3000
        assert line["covered"] > 0.5
        assert line["apart"] < 1


def test_tools_that_need_an_object_ask_for_one(desk: Desk) -> None:
    hint = desk.page.locator("#hint")
    for key in ("t", "e"):
        desk.press(key)
        expect(hint).to_contain_text("There is no object here yet")
    desk.press("c").click(56, 54).press("Escape", "t")
    expect(hint).to_contain_text("Select an object first")
    desk.page.keyboard.down("Shift")
    desk.click(56, 54).page.keyboard.up("Shift")
    expect(hint).to_contain_text("Draw a line right across")
