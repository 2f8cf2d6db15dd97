"""The page's pure modules, run in the browser that runs them.

Expected values are worked out by hand or by numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from desk import luminance
from playwright.sync_api import Browser, Route

import vtmr

pytestmark = pytest.mark.browser
STATIC = Path(vtmr.__file__).parent / "app" / "static"
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Call]:
    """call("geometry.toImage", view, point): runs an exported function on plain values."""
    page = browser.new_page()

    def answer(route: Route) -> None:
        path = STATIC / route.request.url.removeprefix("http://page.test/")
        if path.is_file():
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page.route("**", answer)
    page.goto("http://page.test/")

    def run(name: str, *values: Any) -> Any:
        module, function = name.split(".")
        source = (
            "([module, name, values]) => import(`/js/${module}.js`).then((it) => "
            "it[name](...values))"
        )
        return page.evaluate(source, [module, function, values])

    yield run
    page.close()


SIZE, VIEWPORT = {"width": 400, "height": 200}, {"width": 884, "height": 632, "ratio": 2}


def test_the_fitted_image_lies_in_the_middle_of_what_the_margins_leave(call: Call) -> None:
    """Margins 68 left, 58 below and 16 elsewhere leave 800 x 558: twice the image's width."""
    assert call("geometry.fit", SIZE, VIEWPORT) == {"scale": 2, "x": 68, "y": 95}


def test_a_distance_to_a_mask_is_to_its_nearest_pixel(call: Call) -> None:
    """Two pixels of a box of 4 x 3, and a run that fills two rows and a pixel."""
    dots = {"box": [10, 20, 14, 23], "runs": [1, 1, 9, 1]}  # (11, 20) and (13, 22)
    assert call("masks.distanceToMask", dots, [11.5, 20.5]) == 0
    assert call("masks.distanceToMask", dots, [11.5, 26]) == pytest.approx(np.hypot(1.5, 3))
    assert call("masks.distanceToMask", dots, [8, 20.5]) == 3
    assert call("masks.distanceToMask", dots, [12.5, 21.5]) == pytest.approx(np.hypot(0.5, 0.5))
    run = {"box": [10, 20, 14, 23], "runs": [0, 9, 3]}
    assert call("masks.distanceToMask", run, [13.5, 22]) == 0
    assert call("masks.distanceToMask", run, [13.5, 22.5]) == 0.5
    assert call("masks.distanceToMask", run, [20, 21]) == 6


def test_a_point_is_far_beyond_a_tenth_of_the_photo_and_most_of_the_mask(call: Call) -> None:
    """Of 1000 x 600 pixels a tenth is 100; .7 of a mask's size is 70 where it has 100 x 100 pixels,
    and 140 where it has 400 x 100."""

    def far(x: float, *, width: int = 100, scale: float = 1) -> list[bool]:
        state = {
            "document": {"width": 1000, "height": 600},
            "masks": {"a": {"box": [0, 0, width, 100], "runs": [0, width * 100]}},
            "selected": "a",
            "farClicks": True,
            "view": {"scale": scale, "x": 0, "y": 0},
        }
        return [call(f"intent.{name}", state, [x, 50]) for name in ("isDoubtful", "isFar")]

    assert far(129) == [False, False]
    assert far(131) == [True, False]
    assert far(199) == [True, False]
    assert far(201) == [True, True]
    assert far(201, scale=0.4) == [True, False]  # under 48 px on the screen
    assert far(539, width=400) == [True, False]
    assert far(541, width=400) == [True, True]
    nothing = {"document": {"width": 9, "height": 9}, "masks": {}, "selected": None}
    assert not call("intent.isFar", nothing, [8, 8])


