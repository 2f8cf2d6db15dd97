"""Prompts that arrive whole with every request, as CVAT sends them, and the sessions they lead to.

A request holds all positive points, all negative ones and a box. Each list keeps the order in which
its points were made; how the two interleave isn't told, and neither is which object is meant. Both
are read from the answers before: the newest of them that shares most points was for the same
object, its points keep their order, and those that it lacks were made since. Points that are gone
were taken back. Of several new points at once, positive ones are taken to be the earlier.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from vtmr.errors import InputError
from vtmr.session import Session
from vtmr.session.live import LiveSessions
from vtmr.types import BoxPrompt, Click, Event, Image, Predictor, active_clicks

MAX_POINTS = 200  # of one object; each that is new takes one answer
MAX_BYTES = 1 << 30  # of images in use, their halvings and what was answered on them
_ORDERS_KEPT = 32  # of an image: as many requests' points
_IMAGE_BYTES_PER_PIXEL = 4  # RGB with its halvings
_ANSWER_BYTES_PER_PIXEL = 4  # a mask for each of four answers
_ANSWER_BYTES = 10_000_000  # besides, for the layers of answers
_OUTSIDE = 0.5  # pixels: CVAT's canvas rounds a point before it looks whether it is in the image


@dataclass(frozen=True, slots=True)
class Prompts:
    """What one request asks for: clicks in the order of their lists, and a box or None."""

    positive: tuple[Click, ...]
    negative: tuple[Click, ...]
    box: BoxPrompt | None

    @staticmethod
    def read(positive: Any, negative: Any, box: Any, height: int, width: int) -> Prompts:
        """From plain values.

        Args:
            positive: Points of the object, a list of (x, y) in pixels, or None.
            negative: Points beside it.
            box: Two opposite corners, ((x, y), (x, y)); None or an empty list for no box.
            height: Of the image.
            width: Of the image.

        Raises:
            InputError: For values of another form, points that lie outside the image or aren't
                finite, more than MAX_POINTS of them, a box without an inside, and where nothing is
                asked.
        """
        pairs = [("positive", pair) for pair in _several(positive, "positive points")]
        pairs += [("negative", pair) for pair in _several(negative, "negative points")]
        corners = _several(box, "bounding box")
        if not pairs and not corners:
            raise InputError("There is nothing to go by: expected a point or a bounding box.")
        if len(pairs) > MAX_POINTS:
            raise InputError(
                f"There are {len(pairs)} points: expected at most {MAX_POINTS} for one object."
            )
        clicks = [_click(pair, sign == "positive", height, width) for sign, pair in pairs]
        return Prompts(
            tuple(click for click in clicks if click.positive),
            tuple(click for click in clicks if not click.positive),
            _box(corners, height, width) if corners else None,
        )

    def in_order(self, made: Sequence[Click]) -> tuple[Event, ...]:
        """The box, then all clicks, those of `made` in that order and before the others."""
        waiting = [*self.positive, *self.negative]
        known = []
        for click in made:
            if click in waiting:
                waiting.remove(click)
                known.append(click)
        box = [] if self.box is None else [self.box]
        return (*box, *known, *waiting)

    def shared(self, made: Sequence[Click]) -> int:
        """How many of these clicks are among its own."""
        waiting = [*self.positive, *self.negative]
        for click in made:
            if click in waiting:
                waiting.remove(click)
        return len(self.positive) + len(self.negative) - len(waiting)


class Replays:
    """The answers on one image, and in which order the points of each were made."""

    def __init__(self, predictor: Predictor, image: Image) -> None:
        """image: uint8 H x W x 3, RGB."""
        self._first = Session(predictor, image)
        self.height, self.width = image.shape[0], image.shape[1]
        self._orders: OrderedDict[Prompts, tuple[Event, ...]] = OrderedDict()
        self._live = LiveSessions(_bytes_of_answers(self.height, self.width))

    def answer(self, prompts: Prompts) -> Session:
        """The session after these prompts, gone on from an earlier answer where there is one.

        Raises InputError as `Session.add`.
        """
        events = self._orders.get(prompts) or self._ordered(prompts)
        steps = [(event,) for event in events]
        session, _ = self._live.at(None, steps, lambda: self._first)
        self._orders[prompts] = events
        self._orders.move_to_end(prompts)
        if len(self._orders) > _ORDERS_KEPT:
            self._orders.popitem(last=False)
        return session

    def _ordered(self, prompts: Prompts) -> tuple[Event, ...]:
        """The prompts in the order of the newest answer that shares most clicks, of these of one
        with the same box, of these of one with the fewest clicks that are gone."""
        best: tuple[Click, ...] = ()
        most = (0, False, 0)
        for asked, events in reversed(self._orders.items()):
            made = active_clicks(events)
            shared = prompts.shared(made)
            score = (shared, asked.box == prompts.box, shared - len(made))
            if score > most:
                best, most = made, score
        return prompts.in_order(best)


class OpenImages:
    """The images in use, as many of the newest as fit into `max_bytes`; at least one."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._open: OrderedDict[Hashable, tuple[Replays, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def replays(self, key: Hashable, predictor: Predictor, pixels: Callable[[], Image]) -> Replays:
        """The answers on an image.

        Args:
            key: Of the image and whatever else the answers depend on.
            predictor: What answers clicks.
            pixels: Gives the image, uint8 H x W x 3, RGB; asked only where it isn't in use.
        """
        if key not in self._open:
            image = pixels()
            height, width = image.shape[0], image.shape[1]
            size = _IMAGE_BYTES_PER_PIXEL * height * width + _bytes_of_answers(height, width)
            self._make_room(size)
            self._open[key] = (Replays(predictor, image), size)
        self._open.move_to_end(key)
        return self._open[key][0]

    def _make_room(self, size: int) -> None:
        held = sum(size for _, size in self._open.values())
        while self._open and held + size > self._max_bytes:
            _, (_, freed) = self._open.popitem(last=False)
            held -= freed


