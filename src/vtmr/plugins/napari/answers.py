"""Masks by clicks, each found again by all that it was made of: so that undo, redo and a point that
is moved back cost nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vtmr.masks import Mask
from vtmr.session import Session
from vtmr.types import Click, Correction, Image, Predictor

_SCENES, _SESSIONS = 4, 200  # kept: pictures with what the model made of them; histories


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
        self._sessions: OrderedDict[Hashable, Session] = OrderedDict()

    def mask(self, question: Question) -> Answer:
        """The mask after the clicks; without any, the one that they would have begun with.

        Raises InputError for clicks that can't be, CheckpointError for a model that can't be
        loaded, and what the picture raises.
        """
        if not question.clicks:
            return Answer(question.start)
        session = self._nearest(question)
        for number in range(len(session.clicks), len(question.clicks)):
            session = session.add(question.clicks[number])
            self._keep(question, question.clicks[: number + 1], session)
        return Answer(session.mask, session.note)

    def _nearest(self, question: Question) -> Session:
        """The session that has answered most of the clicks already."""
        for count in range(len(question.clicks), 0, -1):
            found = self._sessions.get(_name(question, question.clicks[:count]))
            if found is not None:
                return found
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

    def _keep(self, question: Question, clicks: Sequence[Click], session: Session) -> None:
        self._sessions[_name(question, clicks)] = session
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def _forget(self, key: Hashable) -> None:
        """Sessions hold their picture: they go with it."""
        for name in [name for name in self._sessions if name[0] == key]:  # type: ignore[index]
            del self._sessions[name]


def _name(question: Question, clicks: Sequence[Click]) -> Hashable:
    start = np.packbits(question.start).tobytes()
    digest = hashlib.sha256(start).digest()
    return question.key, question.start.shape, digest, question.correction, tuple(clicks)
