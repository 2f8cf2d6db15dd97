"""Robots that click like people, and cuts: places and runs are counted by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from players import columns, sample

from vtmr.bench.cuts import is_cut, longest_run_px
from vtmr.bench.figures import objects_of
from vtmr.bench.playing import events_of, play
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import Record
from vtmr.bench.report import summarise
from vtmr.data import EvalSample
from vtmr.errors import ConfigError
from vtmr.geometry import Box
from vtmr.people import drawn_box, edge_click, part_click
from vtmr.segmenter import segmenter_for
from vtmr.types import BoxPrompt, Click


def bar() -> np.ndarray[Any, np.dtype[np.bool_]]:
    """60 x 10 px, columns 20 to 79, rows 40 to 49 of 100 x 100."""
    mask = np.zeros((100, 100), np.bool_)
    mask[40:50, 20:80] = True
    return mask


def test_a_part_is_a_third_of_the_object_away() -> None:
    first = Click(30.5, 45.5)
    places = set()
    for seed in range(200):
        click = part_click(bar(), None, [first], np.random.default_rng(seed))
        assert click is not None
        assert click.positive
        assert bar()[click.pixel]
        assert np.hypot(click.x - first.x, click.y - first.y) >= 20
        places.add(click.pixel[1])
    assert min(places) < 56  # 20 px away in any row
    assert max(places) > 76


def test_without_a_far_part_any_pixel_will_do_and_none_is_clicked_twice() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[4, 4:6] = True
    clicked = [Click(4.5, 4.5)]
    stream = np.random.default_rng(0)
    assert part_click(mask, None, clicked, stream) == Click(5.5, 4.5)
    assert part_click(mask, None, [*clicked, Click(5.5, 4.5)], stream) is None
    ignore_mask = np.zeros_like(mask)
    ignore_mask[4, 5] = True
    assert part_click(mask, ignore_mask, clicked, stream) is None


def test_an_edge_is_near_the_outline() -> None:
    """A square of 40: depths 1 to 20, so that 3 rings (.15 of 20) are near. At the image's border
    there is no outline."""
    mask = np.zeros((60, 60), np.bool_)
    mask[:40, 10:50] = True
    depths = set()
    for seed in range(300):
        click = edge_click(mask, None, np.random.default_rng(seed))
        assert click is not None
        row, col = click.pixel
        depths.add(min(col - 9, 50 - col, 40 - row))
    assert depths == {1, 2, 3}
    assert edge_click(np.zeros_like(mask), None, np.random.default_rng(0)) is None


def test_runs_of_outline_along_a_crop() -> None:
    mask = bar()
    assert longest_run_px(mask, [Box(0, 0, 100, 100)]) == 0  # the image's own border
    assert longest_run_px(mask, [Box(5, 5, 95, 95)]) == 0
    assert longest_run_px(mask, [Box(10, 40, 90, 95)]) == 60  # along the bar's top
    assert longest_run_px(mask, [Box(50, 40, 90, 95)]) == 30  # the part within the crop
    assert longest_run_px(mask, [Box(5, 5, 95, 95), Box(80, 0, 100, 100)]) == 10


@pytest.mark.parametrize(("width", "cut"), [(24, False), (25, True)])
def test_a_cut_is_a_run_of_over_24_pixels(width: int, cut: bool) -> None:
    mask = np.zeros((200, 300), np.bool_)
    mask[50:100, 100 : 100 + width] = True
    answer: Any = SimpleNamespace(layers=(SimpleNamespace(box=Box(90, 50, 200, 150)),))
    assert is_cut(mask, answer) is cut
    wide: Any = SimpleNamespace(layers=answer.layers)
    large = np.zeros((500, 600), np.bool_)
    large[50:100, 100 : 100 + width] = True
    assert is_cut(large, wide) is False  # 6 % of 500 are 30
    assert is_cut(mask, None) is None


@pytest.mark.parametrize("robot", ["parts", "edge"])
def test_robots_of_people_click_alike_each_time(robot: Any) -> None:
    protocol = Protocol(robot=robot, min_clicks=5, repeats=2)
    predictor = columns(*[0.5] * 20)
    runs = [play(sample("a"), predictor, protocol, repeat) for repeat in (0, 0, 1)]
    places = [[(record.x, record.y) for record in run] for run in runs]
    assert places[0] == places[1] != places[2]
    assert "middle of the largest error" in str(protocol)


def record(object_: str, k: int, last: bool, cut: bool | None, passes: int | None) -> Record:
    return Record(
        "d", "s", object_, "0", k, 1.5, 1.5, True, 0.5, 0.5, 0.1, last, cut=cut, passes=passes
    )


def test_figures_of_cuts_and_passes() -> None:
    """One object is cut after clicks 1 and 2 of two, the other never: cut@1 and cut@2 are .5."""
    protocol = Protocol(report_at=(1, 2), min_clicks=2)
    records = [
        record("a", 1, False, True, 2),
        record("a", 2, True, True, 1),
        record("b", 1, True, False, 1),
    ]
    row = summarise(records, protocol)["d"]
    assert (row["cut@1"], row["cut@2"], row["passes"]) == (0.5, 0.5, 1.25)
    older = [replace(one, cut=None) for one in records]
    assert "cut@1" not in objects_of(older, protocol).values
    lines = [one.to_line() for one in (*records, *older)]
    assert [Record.from_line(line) for line in lines] == [*records, *older]
    with pytest.raises(ValueError, match="cut is 1, expected bool or NoneType"):
        Record.from_line(lines[0].replace('"cut": true', '"cut": 1'))


def test_what_remains_of_the_errors_that_late_clicks_were_made_on() -> None:
    protocol = Protocol(min_clicks=5)
    shares = (1.0, 1.0, 1.0, 0.5, 0.25)
    run = [
        replace(record("a", k, k == 5, None, None), remains=share)
        for k, share in enumerate(shares, start=1)
    ]
    solved = [replace(record("b", 1, True, None, None), remains=0.0)]
    values = objects_of([*run, *solved], protocol).values["remains"]
    assert values.tolist() == [0.375, 0.0]
    beside_errors = [replace(run[0], remains=None), *run[1:]]
    assert "remains" not in objects_of(beside_errors, protocol).values


def test_an_error_is_the_part_that_the_click_lies_in() -> None:
    """The object's columns appear one after another: a click leaves what is still missing."""
    records = play(sample("a"), columns(0.2, 0.6, 1.0), Protocol(min_clicks=3, report_at=(1,)), 0)
    assert [record.remains for record in records] == pytest.approx([0.8, 0.5, 0.0])


