"""Saved sessions that nobody saved: values of other kinds, impossible sizes, endless nesting.

Each must be refused with a sentence, before anything large is made of it.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.segmenter import segmenter_for
from vtmr.session import EventLog, Session, replay
from vtmr.types import Click, MaskEdit

IMAGE = shapes_image()


def saved() -> dict[str, Any]:
    """A session with everything in it, as JSON has it."""
    mask = np.zeros((120, 160), np.bool_)
    mask[10:50, 20:60] = True
    session = Session(
        segmenter_for(ColourNetwork()), IMAGE, initial_mask=mask, region=Box(0, 0, 80, 80)
    )
    return json.loads(session.add(Click(30, 30)).add(MaskEdit.of(~mask)).to_json())


def runs(height: Any, width: Any, counts: Any) -> dict[str, Any]:
    return {"size": [height, width], "counts": counts}


Change = Callable[[dict[str, Any]], object]
NONSENSE: dict[str, Change] = {
    "infinite width": lambda s: s.update(width=float("inf")),
    "infinite region": lambda s: s.update(region=[0, 0, float("inf"), 9]),
    "infinite size of a mask": lambda s: s.update(initial_mask=runs(float("inf"), 160, "0")),
    "no number": lambda s: s.update(height=float("nan")),
    "a fraction of a pixel": lambda s: s.update(height=120.5),
    "a truth value": lambda s: s.update(width=True),
    "no image": lambda s: s.update(width=0),
    "less than no image": lambda s: s.update(width=-160, height=-120),
    "an image beyond all limits": lambda s: s.update(width=10**6, height=10**6),
    "a number that no float can be": lambda s: s["steps"][0].append({"click": [10**400, 1, True]}),
    "an infinite click": lambda s: s["steps"][0].append({"click": [float("inf"), 1.0, True]}),
    "a click without a sign": lambda s: s["steps"][0].append({"click": [1.0, 1.0]}),
    "a mask of another size": lambda s: s["steps"].append([{"mask": runs(60, 80, "P27")}]),
    "a mask of a terabyte": lambda s: s["steps"].append([{"mask": runs(10**6, 10**6, "0")}]),
    "letters that no run length has": lambda s: s.update(initial_mask=runs(120, 160, "\u00e9")),
    "counts that are a number": lambda s: s.update(initial_mask=runs(120, 160, 10**9)),
    "steps that are none": lambda s: s.update(steps=None),
    "an event that is none": lambda s: s.update(steps=[[7]]),
    "versions that are none": lambda s: s.update(versions=[1]),
    "nothing of all that": lambda s: s.clear(),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_it_is_refused_with_a_sentence(what: str) -> None:
    changed = saved()
    NONSENSE[what](changed)
    with pytest.raises(InputError, match=r"^The saved session|^A click at") as caught:
        EventLog.from_json(json.dumps(changed))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "null", "", "[1, 2]", "1e999", "9" * 5000])
def test_text_that_is_no_session(text: str) -> None:
    with pytest.raises(InputError, match="can't be read"):
        EventLog.from_json(text)


def test_run_lengths_that_fill_another_mask_are_refused_when_they_are_read() -> None:
    """The longest run that COCO's text can say, and no run at all: a sentence, and no memory."""
    segmenter = segmenter_for(ColourNetwork())
    for counts in ("oooooooooooo0", "", "0", "P" * 10_000):
        changed = saved()
        changed["initial_mask"]["counts"] = counts
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match="don't fill a 160x120 mask"):
                replay(segmenter, IMAGE, json.dumps(changed))
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


def test_what_was_saved_comes_back() -> None:
    log = EventLog.from_json(json.dumps(saved()))
    assert json.loads(log.to_json()) == saved()
