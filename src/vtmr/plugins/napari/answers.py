"""Masks by clicks, each found again by all that it was made of: so that undo, redo and a point that
is moved back cost nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtmr.masks import Mask
from vtmr.session import Session
from vtmr.session.live import LiveSessions
from vtmr.types import Click, Correction, Image, Predictor

_SCENES = 4  # kept: pictures with what the model made of them
_SESSION_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of one object. key: of its picture, which `picture` makes; start: where its
    label was before its first click, bool H x W; clicks: in their order."""

    key: Hashable
    picture: Callable[[], Image]
    start: Mask
    clicks: tuple[Click, ...]
    correction: Correction = "here"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The mask, bool H x W, and a sentence that it doesn't tell; "" mostly."""

    mask: Mask
    note: str = ""


class Answers:
    """Asked by one thread at a time. load: makes the predictor, with the first question."""

    def __init__(self, load: Callable[[], Predictor]) -> None:
        self._load = load
        self._predictor: Predictor | None = None
        self._scenes: OrderedDict[Hashable, tuple[Image, Any]] = OrderedDict()
        self._sessions = LiveSessions(_SESSION_BYTES)

    def mask(self, question: Question) -> Answer:
        """The mask after the clicks; without any, the one that they would have begun with.

        Raises InputError for clicks that can't be, CheckpointError for a model that can't be
        loaded, and what the picture raises.
        """
        if not question.clicks:
            return Answer(question.start)
        session, _ = self._sessions.at(
            _subject(question),
            [(click,) for click in question.clicks],
            lambda: self._begin(question),
        )
        return Answer(session.mask, session.note)

    def _begin(self, question: Question) -> Session:
        predictor = self._opened()
        image, scene = self._scene(question, predictor)
        start = question.start if question.start.any() else None
        return Session(
            predictor, image, initial_mask=start, correction=question.correction, scene=scene
        )

    def _opened(self) -> Predictor:
        if self._predictor is None:
            self._predictor = self._load()
        return self._predictor

    def _scene(self, question: Question, predictor: Predictor) -> tuple[Image, Any]:
        if question.key not in self._scenes:
            image = question.picture()
            self._scenes[question.key] = image, predictor.prepare(image)
        self._scenes.move_to_end(question.key)
        while len(self._scenes) > _SCENES:
            gone, _ = self._scenes.popitem(last=False)
            self._forget(gone)
        return self._scenes[question.key]

    def _forget(self, key: Hashable) -> None:
        """Sessions hold their picture: they go with it."""
        self._sessions.forget(lambda subject: isinstance(subject, tuple) and subject[0] == key)


def _subject(question: Question) -> Hashable:
    """Whatever decides the mask but the clicks."""
    start = np.packbits(question.start).tobytes()
    digest = hashlib.sha256(start).digest()
    return question.key, question.start.shape, digest, question.correction