class TestABoxFirst:
    """Boxes by hand around an object of rows 20 .. 49 and columns 30 .. 69 in 100 x 120 pixels."""

    gt = np.zeros((100, 120), np.bool_)
    gt[20:50, 30:70] = True

    def drawn(self, margin: float = 0.0, jitter: float = 0.0, seed: int = 0) -> BoxPrompt:
        return drawn_box(self.gt, None, margin, jitter, np.random.default_rng(seed))

    def test_tight_and_larger(self) -> None:
        assert self.drawn() == BoxPrompt(30, 20, 70, 50)
        assert self.drawn(margin=0.2) == BoxPrompt(26, 17, 74, 53)

    def test_it_ends_at_the_image(self) -> None:
        assert self.drawn(margin=2) == BoxPrompt(0, 0, 110, 80)

    def test_jittered_sides_differ_and_never_turn_over(self) -> None:
        boxes = [self.drawn(jitter=0.07, seed=seed) for seed in range(200)]
        assert np.std([box.x0 for box in boxes]) == pytest.approx(0.07 * 40, rel=0.2)
        assert np.std([box.y1 for box in boxes]) == pytest.approx(0.07 * 30, rel=0.2)
        assert all(self.drawn(jitter=1.5, seed=seed) for seed in range(200))

    def test_what_is_ignored_is_not_boxed(self) -> None:
        ignore = np.zeros_like(self.gt)
        ignore[:, 60:] = True
        box = drawn_box(self.gt, ignore, 0, 0, np.random.default_rng(0))
        assert box == BoxPrompt(30, 20, 60, 50)

    def test_a_run_counts_it_as_the_first_click(self) -> None:
        """The colour network answers a box's red middle with the ellipse that the box is of."""
        image = shapes_image()
        rows, cols = np.mgrid[:120, :160]
        ellipse = ((rows - 54) / 36) ** 2 + ((cols - 56) / 32) ** 2 < 1
        drawn = EvalSample("set", "shapes", "0", "drawn", lambda: (image, ellipse, None))
        protocol = Protocol(first_click="box", min_clicks=1, report_at=(1,))
        (record,) = play(drawn, segmenter_for(ColourNetwork()), protocol)
        assert (record.k, record.positive) == (1, True)
        assert (record.x, record.y) == pytest.approx((56.5, 54.5))
        assert record.iou > 0.95
        (again,) = events_of([record], ellipse, None, protocol)
        assert isinstance(again, BoxPrompt)
        assert ((again.x0 + again.x1) / 2, (again.y0 + again.y1) / 2) == (record.x, record.y)

    @pytest.mark.parametrize(
        ("rules", "says"),
        [
            ({"robot": "box"}, 'expected first_click = "box"'),
            ({"box_margin": 0.1}, "box_margin is 0.1: expected a share"),
            ({"first_click": "box", "box_jitter": -1.0}, "box_jitter is -1"),
            ({"first_click": "box", "box_margin": 3.0}, "from 0 to 2"),
            ({"first_click": "box", "repeats": 2}, "repeats is 2"),
        ],
    )
    def test_rules_that_contradict_each_other(self, rules: dict, says: str) -> None:
        with pytest.raises(ConfigError, match=says):
            Protocol(**rules)
