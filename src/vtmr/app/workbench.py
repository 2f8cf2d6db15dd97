"""What can be done to one object of one open image, with the network and without: an Item in, an
Item out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vtmr.app.document import Item, Steps
from vtmr.app.pictures import Picture
from vtmr.app.sessions import Sessions
from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.serving.maskruns import MaskRuns
from vtmr.session.live import Told
from vtmr.types import BoxPrompt, Click, Event, MaskEdit, active_box, beginning


@dataclass(slots=True)
class Workbench:
    """An open image with the sessions on it. labels: the project's; made_with: model and versions,
    kept with masks. told: what is called between steps that are played (`LiveSessions.at`).

    neighbours: where objects are that a mask may have been cut at (apart.py), given an object's id.
    predict_ms: what the network and the painting of its mask took so far. note: what the newest
    step's mask doesn't tell, "" where there is nothing.
    """

    picture: Picture
    sessions: Sessions
    labels: Sequence[str]
    made_with: Mapping[str, str]
    neighbours: Callable[[str], Mask] | None = None
    told: Told | None = None
    predict_ms: float = field(default=0.0)
    note: str = ""

    def clicked(
        self, item: Item, clicks: Sequence[Click], region: Box | None, keep_rest: bool
    ) -> Item:
        """With further clicks, answered by one prediction. region: counts for the first ones.

        keep_rest: the mask so far is taken as given. Raises InputError for a click outside the
        image.
        """
        for click in clicks:
            click.require_inside(self.picture.height, self.picture.width)
        if not item.steps:
            return self._played(replace(item, region=region), (tuple(clicks),))
        if isinstance(item.steps[-1][-1], MaskEdit):
            given = False  # it is already
        else:
            session, replayed = self.sessions.at(self.picture, item.region, item.steps, self.told)
            # Played again with another version or on another machine the mask may differ; what the
            # user saw stays.
            given = keep_rest or (replayed and not self._is_of(item, session.mask))
        start = (MaskEdit.of(self.mask_of(item)),) if given else ()
        return self._played(item, (*item.steps, (*start, *clicks)))

    def boxed(self, item: Item, box: BoxPrompt) -> Item:
        """Begun anew by a box. Raises InputError for one outside the image, and where the model
        takes none."""
        return self._played(item, (*item.steps, (box,)))

    def replayed(self, item: Item, steps: Steps) -> Item:
        """With another history. Raises InputError for a click outside the image."""
        return self._played(item, steps)

    def edited(self, item: Item, edit: Callable[[Mask], Mask]) -> Item:
        """With the mask that `edit` makes of its own; unchanged if that is the same."""
        after = edit(self.mask_of(item))
        mask = MaskRuns.encode(after)
        if _same(mask, item.mask) and item.steps:
            return item
        return replace(
            item, steps=(*item.steps, (MaskEdit.of(after),)), mask=mask, made_with=self.made_with
        )

    def mask_of(self, item: Item) -> Mask:
        """bool H x W. Raises InputError when the item's mask isn't of this image."""
        return item.mask.decode(self.picture.height, self.picture.width)

    def _is_of(self, item: Item, mask: Mask) -> bool:
        """Whether the item's mask is what its session answers, but for what neighbours kept."""
        if _same(MaskRuns.encode(mask), item.mask):
            return True
        lost = mask ^ self.mask_of(item)
        if self.neighbours is None or not mask[lost].all():
            return False
        return bool(self.neighbours(item.id)[lost].all())

    def _played(self, item: Item, steps: Steps) -> Item:
        start = time.perf_counter()
        session, _ = self.sessions.at(self.picture, item.region, steps, self.told)
        mask = session.mask
        self.predict_ms += (time.perf_counter() - start) * 1000
        self.note = session.note
        return replace(item, steps=steps, mask=MaskRuns.encode(mask), made_with=self.made_with)


@dataclass(frozen=True, slots=True)
class Place:
    """A click and where it is: the step, and the event in it."""

    row: int
    column: int
    click: Click


def active_places(steps: Steps) -> list[Place]:
    """The clicks since the last edit or box, in order."""
    places: list[Place] = []
    for row, step in enumerate(steps):
        for column, event in enumerate(step):
            if isinstance(event, Click):
                places.append(Place(row, column, event))
            else:
                places.clear()
    return places


def with_clicks(steps: Steps, changes: Mapping[Place, Click | None]) -> Steps:
    """With other clicks in those places, or none: a step that is left without events goes."""
    instead = {(place.row, place.column): click for place, click in changes.items()}
    touched = {row for row, _ in instead}
    changed: list[tuple[Event, ...]] = []
    for row, step in enumerate(steps):
        if row in touched:
            events = [instead.get((row, column), event) for column, event in enumerate(step)]
            step = tuple(event for event in events if event is not None)
        if step:
            changed.append(step)
    return tuple(changed)


def was_edited(steps: Steps) -> bool:
    """Whether the mask was set by the user since it was begun: clicks then change only what they
    touch."""
    return isinstance(beginning([event for step in steps for event in step]), MaskEdit)


def box_of(steps: Steps) -> BoxPrompt | None:
    """The box that the object began with, if it began with one."""
    return active_box([event for step in steps for event in step])


def clicks_json(item: Item) -> list[dict[str, Any]]:
    """The clicks that can be moved or deleted, as the page draws them."""
    clicks = (place.click for place in active_places(item.steps))
    return [{"x": click.x, "y": click.y, "positive": click.positive} for click in clicks]


def require_click(item: Item, places: Sequence[Place], index: int) -> Place:
    """The place of a click that can be changed. places: `active_places` of the item's steps.

    Raises InputError when there is none of that index.
    """
    if index >= len(places):
        raise InputError(
            f"The object {item.id} has {len(places)} clicks that can be changed: there is no "
            f"{index}."
        )
    return places[index]


def _same(one: MaskRuns, other: MaskRuns) -> bool:
    return one.box == other.box and np.array_equal(one.runs, other.runs)
