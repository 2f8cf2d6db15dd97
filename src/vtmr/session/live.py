"""Sessions that stay in memory, by what happened in them: as a Session never changes, undo, replay
and the next click are look-ups.

A click's answer depends on the one before it: when a click is moved or deleted, all later ones are
played again, from the nearest session that is kept. Memory is bounded: of a long history every so
many steps are kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from vtmr.session.history import Session
from vtmr.types import Event

_MASKED = 2  # used last, and kept with their masks in any case: the object's, and its preview's
_LEAST = 4  # used last, and kept in any case
_END_WORTH = 16  # times as much as one on the way: where an object stands, or stood before an undo
_MOST = 400  # each of them is looked at when one is looked for

Step = tuple[Event, ...]
Told = Callable[[int, int], None]


@dataclass(slots=True, eq=False)
class _Kept:
    """A session after `steps` on `subject`.

    before: the kept session that it was played from; gap: how many steps that took. used: when it
    was asked for last, as a number. held: what `Session.holds` told when it was counted.
    """

    subject: Hashable
    steps: tuple[Step, ...]
    session: Session
    before: _Kept | None
    gap: int
    used: int = 0
    held: dict[int, int] = field(default_factory=dict)


class LiveSessions:
    """The sessions that are most worth keeping, within a budget of memory. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        """most_bytes: of all sessions together; a few are kept in any case."""
        self._most_bytes = most_bytes
        self._kept: list[_Kept] = []
        self._holders: Counter[int] = Counter()  # how many sessions hold an array, by its id
        self._bytes = 0
        self._now = 0
        self._mutex = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that the sessions keep in memory; what several of them share counts once."""
        return self._bytes

    def depths(self, subject: Hashable) -> list[int]:
        """After how many steps there are sessions on a subject, in order."""
        with self._mutex:
            return sorted(len(kept.steps) for kept in self._kept if kept.subject == subject)

    def at(
        self,
        subject: Hashable,
        steps: Sequence[Step],
        begin: Callable[[], Session],
        told: Told | None = None,
    ) -> tuple[Session, bool]:
        """The session after those steps, and whether it had to be played again from further back.

        subject: what the session is on, whatever decides its answers but the steps. begin: makes
        one without steps. told: called before each step that is played with how many are done and
        how many there are; what it raises ends the replay, and what was played stays kept.

        Raises InputError as Session.add.
        """
        steps = tuple(steps)
        last = self._nearest(subject, steps)
        start, session = 0, begin() if last is None else last.session
        if last is not None:
            start = len(last.steps)
            if not session.is_painted:
                # Another one, so that its mask isn't kept uncounted.
                session = session.tip(masked=False)
        for end in range(start + 1, len(steps) + 1):
            if told is not None:
                told(end - 1 - start, len(steps) - start)
            # The mask is painted as long as the one before it lives: then only what is new is.
            session = session.add(*steps[end - 1]).tip()
            new = _Kept(subject, steps[:end], session, last, end)
            if last is not None:
                new.gap -= len(last.steps)
            self._keep(new)
            last = new
        return session, start < len(steps)

    def forget(self, concerned: Callable[[Hashable], bool]) -> None:
        """Drops all sessions on the subjects that `concerned` is true of."""
        with self._mutex:
            for kept in [kept for kept in self._kept if concerned(kept.subject)]:
                self._drop(kept)

    def _nearest(self, subject: Hashable, steps: tuple[Step, ...]) -> _Kept | None:
        """The session after the longest beginning of the steps of which one is kept."""
        with self._mutex:
            found: _Kept | None = None
            longest = 0
            for kept in self._kept:
                length = len(kept.steps)
                if not longest < length <= len(steps) or kept.subject != subject:
                    continue
                # Mostly they are the very same steps: a thousand are compared in microseconds.
                if kept.steps == steps[:length]:
                    found, longest = kept, length
            if found is not None:
                self._use(found)
            return found

    def _keep(self, new: _Kept) -> None:
        with self._mutex:
            self._use(new)
            self._kept.append(new)
            self._count(new)
            if self._is_full():
                self._thin_out()

    def _thin_out(self) -> None:
        """Lets go until the rest is within the budget, first of masks, which are soon painted
        again."""
        by_use = sorted(self._kept, key=lambda kept: kept.used)
        for kept in by_use[:-_MASKED]:
            if not self._is_full():
                return
            if not kept.session.is_painted:
                continue
            self._uncount(kept)
            kept.session = kept.session.tip(masked=False)
            self._count(kept)
        gone_on_from = {kept.before for kept in self._kept}

        def worth(kept: _Kept) -> int:
            return kept.gap if kept in gone_on_from else kept.gap * _END_WORTH

        older = by_use[:-_LEAST]
        while older and self._is_full():
            # What takes the fewest steps to be had again, of those what was in use longest ago: so
            # a long history thins out evenly. Where nothing went on from, the next click may.
            least = min(older, key=lambda kept: (worth(kept), kept.used))
            older.remove(least)
            self._drop(least)

    def _is_full(self) -> bool:
        return self._bytes > self._most_bytes or len(self._kept) > _MOST

    def _use(self, kept: _Kept) -> None:
        self._now += 1
        kept.used = self._now

    def _drop(self, gone: _Kept) -> None:
        self._kept.remove(gone)
        self._uncount(gone)
        for kept in self._kept:
            if kept.before is gone:
                kept.before = gone.before
                kept.gap += gone.gap
        gone.before = None  # or a chain of what is gone would stay in memory

    def _count(self, kept: _Kept) -> None:
        kept.held = kept.session.holds()
        for place, nbytes in kept.held.items():
            self._holders[place] += 1
            if self._holders[place] == 1:
                self._bytes += nbytes

    def _uncount(self, kept: _Kept) -> None:
        for place, nbytes in kept.held.items():
            self._holders[place] -= 1
            if not self._holders[place]:
                del self._holders[place]
                self._bytes -= nbytes
        kept.held = {}
