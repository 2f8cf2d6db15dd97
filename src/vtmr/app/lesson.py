"""The first minute: the network on a bundled photo, for a lesson in which nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vtmr
from vtmr.images import read_image
from vtmr.serving.bodies import Fields
from vtmr.serving.maskruns import MaskRuns
from vtmr.session import Session
from vtmr.types import Click, Predictor

MAX_CLICKS = 20
PHOTO = Path(vtmr.__file__).parent / "assets" / "photos" / "coffee.jpg"


class Lesson:
    """Answers clicks on the photo PHOTO. For one thread."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._begun: Session | None = None

    def answer(self, clicks: Sequence[Click]) -> MaskRuns:
        """The mask after those clicks. Raises InputError for one outside the photo."""
        if (
            self._begun is None
        ):  # the photo is prepared once, and only for those who take the lesson
            self._begun = Session(self._predictor, read_image(PHOTO))
        session = self._begun
        for click in clicks:
            session = session.add(click)
        return MaskRuns.encode(session.mask)


def read_lesson(fields: Fields) -> list[Click]:
    """The clicks of one object of the lesson. Raises Refusal."""
    clicks = []
    for record in fields.items("clicks", 1, MAX_CLICKS):
        one = Fields(record, "A click")
        x, y = (one.number(name, -1e6, 1e6) for name in ("x", "y"))
        clicks.append(Click(x, y, one.boolean("positive", True)))
        one.done()
    fields.done()
    return clicks
