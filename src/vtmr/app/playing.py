"""Clicks that are played again for a change: how many are done, and ending it before it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vtmr.serving.answers import Refusal

MAX_KEY = 64


@dataclass(slots=True)
class Playing:
    """A change that is being made. done, of: of how many steps its replay has played how many."""

    done: int = 0
    of: int = 0
    stopped: bool = False

    def require_wanted(self) -> None:
        """Raises Refusal (409) when it was stopped."""
        if self.stopped:
            raise Refusal(409, "stopped", "The change was stopped before it was made.")


class Replays:
    """The changes on their way that can be stopped, by their image and the key that whoever asked
    for them chose. Of the event loop's thread; `told` alone is called on the worker's."""

    def __init__(self, let_others: Callable[[], None]) -> None:
        """let_others: runs what waits for the worker, from inside its job."""
        self._let_others = let_others
        self._playing: dict[tuple[str, str], Playing] = {}

    @contextmanager
    def begun(self, image_id: str, key: str | None) -> Iterator[Playing]:
        """A change of the image, from its arrival to its answer. key: None where nobody will ask.

        Raises Refusal (409) for a key that another change of the image has.
        """
        playing = Playing()
        if key is None:
            yield playing
            return
        if (image_id, key) in self._playing:
            raise Refusal(409, "key_in_use", "Another change on its way has that key.")
        self._playing[image_id, key] = playing
        try:
            yield playing
        finally:
            del self._playing[image_id, key]

    def told(self, playing: Playing) -> Callable[[int, int], None]:
        """What a replay calls between its steps. Raises Refusal (409) once it was stopped."""

        def told(done: int, of: int) -> None:
            playing.done, playing.of = done, of
            if done:
                self._let_others()
            playing.require_wanted()

        return told

    def to_json(self, image_id: str, key: str) -> dict[str, Any]:
        """How far a change is; null for one that isn't on its way."""
        playing = self._playing.get((image_id, key))
        if playing is None:
            return {"playing": None}
        return {"playing": {"done": playing.done, "of": playing.of}}

    def stop(self, image_id: str, key: str) -> dict[str, Any]:
        """Ends a change before it counts, if it is on its way: its own answer says whether."""
        playing = self._playing.get((image_id, key))
        if playing is not None:
            playing.stopped = True
        return {"stopping": playing is not None}
