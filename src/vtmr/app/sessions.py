"""Live Sessions, by what happened in them: as a Session never changes, undo, replay and preview are
look-ups."""

from __future__ import annotations

import threading
from collections import OrderedDict

from vtmr.app.document import Steps
from vtmr.app.pictures import Picture
from vtmr.geometry import Box
from vtmr.session import Session
from vtmr.types import Predictor

_BUDGET_BYTES = 200_000_000
_BYTES_PER_STEP = 600_000  # a click's layers
_LEAST = 2  # the object's, and its preview's


_Key = tuple[str, str, Box | None, Steps]


class Sessions:
    """The sessions used last, within a budget of memory."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._live: OrderedDict[_Key, Session] = OrderedDict()
        self._mutex = threading.Lock()

    def at(self, picture: Picture, region: Box | None, steps: Steps) -> tuple[Session, bool]:
        """The session after those steps, and whether it had to be played again from further back.

        Raises InputError as Session.add.
        """
        start, session = self._nearest(picture, region, steps)
        for end in range(start + 1, len(steps) + 1):
            session = session.add(*steps[end - 1])
            self._keep(picture, region, steps[:end], session)
        return session, start < len(steps)

    def forget(self, picture: Picture) -> None:
        """Drops all sessions on it."""
        with self._mutex:
            for key in [key for key in self._live if key[:2] == (picture.name, picture.version)]:
                del self._live[key]

    def _nearest(self, picture: Picture, region: Box | None, steps: Steps) -> tuple[int, Session]:
        """The longest beginning of the steps of which a session is live, else a new session."""
        with self._mutex:
            for end in range(len(steps), 0, -1):
                key = (picture.name, picture.version, region, steps[:end])
                if key in self._live:
                    self._live.move_to_end(key)
                    return end, self._live[key]
        image = picture.pyramid.image
        return 0, Session(self._predictor, image, region=region, scene=picture.scene)

    def _keep(self, picture: Picture, region: Box | None, steps: Steps, session: Session) -> None:
        with self._mutex:
            self._live[picture.name, picture.version, region, steps] = session
            # A session keeps its mask; its layers are mostly its predecessor's.
            most = max(_LEAST, _BUDGET_BYTES // (picture.height * picture.width + _BYTES_PER_STEP))
            while len(self._live) > most:
                self._live.popitem(last=False)
