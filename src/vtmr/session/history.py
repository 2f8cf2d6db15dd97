"""One object's history of clicks and edits: immutable, small at any image size, replayable.

    session = Session(predictor, image).add(Click(320, 240))
    session.mask                                             # bool H x W
    session = session.add(Click(400, 250, positive=False)).undo()

A step is what one `add` brought: its events, the predictor's compact answer and, on an edited or
imported mask, the few pixels that changed. Masks are rebuilt from that; only a session whose mask
was asked for holds one.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from vtmr.errors import InputError
from vtmr.geometry import Box, Frame, as_box
from vtmr.masks import Mask
from vtmr.provenance import processor, versions
from vtmr.segmenter.logits import sigmoid
from vtmr.session.answers import logits_of
from vtmr.session.checks import (
    require_event,
    require_image,
    require_mask,
    require_size,
    require_taken,
)
from vtmr.session.eventlog import EventLog
from vtmr.session.merge import Patch, merge
from vtmr.types import (
    BoxPrompt,
    Click,
    Correction,
    Event,
    FloatMap,
    Image,
    MaskEdit,
    Prediction,
    Predictor,
    active_box,
    active_clicks,
    beginning,
    last_edit,
    require_correction,
    takes_from_nothing,
)

# Bytes: with a prediction's layers a click stays under 1 MB, whatever the masks.
_LARGEST_PATCH = 1 << 18

NOTHING_TO_TAKE = (
    "A negative click takes away from an object, and there is none yet: click on the object first."
)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The answer to clicks that only take away, where there is nothing: no predictor is asked."""

    height: int
    width: int
    nbytes: int = 0

    def render(self) -> Mask:
        return np.zeros((self.height, self.width), np.bool_)

    def logits_on(self, frame: Frame) -> FloatMap:
        return np.full((frame.height, frame.width), -np.inf, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """What one `add` brought. prediction: None when it ended with an edit.

    merged: whether the prediction changed only what the clicks touch of the mask before; otherwise
    its mask stands by itself. patch: what the merge flipped; None without a merge, or where keeping
    it would cost more than merging again.
    """

    events: tuple[Event, ...]
    prediction: Prediction | None = None
    merged: bool = False
    patch: Patch | None = None

    @property
    def stands_alone(self) -> bool:
        """Whether the mask after it can be told without the steps before it."""
        answered = self.prediction is not None and not self.merged
        return answered or last_edit(self.events) is not None


@dataclass(frozen=True, slots=True, eq=False)
class _Subject:
    """What doesn't change from click to click."""

    predictor: Predictor
    scene: Any
    height: int
    width: int
    region: Box | None
    initial: tuple[_Step, ...]
    correction: Correction


class Session:
    """An object's mask as it stands after some events; every change gives a new Session.

    Until a MaskEdit the mask is the predictor's. On an edit (or `initial_mask`) a click corrects in
    one of two ways, its own or else the session's. "here" merges progressively: only the connected
    component of the difference that holds the click changes, every other pixel stays bit-identical.
    "refit" takes the predictor's answer wherever it was asked for; `preview` tells what a click
    would change, before it is kept.
    """

    def __init__(
        self,
        predictor: Predictor,
        image: Image,
        *,
        initial_mask: Mask | None = None,
        region: Box | Sequence[float] | None = None,
        correction: Correction = "here",
        scene: Any = None,
    ) -> None:
        """A session before its first click.

        Args:
            predictor: What answers clicks; `vtmr.load()` makes one.
            image: uint8 H x W x 3, RGB.
            initial_mask: bool H x W, the first event: a mask to correct.
            region: What the caller looks at, a Box or four numbers (x0, y0, x1, y1) in pixels,
                rounded outwards; the first click's answer stays in it.
            correction: That of clicks on an edit that name none, "here" or "refit".
            scene: What `predictor.prepare` returned for this very image, where several objects
                share it; None prepares the image.

        Raises:
            InputError: For an image, a mask or a region of another type or size, and for another
                correction.
        """
        height, width = require_image(image)
        require_correction(correction)
        if region is not None:
            region = as_box(region, "region")
        initial: tuple[_Step, ...] = ()
        if initial_mask is not None:
            initial = (_Step((MaskEdit.of(require_mask(initial_mask, height, width)),)),)
        if scene is None:
            scene = predictor.prepare(image)
        self._subject = _Subject(predictor, scene, height, width, region, initial, correction)
        self._steps = initial
        self._undone: tuple[_Step, ...] = ()
        self._floor = len(initial)  # steps that can't be undone
        self._mask: Mask | None = None

    def _at(
        self, steps: tuple[_Step, ...], undone: tuple[_Step, ...] = (), mask: Mask | None = None
    ) -> Session:
        """A session on the same subject."""
        # Past __init__, which would check and prepare the image anew with every click.
        other = object.__new__(Session)
        other._subject, other._mask = self._subject, mask
        other._steps, other._undone = steps, undone
        other._floor = self._floor
        return other

    def add(self, *events: Event) -> Session:
        """With further events; what was undone is dropped.

        Args:
            events: Clicks, which are answered by one prediction when they are added together, and
                mask edits.

        Returns:
            A new session; this one stays as it is.

        Raises:
            InputError: Without events, for a click outside the image and for an edit of another
                size.
        """
        subject = self._subject
        if not events:
            raise InputError("Nothing to add: expected at least one Click, BoxPrompt or MaskEdit.")
        for event in events:
            require_event(event, subject.height, subject.width)
            require_taken(event, subject.predictor)
        # All events are sound: from here on nothing is refused half-way.
        start, clicks = beginning(events), active_clicks(events)
        before = self._before(start)
        # An edit's mask is the user's: it is kept as it is, and the predictor isn't asked.
        if isinstance(start, MaskEdit) and not clicks:
            return self._at((*self._steps, _Step(events)), mask=before)
        history = (*self.events, *events)
        boxed = active_box(history) is not None
        if not boxed and takes_from_nothing(active_clicks(history), before):
            return self._at((*self._steps, _Step(events, _Nothing(subject.height, subject.width))))
        here = before is not None and _corrects_here(history, clicks, subject.correction)
        # A box or an edit begins anew: the answer before it was about another mask.
        previous = None
        if start is None:
            previous = self._previous(here)
        prediction = subject.predictor.predict(
            subject.scene, history, previous, before, subject.region
        )
        if before is None or not here:
            # The mask is painted when it is asked for: a replay asks for the last one alone.
            return self._at((*self._steps, _Step(events, prediction)))
        after, patch = merge(before, prediction.render(), clicks)
        # The answer stays with the merge: the next click's prediction goes on from it.
        step = _Step(events, prediction, True, patch)
        if patch.nbytes > _LARGEST_PATCH:
            step = replace(step, patch=None)  # merged anew where it is asked for
        return self._at((*self._steps, step), mask=_frozen(after))

    def _before(self, start: BoxPrompt | MaskEdit | None) -> Mask | None:
        """What the user sees before the newest clicks; None where there is nothing yet.

        start: what the newest events begin anew with.
        """
        if isinstance(start, MaskEdit):
            return _frozen(start.runs.decode())
        if start is not None or not self._steps:
            return None
        return self.mask

    def _previous(self, here: bool) -> Prediction | None:
        """The answer that the next prediction goes on from.

        here: whether that one will be merged. An answer that was merged isn't what the user sees,
        so that one which is to count everywhere goes on from the mask instead.
        """
        if not self._steps or (self._steps[-1].merged and not here):
            return None
        prediction = self._steps[-1].prediction
        if isinstance(prediction, _Nothing):
            return None
        return prediction

    def preview(self, *events: Event) -> Mask:
        """What `add(*events)` would change.

        Returns:
            bool H x W: the pixels that would be other than they are.

        Raises:
            InputError: As `add`.
        """
        return self.mask ^ self.add(*events).mask

    def undo(self) -> Session:
        """Without the last step; at the start, the session itself."""
        if not self.can_undo:
            return self
        step = self._steps[-1]
        return self._at(self._steps[:-1], (step, *self._undone), self._flipped(step))

    def redo(self) -> Session:
        """With the step that was undone last; the session itself when there is none."""
        if not self.can_redo:
            return self
        step = self._undone[0]
        return self._at((*self._steps, step), self._undone[1:], self._flipped(step))

    def reset(self) -> Session:
        """As it was made: no clicks, only the initial mask if there was one; nothing to redo.

        Shares the image.
        """
        made = self._at(self._subject.initial)
        made._floor = len(made._steps)
        return made

    def tip(self, *, masked: bool = True) -> Session:
        """The same mask and events, to go on from, without what undoing steps would take.

        A history that is kept whole takes up to a megabyte with each click. masked: holds its mask,
        too; otherwise that is painted when it is asked for.
        """
        steps = self._steps
        mask = self.mask if masked else None
        last = self._last_alone()
        kept = [*map(_forgotten, steps[:last]), *map(_merged_alone, steps[last:-1]), *steps[-1:]]
        # What later merges were made on is needed whole.
        kept[last : last + 1] = steps[last : last + 1]
        tip = self._at(tuple(kept), mask=mask)
        tip._floor = len(kept)
        return tip

    @property
    def is_painted(self) -> bool:
        """Whether it holds its mask, instead of painting it when it is asked for."""
        return self._mask is not None

    def holds(self) -> dict[int, int]:
        """What it keeps in memory, the image and the scene aside: bytes of each array or record, by
        its id, so that what several sessions share can be counted once."""
        held: dict[int, int] = {}
        for step in self._steps:
            if step.patch is not None:
                held[id(step.patch)] = step.patch.nbytes
            if step.prediction is not None:
                for array in getattr(step.prediction, "arrays", (step.prediction,)):
                    held[id(array)] = array.nbytes
        if self._mask is not None:
            held[id(self._mask)] = self._mask.nbytes
        return held

    @property
    def mask(self) -> Mask:
        """The object's mask: bool H x W, read-only, empty before the first event."""
        if self._mask is None:
            self._mask = _frozen(self._render())
        return self._mask

    def _render(self) -> Mask:
        """The mask after the last step, from the last one that stands alone and the merges since.

        Without any step the mask is empty.
        """
        mask: Mask | None = None
        for step in self._steps[self._last_alone() :]:
            edit = last_edit(step.events)
            if edit is not None:
                # First of all in its step: a merge beside it flipped pixels of the edited mask.
                mask = edit.runs.decode()
            if step.patch is not None and mask is not None:
                step.patch.flip(mask)
            elif step.prediction is not None and step.merged and mask is not None:
                mask, _ = merge(mask, step.prediction.render(), active_clicks(step.events))
            elif step.prediction is not None:
                mask = step.prediction.render()
        if mask is None:
            return np.zeros((self._subject.height, self._subject.width), np.bool_)
        return mask

    def _last_alone(self) -> int:
        """The number of the last step that stands alone; 0 where none does."""
        for number in range(len(self._steps) - 1, -1, -1):
            if self._steps[number].stands_alone:
                return number
        return 0

    def _flipped(self, step: _Step) -> Mask | None:
        """This session's mask before or after a merged step that is undone or redone, where that is
        cheap to tell."""
        # A step with an edit replaced the mask: flipping the merge's pixels back leaves the edit.
        if self._mask is None or step.patch is None or last_edit(step.events):
            return None
        mask = self._mask.copy()
        step.patch.flip(mask)
        return _frozen(mask)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events up to here, in order."""
        return tuple(chain.from_iterable(step.events for step in self._steps))

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks since the last edit or box: those the predictor sees."""
        return active_clicks(self.events)

    @property
    def prediction(self) -> Prediction | None:
        """The predictor's answer to the newest step, before any merge; None where it was an
        edit."""
        if not self._steps:
            return None
        return self._steps[-1].prediction

    @property
    def probability(self) -> FloatMap:
        """How sure the predictor is of each pixel: float32 H x W in [0, 1]; see `logits`.

        Of a large image rather ask `probability_in` for a part.
        """
        return sigmoid(self.logits())

    def probability_in(
        self, box: Box | Sequence[float], size: tuple[int, int] | None = None
    ) -> FloatMap:
        """The probability in a part of the image, float32; arguments and errors as of `logits`."""
        return sigmoid(self.logits(box, size))

    def logits(
        self, box: Box | Sequence[float] | None = None, size: tuple[int, int] | None = None
    ) -> FloatMap:
        """The newest answer's logits, the predictor's own: before any merge with an edited mask.

        Args:
            box: Pixels of the image, a Box or four numbers (x0, y0, x1, y1); None is all of them.
            size: (height, width) of a grid over the box, at whose cells' centres they are told;
                None is one value for each pixel.

        Returns:
            float32 height x width; -inf where the predictor didn't look.

        Raises:
            InputError: Where the newest step is no answer but an edit or nothing, for a predictor
                that tells its mask alone, and for a box that isn't in the image.
        """
        subject = self._subject
        whole = Box.whole(subject.height, subject.width)
        part = whole
        if box is not None:
            part = as_box(box, "box")
        if part.intersection(whole) != part:
            raise InputError(
                f"The box {part.as_tuple()} isn't in the image of {subject.width}x{subject.height} "
                "pixels: expected one that is, with whole numbers of pixels at its sides."
            )
        if self.prediction is None:
            raise InputError(
                "There is no answer to tell logits of, only a mask that was given or none: add a "
                "click first."
            )
        height, width = part.height, part.width
        if size is not None:
            height, width = require_size(size)
        return logits_of(self.prediction, Frame(part, width, height), subject.predictor.name)

    @property
    def note(self) -> str:
        """A sentence about the newest step that its mask doesn't tell; empty where there is
        none."""
        if isinstance(self.prediction, _Nothing):
            return NOTHING_TO_TAKE
        return ""

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo; the initial mask is none, and neither is what came
        before a `tip`."""
        return len(self._steps) > self._floor

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone since the last one was added."""
        return bool(self._undone)

    @property
    def history_nbytes(self) -> int:
        """Bytes that the history keeps: predictions, changed pixels and edits, what was undone
        included."""
        return sum(map(_nbytes, (*self._steps, *self._undone)))

    def to_json(self) -> str:
        """The events up to here with the model's name and all versions, for `replay`; without what
        was undone."""
        subject = self._subject
        initial = None
        if subject.initial:
            initial = last_edit(subject.initial[0].events)
        steps = tuple(step.events for step in self._steps[len(subject.initial) :])
        # Another processor's kernels may round otherwise, and a pixel at the threshold tips over.
        made_with = versions() | {"platform": platform.platform(), "processor": processor()}
        # After an update a model's name may stand for other weights.
        if weights := getattr(subject.predictor, "weights", ""):
            made_with["weights"] = weights
        height, width = subject.height, subject.width
        model, region = subject.predictor.name, subject.region
        return EventLog(
            model, made_with, height, width, region, initial, steps, subject.correction
        ).to_json()


def replay(predictor: Predictor, image: Image, saved: str) -> Session:
    """The session that `Session.to_json` wrote: the same mask bit for bit, given the same model,
    versions and machine.

    Args:
        predictor: What answers clicks.
        image: uint8 H x W x 3, RGB, the one that the session was made on.
        saved: What `to_json` wrote; `EventLog.from_json(saved)` tells what it was made with.

    Raises:
        InputError: For text that isn't a saved session, or one of an image of another size.
    """
    log = EventLog.from_json(saved)
    height, width = require_image(image)
    if (log.height, log.width) != (height, width):
        raise InputError(
            f"The saved session is of an image of {log.width}x{log.height} pixels, this one has "
            f"{width}x{height}: expected the image it was made on."
        )
    initial_mask = None
    if log.initial is not None:
        require_event(log.initial, height, width)
        initial_mask = log.initial.runs.decode()
    session = Session(
        predictor,
        image,
        initial_mask=initial_mask,
        region=log.region,
        correction=log.correction,
    )
    for events in log.steps:
        session = session.add(*events)
    return session


def _forgotten(step: _Step) -> _Step:
    """Its events alone."""
    if step.prediction is None and step.patch is None:
        return step
    return _Step(step.events)


def _merged_alone(step: _Step) -> _Step:
    """Of a merged step what it flipped, where that is kept: enough to paint the mask after it."""
    if step.patch is None or step.prediction is None:
        return step
    return replace(step, prediction=None)


def _nbytes(step: _Step) -> int:
    total = 0
    for event in step.events:
        if isinstance(event, MaskEdit):
            total += len(event.runs.counts)
    if step.prediction is not None:
        total += step.prediction.nbytes
    if step.patch is not None:
        total += step.patch.nbytes
    return total


def _corrects_here(history: Sequence[Event], clicks: Sequence[Click], own: Correction) -> bool:
    """Whether the newest clicks change only what they touch: of a mask that the user brought.

    Clicks given together are answered together; the last one's correction counts. own: the
    session's.
    """
    if not isinstance(beginning(history), MaskEdit):
        return False
    return (clicks[-1].correction or own) == "here"


def _frozen(mask: Mask) -> Mask:
    # It is handed out without a copy: whoever wrote to it would change the session.
    mask.flags.writeable = False
    return mask