def _bytes_of_answers(height: int, width: int) -> int:
    return _ANSWER_BYTES_PER_PIXEL * height * width + _ANSWER_BYTES


def _several(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | bytes | dict):
        raise InputError(f"The {what} are {_shown(value)}: expected a list of [x, y].")
    try:
        return list(value)
    except TypeError:
        raise InputError(f"The {what} are {_shown(value)}: expected a list of [x, y].") from None


def _pair(value: Any, what: str) -> tuple[float, float]:
    """Two finite numbers. Raises InputError for anything else."""
    numbers = _several(value, what)
    if len(numbers) != 2 or not all(is_number(number) for number in numbers):
        raise InputError(f"A {what} is {_shown(value)}: expected [x, y], two numbers of pixels.")
    return float(numbers[0]), float(numbers[1])


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and none that a float can't hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _click(value: Any, positive: bool, height: int, width: int) -> Click:
    x, y = _pair(value, "point")
    click = Click(_held(x, width), _held(y, height), positive)
    click.require_inside(height, width)
    return click


def _held(value: float, length: int) -> float:
    """A coordinate at most _OUTSIDE beyond the image's side as the nearest one in it; any other as
    it is."""
    inside = min(max(value, 0.0), math.nextafter(length, 0.0))
    return inside if abs(value - inside) <= _OUTSIDE else value


def _box(corners: list[Any], height: int, width: int) -> BoxPrompt:
    """From two opposite corners, in either order: a box has no direction."""
    if len(corners) != 2:
        raise InputError(
            f"The bounding box is {_shown(corners)}: expected two corners, [[x, y], [x, y]]."
        )
    (ax, ay), (bx, by) = (_pair(corner, "corner of the bounding box") for corner in corners)
    box = BoxPrompt(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
    box.require_inside(height, width)
    return box


def _shown(value: Any) -> str:
    """A value in an error, no longer than a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