def test_the_pointer_says_where_a_click_goes_unless_that_is_certain(call: Call) -> None:
    """A mask of 100 x 100 pixels in a photo of 1000 x 600: see the distances above."""
    state = {
        "document": {
            "width": 1000,
            "height": 600,
            "objects": [{"id": "o4", "visible": True, "label": "cup"}],
        },
        "masks": {"o4": {"box": [0, 0, 100, 100], "runs": [0, 10000]}},
        "selected": "o4",
        "fresh": False,
        "farClicks": True,
        "overlay": True,
        "view": {"scale": 1, "x": 0, "y": 0},
    }

    def tag(x: float, **more: Any) -> Any:
        point = [x, 50]
        intent = call("intent.intentOf", state | more, point, True)
        return call("intent.tagOf", state | more, intent, point)

    assert [tag(x) for x in (50, 129, 131, 199, 201)] == [
        None,
        None,
        "Part of object 4",
        "Part of object 4",
        "New object",
    ]
    assert [tag(x, farClicks=False) for x in (131, 201)] == [None, None]
    assert [tag(x, selected=None) for x in (50, 131)] == ["Select cup", None]


def test_a_click_does_what_its_place_says(call: Call) -> None:
    """Two masks of 20 x 20 pixels, far apart."""

    def square(x: int) -> dict[str, Any]:
        return {"box": [x, 0, x + 20, 20], "runs": [0, 400]}

    objects = [{"id": "a", "visible": True}, {"id": "b", "visible": True}]
    state = {
        "document": {"objects": objects, "width": 400, "height": 200},
        "masks": {"a": square(0), "b": square(300)},
        "selected": None,
        "fresh": False,
        "farClicks": True,
        "overlay": True,
        "view": {"scale": 2, "x": 0, "y": 0},
    }

    def does(point: list[float], positive: bool = True, coming: bool = False, **more: Any) -> Any:
        return tuple(call("intent.intentOf", state | more, point, positive, coming).values())

    assert does([10, 10]) == ("select", "a")
    assert does([10, 10], fresh=True) == ("new", None)
    assert does([10, 10], overlay=False) == ("new", None)
    assert does([150, 10]) == ("new", None)
    assert does([150, 10], positive=False) == ("nothing", None)
    assert does([150, 10], positive=False, coming=True) == ("take", None)
    assert does([150, 10], coming=True) == ("add", None)
    assert does([59, 10], selected="a") == ("add", "a")
    assert does([61, 10], selected="a") == ("new", None)
    assert does([150, 10], selected="a") == ("new", None)
    assert does([310, 10], selected="a") == ("select", "b")
    assert does([310, 10], selected="a", farClicks=False) == ("add", "a")
    assert does([310, 10], selected="a", positive=False) == ("take", "a")


def test_points_go_to_the_screen_and_back(call: Call) -> None:
    view = {"scale": 2.5, "x": -30, "y": 12}
    assert call("geometry.toScreen", view, [10.5, 4]) == [-3.75, 22]
    assert call("geometry.toImage", view, [-3.75, 22]) == [10.5, 4]
    assert call("geometry.pixelOf", [10.99, 4]) == [10, 4]


def test_zooming_keeps_the_point_under_the_pointer(call: Call) -> None:
    view, anchor = {"scale": 2, "x": 68, "y": 116}, [300, 250]
    zoomed = call("geometry.zoomBy", view, 3, anchor)
    assert zoomed["scale"] == 6
    assert call("geometry.toImage", zoomed, anchor) == pytest.approx(
        call("geometry.toImage", view, anchor)
    )


def test_the_image_can_not_be_lost(call: Call) -> None:
    """A quarter of the viewport stays covered, the scale ends at 64 device pixels per image pixel
    (here 32 CSS)."""
    lost = call("geometry.limited", {"scale": 1000, "x": 1e6, "y": -1e6}, SIZE, VIEWPORT, 2)
    assert lost["scale"] == 32
    assert lost["x"] == 884 * 3 / 4
    assert lost["y"] == 632 / 4 - 200 * 32
    tiny = call("geometry.limited", {"scale": 1e-6, "x": 0, "y": 0}, SIZE, VIEWPORT, 2)
    assert tiny["scale"] == 0.5  # a quarter of the fitted 2


def test_offsets_are_whole_device_pixels(call: Call) -> None:
    assert call("geometry.snapped", {"scale": 3, "x": 10.3, "y": -4.8}, 2) == {
        "scale": 3,
        "x": 10.5,
        "y": -5,
    }


