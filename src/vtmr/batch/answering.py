"""One image's prompts answered, each object by a `Session` of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vtmr.batch.records import Answered, Failure, ImageTask, Made, Prompt
from vtmr.batch.tightening import tightened
from vtmr.errors import InputError, VtmrError
from vtmr.formats import Annotation
from vtmr.formats.cocoshapes import coco_runs
from vtmr.images import read_image
from vtmr.maskfiles import read_mask
from vtmr.masks import Mask, RunLengths
from vtmr.session import Session
from vtmr.types import Correction, Event, Image, Predictor

_EMPTY = "The answer is empty: there is no such object for the model. Give it another click."


def opened(
    load: Callable[[], Predictor], correction: Correction
) -> Callable[[tuple[ImageTask, str]], Answered]:
    """What answers tasks, with a predictor of its own; a team's `make` when it is partially
    applied."""
    predictor = load()

    def answer(asked: tuple[ImageTask, str]) -> Answered:
        task, key = asked
        return answered(task, key, predictor, correction)

    return answer


def answered(task: ImageTask, key: str, predictor: Predictor, correction: Correction) -> Answered:
    """The masks of an image; a prompt that can't be answered costs itself alone."""
    try:
        image = read_image(task.path)
        scene = predictor.prepare(image)
    except (VtmrError, MemoryError) as error:
        # Of size 0 x 0, as it wasn't read: the journal leaves it out, and the next run tries
        # again.
        failure = Failure(task.name, "", _in_words(error))
        return Answered(task.name, key, 0, 0, (), (failure,))
    subject = _Subject(predictor, image, scene, correction)
    made: list[Made] = []
    failures: list[Failure] = []
    for prompt in task.prompts:
        try:
            made.append(_made(prompt, subject))
        except (VtmrError, MemoryError) as error:
            failures.append(Failure(task.name, prompt.object, _in_words(error)))
    height, width = image.shape[:2]
    return Answered(task.name, key, height, width, tuple(made), tuple(failures))


@dataclass(frozen=True, slots=True, eq=False)
class _Subject:
    """An image, prepared once, and how clicks on rough masks correct."""

    predictor: Predictor
    image: Image
    scene: Any
    correction: Correction

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)"""
        return self.image.shape[0], self.image.shape[1]

    def session(self, mask: Mask | None) -> Session:
        """Before its first click; `mask` is what the clicks correct."""
        return Session(
            self.predictor,
            self.image,
            initial_mask=mask,
            correction=self.correction,
            scene=self.scene,
        )

    def tightened(self, rough: Mask) -> Mask | None:
        """A better mask than the rough one; None where there is none."""
        return tightened(self.predictor, self.image, rough, self.scene)


def _made(prompt: Prompt, subject: _Subject) -> Made:
    """Raises InputError where no mask comes of it."""
    rough = _rough_mask(prompt, subject.shape)
    if rough is not None and prompt.crowd:  # many objects, none of which could be told
        return Made(prompt.object, _annotation(prompt, rough), prompt.score, kept=True)
    if rough is not None and not prompt.clicks:
        better = subject.tightened(rough)
        mask = rough if better is None else better
        return Made(prompt.object, _annotation(prompt, mask), prompt.score, kept=better is None)
    session = subject.session(rough)
    events: list[Event] = [] if prompt.box is None else [prompt.box]
    # One by one, as they were made: each is answered on what those before it brought.
    for event in (*events, *prompt.clicks):
        session = session.add(event)
    if not session.mask.any():
        raise InputError(session.note or _EMPTY)
    return Made(prompt.object, _annotation(prompt, session.mask), prompt.score)


def _rough_mask(prompt: Prompt, shape: tuple[int, int]) -> Mask | None:
    """The mask that the prompt brings, bool H x W; None where it brings none."""
    if prompt.outline is not None:
        rough = coco_runs(json.loads(prompt.outline), *shape).decode()
    elif prompt.mask_path is not None:
        rough = read_mask(prompt.mask_path, shape)
    else:
        return None
    if not rough.any() and not prompt.clicks:
        raise InputError("The mask is empty: there is nothing to go by.")
    return rough


def _annotation(prompt: Prompt, mask: Mask) -> Annotation:
    return Annotation(prompt.label, RunLengths.encode(mask), prompt.crowd)


def _in_words(error: Exception) -> str:
    # Python's own MemoryError comes without a message.
    return str(error) or "There isn't enough memory for it."
