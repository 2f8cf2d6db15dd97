"""The live Sessions on the annotator's pictures."""

from __future__ import annotations

from vtmr.app.document import Steps
from vtmr.app.pictures import Picture
from vtmr.geometry import Box
from vtmr.session import Session
from vtmr.session.live import LiveSessions, Told
from vtmr.types import Predictor

_BUDGET_BYTES = 200_000_000


class Sessions:
    """The sessions used last, within a budget of memory."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._live = LiveSessions(_BUDGET_BYTES)

    def at(
        self, picture: Picture, region: Box | None, steps: Steps, told: Told | None = None
    ) -> tuple[Session, bool]:
        """The session after those steps, and whether it had to be played again from further back.

        told: as for `LiveSessions.at`. Raises InputError as Session.add.
        """

        def begin() -> Session:
            image = picture.pyramid.image
            return Session(self._predictor, image, region=region, scene=picture.scene)

        subject = (picture.name, picture.version, region)
        return self._live.at(subject, steps, begin, told)

    def forget(self, picture: Picture) -> None:
        """Drops all sessions on it."""
        gone = (picture.name, picture.version)
        self._live.forget(lambda subject: isinstance(subject, tuple) and subject[:2] == gone)