def test_what_is_visible_is_rounded_outwards_and_ends_at_the_image(call: Call) -> None:
    assert call("geometry.visibleBox", {"scale": 4, "x": -42, "y": 30}, SIZE, VIEWPORT) == [
        10,
        0,
        232,
        151,
    ]
    assert call("geometry.visibleBox", {"scale": 1, "x": 2000, "y": 0}, SIZE, VIEWPORT) is None


@pytest.mark.parametrize(
    ("scale", "level"), [(4, 0), (1, 0), (0.51, 0), (0.5, 1), (0.26, 1), (0.25, 2), (0.001, 3)]
)
def test_the_level_has_a_pixel_for_each_device_pixel(call: Call, scale: float, level: int) -> None:
    assert call("tiles.levelFor", scale, 4) == level


def test_tiles_cover_the_box_and_end_at_the_image(call: Call) -> None:
    tiles = call("tiles.tilesIn", [1000, 0, 1100, 600], 0, 512, {"width": 1050, "height": 700})
    assert [(tile["col"], tile["row"], tile["box"]) for tile in tiles] == [
        (1, 0, [512, 0, 1024, 512]),
        (2, 0, [1024, 0, 1050, 512]),
        (1, 1, [512, 512, 1024, 700]),
        (2, 1, [1024, 512, 1050, 700]),
    ]
    (coarse,) = call("tiles.tilesIn", [1000, 0, 1100, 600], 2, 512, {"width": 1050, "height": 700})
    assert coarse["box"] == [0, 0, 1050, 700]


def wire(mask: np.ndarray) -> dict[str, Any]:
    """A mask in the form of docs/api.md, its box the whole array but for a border of two."""
    inner = mask[2:-2, 2:-2]
    flat = np.concatenate([[False], inner.ravel(), [not inner[-1, -1]]])
    runs = np.diff(np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1], [True]])))
    runs = runs.tolist()
    runs[0] -= 1
    return {"box": [2, 2, mask.shape[1] - 2, mask.shape[0] - 2], "runs": runs[:-1]}


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """A mask with many parts, holes and diagonal neighbours: smoothed noise, off in a border of
    two."""
    noise = cv2.GaussianBlur(np.random.default_rng(3).normal(size=(60, 80)), (0, 0), 1.5)
    mask = noise > 0.05
    mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = False, False, False, False
    return mask


def lit(cells: dict[str, Any]) -> np.ndarray:
    """The cells that are on, bool height x width."""
    on = np.zeros((cells["height"], cells["width"]), bool)
    for row, first, after in np.array(cells["spans"], int).reshape(-1, 3):
        assert first < after
        assert not on[row, max(first - 1, 0) : after + 1].any(), "two spans of a row touch"
        on[row, first:after] = True
    return on


@pytest.mark.parametrize("region", [(0, 0, 80, 60), (10, 7, 51, 40), (30, 20, 31, 21)])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_masks_are_decoded_at_any_step(
    call: Call, blobs: np.ndarray, region: tuple[int, ...], step: int
) -> None:
    x0, y0, x1, y1 = region
    cells = call("masks.cellsOf", wire(blobs), region, step)
    padded = np.pad(blobs, ((0, 8), (0, 8)))  # a last cell's middle may lie beyond
    rows, cols = np.arange(y0, y1, step) + step // 2, np.arange(x0, x1, step) + step // 2
    assert np.array_equal(lit(cells), padded[np.ix_(rows, cols)])


def test_area_and_membership(call: Call, blobs: np.ndarray) -> None:
    assert call("masks.areaOf", wire(blobs)) == np.count_nonzero(blobs)
    assert call("masks.areaOf", None) == 0
    for x, y in [(0, 0), (2, 2), (40, 30), (41, 30), (77, 57), (79, 59), (200, 3)]:
        expected = y < 60 and x < 80 and bool(blobs[y, x])
        assert call("masks.isOn", wire(blobs), [x, y]) is expected


