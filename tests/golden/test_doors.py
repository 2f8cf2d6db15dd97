"""One list of prompts gives the same mask, bit for bit, through every door; bad input is told in
each tool's own way.

tests/golden/doors.json is the list, tests/doors the doors. What is expected is the answer of a
Session to which the prompts are added one by one; the bundled model answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doors import DOORS, Door, Prompt

import vtmr
from vtmr.images import write_png
from vtmr.masks import Mask

pytestmark = pytest.mark.slow

LIST = json.loads(Path(__file__).with_name("doors.json").read_text())
PHOTO = Path(vtmr.__file__).parent / "assets" / "photos" / LIST["photo"]
IMAGE = vtmr.read_image(PHOTO)
# Doors of tools that have no place for a mask to correct, or for a box.
WITHOUT_MASKS, WITHOUT_BOXES = {"CVAT", "CVAT, serverless"}, {"napari"}


def ellipse(x: float, y: float, half_width: float, half_height: float) -> Mask:
    rows, cols = np.ogrid[: IMAGE.shape[0], : IMAGE.shape[1]]
    return ((cols + 0.5 - x) / half_width) ** 2 + ((rows + 0.5 - y) / half_height) ** 2 < 1


def read(entry: dict[str, Any]) -> Prompt:
    return Prompt(
        entry["name"],
        tuple((x, y, positive) for x, y, positive in entry.get("clicks", ())),
        tuple(entry["box"]) if "box" in entry else None,
        ellipse(*entry["ellipse"]) if "ellipse" in entry else None,
    )


PROMPTS = {entry["name"]: read(entry) for entry in LIST["prompts"]}
PAIRS = [
    (door, name) for door in DOORS for name, prompt in PROMPTS.items() if DOORS[door].takes(prompt)
]
BAD = [(door, name) for door, made in DOORS.items() for name in made.BAD]


@cache
def model() -> Any:
    return vtmr.load()


@cache
def expected(name: str) -> Mask:
    prompt = PROMPTS[name]
    session = vtmr.Session(model(), IMAGE, initial_mask=prompt.mask)
    if prompt.box is not None:
        session = session.add(vtmr.BoxPrompt(*prompt.box))
    for x, y, positive in prompt.clicks:
        session = session.add(vtmr.Click(x, y, positive))
    return session.mask


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """The doors that were opened so far, by name."""
    doors: dict[str, Door] = {}
    yield doors
    for door in doors.values():
        door.closing.close()


@pytest.fixture
def door(request: pytest.FixtureRequest, opened: dict[str, Door], tmp_path_factory: Any) -> Door:
    """The door of that name, opened once for all tests."""
    if request.param not in opened:
        photo = tmp_path_factory.mktemp("door") / "photo.png"
        write_png(photo, IMAGE)
        opened[request.param] = DOORS[request.param](photo)
    return opened[request.param]


@pytest.mark.parametrize(("door", "name"), PAIRS, indirect=["door"])
def test_every_door_gives_the_same_mask(door: Door, name: str) -> None:
    mask = door.mask(PROMPTS[name])
    assert mask.shape == IMAGE.shape[:2]
    assert mask.dtype == np.bool_
    assert np.array_equal(mask, expected(name))


def test_the_list_asks_for_different_masks() -> None:
    """So that a door that mistakes one prompt for another, or drops one, is found."""
    masks = {name: expected(name) for name in PROMPTS}
    for name, mask in masks.items():
        assert 1000 < mask.sum() < mask.size - 1000
        others = [other for key, other in masks.items() if key != name]
        assert not any(np.array_equal(mask, other) for other in others)


def test_the_order_of_clicks_counts() -> None:
    """Without this the order that doors keep or find again would show nowhere."""
    prompt = PROMPTS["clicks of both signs, in an order that counts"]
    session = vtmr.Session(model(), IMAGE)
    for x, y, positive in sorted(prompt.clicks, key=lambda click: not click[2]):
        session = session.add(vtmr.Click(x, y, positive))
    assert not np.array_equal(session.mask, expected(prompt.name))


def test_what_doors_have_no_place_for_is_known() -> None:
    assert {name for name, door in DOORS.items() if not door.takes_masks} == WITHOUT_MASKS
    assert {name for name, door in DOORS.items() if not door.takes_boxes} == WITHOUT_BOXES


@pytest.mark.parametrize(("door", "name"), BAD, indirect=["door"])
def test_bad_input_is_told_in_the_tools_own_way(door: Door, name: str) -> None:
    text = door.refusal(door.BAD[name])
    assert len(text) > 20  # a sentence
    for trace in ("Traceback", 'File "', "\n  "):
        assert trace not in text


@pytest.mark.parametrize("door", DOORS, indirect=True)
def test_after_bad_input_a_door_still_answers(door: Door) -> None:
    for bad in door.BAD.values():
        door.refusal(bad)
    assert np.array_equal(door.mask(PROMPTS["a click"]), expected("a click"))
