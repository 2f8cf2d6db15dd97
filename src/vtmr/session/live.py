"""Sessions that stay in memory, by what happened in them: as a Session never changes, undo, replay
and the next click are look-ups."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from vtmr.session.history import Session
from vtmr.types import Event

_BYTES_PER_STEP = 600_000  # a click's layers, besides the mask
_LEAST = 2  # the object's, and its preview's

Step = tuple[Event, ...]


class LiveSessions:
    """The sessions used last, within a budget of memory. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        """most_bytes: of all sessions together; two are kept in any case."""
        self._most_bytes = most_bytes
        self._live: OrderedDict[tuple[Hashable, tuple[Step, ...]], tuple[Session, int]]
        self._live = OrderedDict()
        self._bytes = 0
        self._mutex = threading.Lock()

    def at(
        self,
        subject: Hashable,
        steps: Sequence[Step],
        begin: Callable[[], Session],
        pixels: int,
    ) -> tuple[Session, bool]:
        """The session after those steps, and whether it had to be played again from further back.

        subject: what the session is on, whatever decides its answers but the steps. begin: makes
        one without steps. pixels: of the image. Raises InputError as Session.add.
        """
        steps = tuple(steps)
        start, session = self._nearest(subject, steps)
        if session is None:
            session = begin()
        for end in range(start + 1, len(steps) + 1):
            session = session.add(*steps[end - 1])
            self._keep((subject, steps[:end]), session, pixels + _BYTES_PER_STEP)
        return session, start < len(steps)

    def forget(self, concerned: Callable[[Hashable], bool]) -> None:
        """Drops all sessions on the subjects that `concerned` is true of."""
        with self._mutex:
            for key in [key for key in self._live if concerned(key[0])]:
                self._bytes -= self._live.pop(key)[1]

    def _nearest(self, subject: Hashable, steps: tuple[Step, ...]) -> tuple[int, Session | None]:
        """The longest beginning of the steps of which a session is live."""
        with self._mutex:
            for end in range(len(steps), 0, -1):
                key = (subject, steps[:end])
                if key in self._live:
                    self._live.move_to_end(key)
                    return end, self._live[key][0]
        return 0, None

    def _keep(self, key: tuple[Hashable, tuple[Step, ...]], session: Session, size: int) -> None:
        """size: a session's mask and its newest layers; the others are its predecessor's."""
        with self._mutex:
            if key in self._live:  # two asked for the same at the same time
                self._bytes -= self._live.pop(key)[1]
            self._live[key] = session, size
            self._bytes += size
            while self._bytes > self._most_bytes and len(self._live) > _LEAST:
                _, (_, freed) = self._live.popitem(last=False)
                self._bytes -= freed