@pytest.mark.parametrize("step", [1, 2])
def test_outlines_enclose_exactly_the_cells_that_are_on(call: Call, step: int) -> None:
    """Filled by the even-odd rule, the loops give the cells back; a loop per 8-connected part and
    4-connected hole."""
    mask = np.zeros((6, 8), bool)
    mask[1:5, 1:5] = True
    mask[2:4, 2:4] = False
    mask[5, 5] = True  # touches the corner: the same part
    mask[5, 0] = True  # so does this one, on the other side
    mask[0, 7] = True
    loops = outlines(call, mask, 10, 20, step)
    assert len(loops) == 3
    assert np.array_equal(filled(loops, mask.shape, 10, 20, step), mask)


def test_outlines_of_a_ragged_mask(call: Call, blobs: np.ndarray) -> None:
    """As many loops as OpenCV counts 8-connected parts and 4-connected holes, outer ones clockwise,
    every corner once.

    By the shoelace formula, with y down, clockwise means a positive area."""
    loops = outlines(call, blobs, 0, 0, 1)
    parts = cv2.connectedComponents(blobs.view(np.uint8), connectivity=8)[0] - 1
    holes = (
        cv2.connectedComponents((~blobs).view(np.uint8), connectivity=4)[0] - 2
    )  # neither "on" nor what is around
    areas = [
        np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2 for x, y in (loop.T for loop in loops)
    ]
    assert (sum(area > 0 for area in areas), sum(area < 0 for area in areas)) == (parts, holes)
    assert sum(areas) == blobs.sum()
    assert np.array_equal(filled(loops, blobs.shape, 0, 0, 1), blobs)
    for loop in loops:
        level = loop[:, 1] == np.roll(loop[:, 1], -1)
        assert np.array_equal(
            level, np.arange(len(loop)) % 2 == level[1]
        )  # level and upright edges take turns


def outlines(call: Call, mask: np.ndarray, x0: int, y0: int, step: int) -> list[np.ndarray]:
    """Of cells that are on where `mask` is: each loop N x 2."""
    on = np.pad(mask, ((0, 0), (0, 1))).astype(np.int8)
    turns = np.diff(on, axis=1, prepend=0)
    (rows, firsts), (_, afters) = np.nonzero(turns == 1), np.nonzero(turns == -1)
    cells = {"x0": x0, "y0": y0, "step": step, "width": mask.shape[1], "height": mask.shape[0]}
    spans = np.stack([rows, firsts, afters], axis=1).ravel().tolist()
    return [
        np.array(loop).reshape(-1, 2) for loop in call("masks.outlines", cells | {"spans": spans})
    ]


def filled(
    loops: list[np.ndarray], shape: tuple[int, ...], x0: int, y0: int, step: int
) -> np.ndarray:
    """The cells whose middle an odd number of loops enclose."""
    cells = np.zeros(shape, bool)
    for row, col in np.ndindex(shape):
        x, y = x0 + (col + 0.5) * step, y0 + (row + 0.5) * step
        cells[row, col] = sum(crossings(loop, x, y) for loop in loops) % 2
    return cells


def crossings(loop: np.ndarray, x: float, y: float) -> int:
    """How many of the loop's upright edges lie to the right of the point."""
    ends = np.roll(loop, -1, axis=0)
    upright = (loop[:, 0] == ends[:, 0]) & (loop[:, 0] > x)
    return int(np.count_nonzero(upright & ((loop[:, 1] < y) != (ends[:, 1] < y))))


def test_outline_of_one_pixel_runs_clockwise(call: Call) -> None:
    cells = {"x0": 3, "y0": 4, "step": 1, "width": 1, "height": 1, "spans": [0, 0, 1]}
    assert call("masks.outlines", cells) == [[3, 4, 4, 4, 4, 5, 3, 5]]


