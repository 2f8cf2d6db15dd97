"""Clicks that are played again: told of, stopped before they count, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from vtmr.serving.answers import Refusal

NAME, OTHER = "shapes.png", "sub/other.png"
CLICKS = [{"x": 50.5 + place, "y": 54.5} for place in range(6)]


class Gate:
    """Holds up the network at its `at`-th coarse pass, until it is opened."""

    def __init__(self, annotating: Any, at: int) -> None:
        network = annotating.annotator._sessions._predictor.network
        coarse, self.passes, self._at = network.coarse, 0, at
        self.reached, self.opened = threading.Event(), threading.Event()

        def held(*arguments: Any) -> Any:
            self.passes += 1
            if self.passes == self._at:
                self.reached.set()
                assert self.opened.wait(20)
            return coarse(*arguments)

        network.coarse = held


async def until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.01)


def deletion(annotating: Any, key: str) -> Coroutine[Any, Any, Any]:
    """Of the first click."""
    body = {"op": "edit_clicks", "object": "o1", "edits": [{"index": 0, "delete": True}]}
    revision = annotating.revision[NAME]
    image = annotating.ids()[NAME]
    return annotating.annotator.change(image, {**body, "revision": revision, "key": key})


@pytest.fixture
def six(annotating: Any) -> Any:
    """An object of six clicks."""
    for place, click in enumerate(CLICKS):
        annotating.click(NAME, "o1" if place else None, **click)
    return annotating


def test_a_replay_tells_how_far_it_is_and_stops_before_it_counts(six: Any) -> None:
    gate, image, before = Gate(six, at=3), six.ids()[NAME], six.open(NAME)
    path = f"/api/v1/images/{image}/playing"

    async def stopped() -> Any:
        replay = asyncio.create_task(deletion(six, "mine"))
        await until(gate.reached)
        told = six.annotator.replays.to_json(image, "mine")
        assert told == {"playing": {"done": told["playing"]["done"], "of": 5}}
        assert 0 < told["playing"]["done"] < 5
        assert six.annotator.replays.to_json(image, "another") == {"playing": None}
        assert six.annotator.replays.stop(image, "another") == {"stopping": False}
        assert six.annotator.replays.stop(image, "mine") == {"stopping": True}
        gate.opened.set()
        with pytest.raises(Refusal) as refused:
            await replay
        return refused.value

    refused = asyncio.run(stopped())
    assert (refused.status, refused.code) == (409, "stopped")
    assert six.open(NAME) == before
    assert six.http.get(f"{path}/mine").json() == {"playing": None}
    assert six.http.post(f"{path}/mine", json={}).json() == {"stopping": False}
    answer = six.change(NAME, "edit_clicks", object="o1", edits=[{"index": 0, "delete": True}])
    assert (
        answer["document"]["objects"][0]["clicks"] == before["document"]["objects"][0]["clicks"][1:]
    )


def test_a_replay_lets_a_click_on_another_image_in(six: Any) -> None:
    gate, order = Gate(six, at=3), []
    body = {"op": "click", "object": None, "clicks": [CLICKS[0]], "revision": 0}
    other = six.ids()[OTHER]

    async def both() -> None:
        async def done(change: Coroutine[Any, Any, Any], name: str) -> None:
            await change
            order.append(name)

        asyncio.get_running_loop().call_later(30, gate.opened.set)
        replay = asyncio.create_task(done(deletion(six, "mine"), "replay"))
        await until(gate.reached)
        click = asyncio.create_task(done(six.annotator.change(other, body), "click"))
        while not six.annotator._worker._pool._jobs:
            await asyncio.sleep(0.01)
        gate.opened.set()
        await asyncio.gather(replay, click)

    asyncio.run(both())
    assert order == ["click", "replay"]


def test_a_key_is_one_changes_alone(six: Any) -> None:
    gate = Gate(six, at=1)

    async def twice() -> Any:
        first = asyncio.create_task(deletion(six, "mine"))
        await until(gate.reached)
        with pytest.raises(Refusal) as refused:
            await deletion(six, "mine")
        gate.opened.set()
        await first
        return refused.value

    assert asyncio.run(twice()).code == "key_in_use"


def test_a_preview_after_a_restart_gives_up_for_the_click_and_loses_nothing(six: Any) -> None:
    """Nothing is live then: what the preview has played is there for the click."""
    six.annotator._sessions._live.forget(lambda subject: True)
    gate, image = Gate(six, at=3), six.ids()[NAME]
    click = {"object": "o1", "clicks": [{"x": 40.5, "y": 50.5}], "revision": six.revision[NAME]}

    async def both() -> Any:
        preview = asyncio.create_task(six.annotator.preview(image, click))
        await until(gate.reached)
        change = asyncio.create_task(six.annotator.change(image, {**click, "op": "click"}))
        await asyncio.sleep(0.1)
        gate.opened.set()
        with pytest.raises(Refusal) as refused:
            await preview
        return refused.value, await change

    refused, answer = asyncio.run(both())
    assert refused.code == "overtaken"
    assert len(answer["document"]["objects"][0]["clicks"]) == 7
    fresh_passes = gate.passes
    assert fresh_passes <= 2 * 7 + 2  # none is played twice; each has a wider or a closer view
