"""`vtmr.segment`: the same masks as the Session that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image as pillow

import vtmr
from vtmr.errors import CheckpointError, InputError
from vtmr.segmenter import segmenter_for
from vtmr.session import oneline

MODEL = segmenter_for(ColourNetwork())
IMAGE = shapes_image()
CLICKS = [(56.5, 54.5), (124, 66, True), (10, 10, False)]


def test_clicks_in_any_form_are_a_sessions() -> None:
    session = vtmr.Session(MODEL, IMAGE)
    for click in (vtmr.Click(56.5, 54.5), vtmr.Click(124, 66), vtmr.Click(10, 10, False)):
        session = session.add(click)
    mask = vtmr.segment(IMAGE, clicks=CLICKS, model=MODEL)
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, session.mask)
    rows = np.array([(56.5, 54.5, 1), (124, 66, 1), (10, 10, 0)])
    assert np.array_equal(vtmr.segment(IMAGE, clicks=rows, model=MODEL), mask)
    assert np.array_equal(vtmr.segment(IMAGE, clicks=session.clicks, model=MODEL), mask)


def test_an_image_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "shapes.png"
    pillow.fromarray(IMAGE).save(path)
    mask = vtmr.segment(IMAGE, clicks=CLICKS, model=MODEL)
    for name in (path, str(path)):
        assert np.array_equal(vtmr.segment(name, clicks=CLICKS, model=MODEL), mask)


def test_a_box_alone_and_with_clicks() -> None:
    prompt = vtmr.BoxPrompt(20, 15, 92, 95)
    session = vtmr.Session(MODEL, IMAGE).add(prompt)
    for box in (prompt, (20, 15, 92, 95)):
        assert np.array_equal(vtmr.segment(IMAGE, box=box, model=MODEL), session.mask)
    clicked = session.add(vtmr.Click(60, 50))
    answered = vtmr.segment(IMAGE, clicks=[(60, 50)], box=prompt, model=MODEL)
    assert np.array_equal(answered, clicked.mask)


def test_a_mask_is_corrected_here() -> None:
    initial = np.zeros((120, 160), np.bool_)
    initial[40:90, 110:140] = True
    mask = vtmr.segment(IMAGE, clicks=[(56, 54)], mask=initial, model=MODEL)
    assert mask[40:90, 110:140].all()
    assert mask[54, 56]


def test_a_model_by_name_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(oneline, "load", lambda name: opened.append(name) or MODEL)
    oneline._loaded.cache_clear()
    for _ in range(2):
        assert vtmr.segment(IMAGE, clicks=CLICKS).any()
    oneline._loaded.cache_clear()
    assert opened == ["lite0"]
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="There is no model 'lite00'"):
        vtmr.segment(IMAGE, clicks=CLICKS, model="lite00")


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({}, "nothing to go by"),
        ({"mask": np.ones((120, 160), np.bool_)}, "nothing to go by"),
        ({"box": (0, 0, 9, 9), "mask": np.ones((120, 160), np.bool_)}, "both given"),
        ({"clicks": (320, 240)}, "in a list of clicks"),
        ({"clicks": 5}, "expected a list of them"),
        ({"clicks": [(1, 2, 3)]}, "positive True or False"),
        ({"clicks": [(1, 2, 1, 1)]}, "positive True or False"),
        ({"clicks": ["12,24"]}, "expected \\(x, y\\)"),
        ({"clicks": [(500, 2)]}, "outside the image of 160x120"),
        ({"clicks": [(float("nan"), 2)]}, "two finite numbers"),
        ({"box": (1, 2, 3)}, "four numbers, x0, y0, x1 and y1"),
        ({"box": (9, 9, 1, 1)}, "is empty"),
    ],
)
def test_impossible_prompts_are_named(prompts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vtmr.segment(IMAGE, model=MODEL, **prompts)


def test_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        vtmr.segment(tmp_path / "nothing.png", clicks=CLICKS, model=MODEL)
    with pytest.raises(InputError, match="expected an RGB array"):
        vtmr.segment(np.zeros((4, 4)), clicks=CLICKS, model=MODEL)  # type: ignore[arg-type]