def test_simplified_outlines_stay_near(call: Call, blobs: np.ndarray) -> None:
    """A stair of 40 steps becomes a slope, a rectangle stays; no corner is further off than the
    tolerance, of a long loop neither, which is looked at in stretches."""
    stair = [(x, y) for step in range(40) for x, y in ((step, 40 - step), (step + 1, 40 - step))]
    corners = np.array([*stair, (40, 0), (40, 41), (0, 41)], float)
    assert len(call("masks.simplified", corners.ravel().tolist(), 0.75)) / 2 < 8
    for box in ([0, 0, 9, 0, 9, 5, 0, 5], [3, 3, 4, 3, 4, 4, 3, 4]):
        assert call("masks.simplified", box, 0.75) == box
    turns = np.linspace(0, 20 * np.pi, 700)
    spiral = np.round(np.stack([np.cos(turns), np.sin(turns)], axis=1) * (3 * turns[:, None]))
    for loop in (spiral, *outlines(call, blobs, 0, 0, 1)):
        starts = np.array(call("masks.simplified", loop.ravel().tolist(), 0.75)).reshape(-1, 2)
        assert {tuple(point) for point in starts} <= {tuple(point) for point in loop}
        along = np.roll(starts, -1, axis=0) - starts
        square = np.maximum((along**2).sum(1), 1e-9)
        share = np.clip(((loop[:, None] - starts) * along).sum(2) / square, 0, 1)
        away = np.linalg.norm(loop[:, None] - starts - share[..., None] * along, axis=2).min(1)
        assert away.max() <= 0.75 + 1e-6


def test_label_colours_stand_out_on_any_photo(call: Call) -> None:
    """The line is bright, its casing (8, 10, 14) dark: at 6:1, one of them has 2.4:1 against any
    grey."""
    labels = [f"label {number}" for number in range(10)]
    colours = [call("palette.colourOf", label, labels) for label in labels]
    assert len(set(colours)) == 10
    casing = luminance(np.array([[8, 10, 14]]))[0]
    for colour in [*colours, call("palette.colourOf", "", labels)]:
        line = luminance(np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)]]))[0]
        assert (line + 0.05) / (casing + 0.05) >= 6


IMAGES = [
    {"id": "1", "name": "a/b/x.png", "state": "done", "labels": ["Cup"]},
    {"id": "2", "name": "a/c.png", "state": "review", "labels": []},
    {"id": "3", "name": "d.png", "state": "untouched", "labels": ["tea cup"]},
    {"id": "4", "name": "e/f.png", "state": "in_work", "labels": ["cup"], "error": "damaged"},
]


@pytest.mark.parametrize(
    ("chosen", "search", "expected"),
    [
        ("all", "", "1234"),
        ("todo", "", "234"),
        ("review", "", "2"),
        ("done", "", "1"),
        ("all", " A/ ", "12"),
        ("all", "label:cup", "14"),
        ("all", 'label:"tea cup"', "3"),
        ("all", "e/ label:cup", "4"),
        ("todo", "label:cup label:tea", ""),
    ],
)
def test_images_are_filtered_and_searched(
    call: Call, chosen: str, search: str, expected: str
) -> None:
    shown = call("imagelist.shownImages", IMAGES, chosen, search)
    assert "".join(image["id"] for image in shown) == expected


@pytest.mark.parametrize(
    ("open_image", "chosen", "by", "todo", "expected"),
    [
        ("1", "all", 1, False, "2"),
        ("1", "all", -1, False, None),
        ("4", "all", 1, False, None),
        ("1", "todo", 1, False, "2"),  # the open image isn't listed: its place counts
        ("1", "todo", -1, False, None),
        ("3", "done", -1, False, "1"),
        ("3", "done", 1, False, None),
        ("3", "all", 1, True, "2"),  # 4 can't be read, 1 is done: around the end
        ("2", "review", 1, True, None),
    ],
)
def test_the_next_image_is_the_next_one_listed(
    call: Call, open_image: str, chosen: str, by: int, todo: bool, expected: str | None
) -> None:
    state = {"images": IMAGES, "imageId": open_image, "filter": chosen, "search": ""}
    assert call("imagelist.neighbourOf", state, by, todo) == expected
