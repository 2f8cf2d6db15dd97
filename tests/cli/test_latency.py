"""`vtmr latency`: the scene's properties are the issue's, the statistics are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork
from numpy.typing import NDArray
from running import Command

from vtmr.cli import latency
from vtmr.errors import InputError
from vtmr.segmenter import segmenter_for
from vtmr.spec import NARROW, WIDE, ZoomSchedule
from vtmr.types import Click


@pytest.mark.parametrize(
    ("text", "size"), [("640x480", (640, 480)), ("6000X4000", (6000, 4000)), ("32x32", (32, 32))]
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert latency.parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "640",
        "640x",
        "x480",
        "640x480x3",
        "-640x480",
        "6.4x480",
        "²x480",
        "16x480",
        "20000x10000",
        "9" * 5000 + "x480",
    ],
)
def test_sizes_that_are_none_are_refused_with_the_value(text: str) -> None:
    with pytest.raises(InputError, match=f"'{text}'"):
        latency.parse_size(text)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (200, 300)])
def test_the_object_covers_a_quarter_of_the_scene(width: int, height: int) -> None:
    image, gt_mask = latency.scene(width, height)
    assert image.shape == (height, width, 3)
    assert gt_mask.shape == (height, width)
    assert gt_mask.mean() == pytest.approx(0.25, abs=0.005)


def test_the_stored_object_lies_on_the_cup() -> None:
    """White porcelain inside the cup's rim, red saucer or dark wood around: the cup is brighter in
    blue."""
    image, gt_mask = latency.scene(640, 480)
    assert image[gt_mask][:, 2].mean() > 2 * image[~gt_mask][:, 2].mean()


class Knowing:
    """A predictor that answers with the mask it was made with, whatever the clicks."""

    name = "knowing"

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.mask = mask
        self.clicks: list[Click] = []

    def prepare(self, image: Any) -> None:
        return None

    def predict(self, scene: Any, events: Sequence[Any], *rest: Any) -> Any:
        self.clicks.append(events[-1])
        return SimpleNamespace(nbytes=0, render=lambda: self.mask.copy())


@pytest.mark.parametrize("right", [True, False], ids=["always right", "never right"])
def test_twenty_different_clicks_are_timed_even_without_errors(right: bool) -> None:
    gt_mask = np.zeros((40, 50), bool)
    gt_mask[10:30, 10:40] = True
    predictor = Knowing(gt_mask if right else np.zeros_like(gt_mask))
    timed = latency.time_clicks(predictor, np.zeros((40, 50, 3), np.uint8), gt_mask)
    assert len(timed) == len(predictor.clicks) == 20
    assert all(one.seconds > 0 for one in timed)
    assert len({click.pixel for click in predictor.clicks}) == 20
    assert all(gt_mask[click.pixel] and click.positive for click in predictor.clicks)


def test_spare_clicks_are_the_same_each_time() -> None:
    gt_mask = np.ones((30, 30), bool)
    clicks = [Click(1, 1)] * 7
    assert latency.spare_click(gt_mask, clicks) == latency.spare_click(gt_mask, clicks)


def paper_clicks(zoomed: bool) -> list[latency.TimedClick]:
    """Click 1 takes 900 ms, clicks 2 to 20 take 10, 20 … 190 ms; clicks 10 to 20 are zoomed, or
    the third takes two passes."""
    clicks = [latency.TimedClick(0.9, 2, False)]
    for k in range(1, 20):
        late = zoomed and k >= 9
        clicks.append(latency.TimedClick(0.01 * k, 2 if late or (k == 3) else 1, late))
    return clicks


def test_kinds_of_clicks_stand_apart_in_the_report(
    command: Command, colour_network: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain are those of the run without zoom, but for the third: 10, 20, 40 … 190, median 105,
    95th percentile 181.5 (linear). Zoomed, 90 … 190: median 140. Most: 190. Wider, 20 and 30:
    25."""

    def clicks_of(predictor: Any, *_: Any) -> list[latency.TimedClick]:
        return paper_clicks(predictor.zoom.schedule == "paper")

    wider = [latency.TimedClick(0.01 * k, k // 2 + 1, False) for k in (2, 3, 6)]
    monkeypatch.setattr(latency, "time_clicks", clicks_of)
    monkeypatch.setattr(latency, "time_wider_clicks", lambda *_: wider)
    monkeypatch.setattr(latency, "cold_start", lambda _: 0.25)
    record = json.loads(command("latency", "--size", "64x48", "--json").out)
    assert record.pop("peak_rss_mb") > 10
    assert record == {
        "model": "colour",
        "size": "64x48",
        "threads": 1,
        "first_ms": 900.0,
        "p50_ms": 105.0,
        "p95_ms": 181.5,
        "zoom_p50_ms": 140.0,
        "wider_p50_ms": 25.0,
        "max_ms": 190.0,
        "cold_start_s": 0.25,
    }
    text = command("latency", "--size", "64x48").out
    for figure in ("900.0 ms", "105.0 ms", "181.5 ms", "140.0 ms", "25.0 ms", "190.0 ms", "0.25 s"):
        assert figure in text


def test_kinds_of_clicks_that_did_not_happen_are_null(
    command: Command, colour_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        colour_network, "_spec", replace(colour_network.spec, zoom=ZoomSchedule(schedule="off"))
    )
    monkeypatch.setattr(latency, "time_clicks", lambda *_: paper_clicks(False))
    monkeypatch.setattr(latency, "cold_start", lambda _: 0.25)
    record = json.loads(command("latency", "--size", "64x48", "--json").out)
    empty = [key for key, value in record.items() if value is None and key != "peak_rss_mb"]
    assert empty == ["zoom_p50_ms", "wider_p50_ms"]
    assert "none ms" not in command("latency", "--size", "64x48").out


def test_wider_clicks_are_answered_in_twice_the_view() -> None:
    """The view is .7 of the object's sides, so that a policy has to look beyond it."""
    image, gt_mask = latency.scene(320, 240)
    network = ColourNetwork(input_size=64, views=WIDE)
    timed = latency.time_wider_clicks(segmenter_for(network), image, gt_mask)
    assert 2 in {one.passes for one in timed}
    assert all(one.passes >= 2 and not one.zoomed for one in timed)
    narrow = segmenter_for(network, views=NARROW)
    assert latency.time_wider_clicks(narrow, image, gt_mask) == []


def test_bad_flags_are_refused(command: Command) -> None:
    command("latency", "--size", "big").assert_refused("'big'", "WIDTHxHEIGHT")
    command("latency", "--model", "lite00").assert_refused("'lite00'")
