"""The pictures of a report, looked at through their pixels: which colour is where."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from players import columns, oracle, sample

from vtmr.bench import Protocol, Record, play
from vtmr.bench.contact import MISSED, WRONG, Cell, cell_of, draw_sheet, worst_runs
from vtmr.bench.figures import Curve
from vtmr.bench.plots import COLOURS, colours_of, plot_clicks, plot_quality
from vtmr.types import Click


def pixels_of(picture: bytes) -> np.ndarray:
    """int H x W x 3, RGB."""
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def places(
    picture: np.ndarray, colour: str | tuple[int, int, int], tolerance: int = 0
) -> np.ndarray:
    """N x 2 (row, col) of the pixels with that colour."""
    rgb = tuple(bytes.fromhex(colour[1:])) if isinstance(colour, str) else colour
    return np.argwhere(np.abs(picture - rgb).max(axis=2) <= tolerance)


def flat(value: float, clicks: int = 20) -> Curve:
    mean = np.full(clicks, value)
    return Curve(mean, mean - 0.01, mean + 0.01)


def test_the_better_run_lies_above() -> None:
    curves = {"low": flat(0.3), "high": flat(0.8)}
    picture = pixels_of(plot_quality("t", curves, curves, colours_of(list(curves)), stops_after=5))
    height = len(picture)
    low, high = (places(picture, colour) for colour in COLOURS[:2])
    # Below is the legend.
    assert low[low[:, 0] < 0.85 * height, 0].min() > high[high[:, 0] < 0.85 * height, 0].max()
    middle = picture.shape[1] / 2
    assert (low[:, 1] < middle).any()
    assert (low[:, 1] > middle).any()  # BIoU


def test_objects_that_never_got_there_stand_at_the_end() -> None:
    never, at_once = np.eye(21)[20], np.eye(21)[0]
    reached = {"never": {"IoU ≥ 0.9": flat(0.0)}, "at once": {"IoU ≥ 0.9": flat(1.0)}}
    needed = {"never": never, "at once": at_once}
    picture = pixels_of(plot_clicks("t", "IoU ≥ 0.9", needed, reached, colours_of(list(needed))))
    height, width = picture.shape[:2]
    blue, orange = (
        places(picture[: int(0.8 * height), : width // 2], colour) for colour in COLOURS[:2]
    )
    assert blue[:, 1].min() > 0.4 * width
    assert orange[:, 1].max() < 0.15 * width


@pytest.mark.slow
def test_a_run_keeps_its_colour_where_another_is_lacking_and_no_target_is_shared() -> None:
    colours = colours_of(["absent", "here"])
    picture = pixels_of(
        plot_clicks("t", "its target", {"here": np.eye(6)[0]}, {"here": {}}, colours)
    )
    assert not len(places(picture, COLOURS[0]))
    assert len(places(picture, COLOURS[1]))


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 5])
def test_every_run_is_drawn(runs: int) -> None:
    """Five are steps instead of bars; with more clicks in one run than in another."""
    needed = {f"run {i}": np.full(6 + i, 1 / (6 + i)) for i in range(runs)}
    reached = {name: {"IoU ≥ 0.9": flat(0.1 + 0.1 * i, 5 + i)} for i, name in enumerate(needed)}
    picture = pixels_of(plot_clicks("t", "IoU ≥ 0.9", needed, reached, colours_of(list(needed))))
    assert all(len(places(picture, colour)) for colour in COLOURS[:runs])
    assert not len(places(picture, COLOURS[runs]))


def run_of(name: str, ious: list[float], repeat: int = 0) -> list[Record]:
    return [
        Record(
            "d",
            "s",
            name,
            "0",
            k,
            1.5,
            2.5,
            True,
            iou,
            iou,
            0.01,
            last=k == len(ious),
            repeat=repeat,
        )
        for k, iou in enumerate(ious, start=1)
    ]


def test_the_worst_need_most_clicks_and_end_lowest() -> None:
    runs = {
        "good": [0.95],
        "slow": [0.5, 0.6, 0.95],
        "never, near": [0.5] * 19 + [0.89],
        "never, far": [0.5] * 20,
        "repeated": [0.95],
    }
    records = [record for name, ious in runs.items() for record in run_of(name, ious)]
    records += run_of("repeated", [0.5, 0.95], repeat=1)
    worst = worst_runs(records, Protocol(robot="random", repeats=2), count=4)
    assert [(run[0].image, run[0].repeat) for run in worst] == [
        ("never, far", 0),
        ("never, near", 0),
        ("slow", 0),
        ("repeated", 1),
    ]


def test_a_cell_shows_the_mask_that_the_clicks_make_again() -> None:
    player = columns(0.5, 0.7, 1.0)
    run = play(sample("photo"), player, Protocol())
    cell = cell_of(run, sample("photo"), Protocol(), player)
    assert cell.mask is not None
    assert (cell.mask == cell.gt_mask).all()
    assert [(click.x, click.y) for click in cell.clicks] == [(record.x, record.y) for record in run]
    assert cell.caption == "photo\nIoU 1.000 after 3 clicks"
    assert cell_of(run, sample("photo"), Protocol(), None).mask is None
    other = cell_of(run, sample("photo"), Protocol(), columns(0.5, 0.5, 0.5))
    # Another model than the one that was recorded.
    assert other.caption.endswith("; replayed: 0.500")


@pytest.mark.slow
def test_a_sheet_marks_what_is_missed_and_what_is_wrong() -> None:
    """A grey photo: the object's left half is missed, as much beside it is wrong."""
    image = np.full((90, 120, 3), 128, np.uint8)
    gt_mask, mask = np.zeros((90, 120), bool), np.zeros((90, 120), bool)
    gt_mask[20:70, 30:70], mask[20:70, 50:90] = True, True
    cell = Cell(
        image,
        gt_mask,
        mask,
        (Click(60.5, 45.5), Click(80.5, 45.5, False)),
        "name\nIoU 0.333 after 2 clicks",
    )
    picture = pixels_of(draw_sheet("title", [cell] * 6))
    picture = picture[: int(0.9 * len(picture))]  # below is the key
    tinted = [
        tuple(round(0.6 * channel + 0.4 * 128) for channel in colour) for colour in (MISSED, WRONG)
    ]
    missed, wrong = (places(picture, colour, tolerance=10) for colour in tinted)  # type: ignore[arg-type]
    assert len(missed) > 1000
    assert 0.7 < len(missed) / len(wrong) < 1.4
    assert missed[:, 1].min() < wrong[:, 1].min()
    assert len(places(picture, "#009e5a", tolerance=30)) > 6 * 10
    assert len(places(picture, "#d53c28", tolerance=30)) > 6 * 10


def test_an_oracles_sheet_has_one_object_too() -> None:
    run = play(sample("photo"), oracle(), Protocol())
    cell = cell_of(run, sample("photo"), Protocol(), None)
    assert pixels_of(draw_sheet("title", [cell])).shape[1] > 500
