"""A session's events as JSON text, and back: all it takes to get the same mask, bit for bit.

    {"format": 1, "model": name, "versions": {...}, "width": W, "height": H,
     "region": [x0, y0, x1, y1] or null, "initial_mask": run lengths or null,
     "steps": [[event, ...], ...]}

An event is {"click": [x, y, positive]}, {"box": [x0, y0, x1, y1]} or {"mask": run lengths}; run
lengths are COCO's {"size": [H, W], "counts": text}. Events of one step were given together.
"correction" beside "steps" is that of clicks without one of their own, a fourth value in a click's
list is its own. Where both are missing, as in sessions from before there was a choice, clicks were
merged ("here"), unless "merge" is false ("refit").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.images import MAX_PIXELS
from vtmr.masks import RunLengths
from vtmr.types import BoxPrompt, Click, Correction, Event, MaskEdit, require_correction

FORMAT = 1
LARGEST_NUMBER = 1 << 40  # more pixels than any image has; fits all integer types in use
# What reading a value of another kind than expected raises, infinite numbers and endless nesting
# included.
NONSENSE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class EventLog:
    """What a saved session says. `steps` doesn't hold the initial mask; `model` and `versions` are
    for the reader; `correction` is that of clicks that name none."""

    model: str
    versions: Mapping[str, str]
    height: int
    width: int
    region: Box | None
    initial: MaskEdit | None
    steps: tuple[tuple[Event, ...], ...]
    correction: Correction = "here"

    def __post_init__(self) -> None:
        require_correction(self.correction)

    def to_json(self) -> str:
        """As one JSON object."""
        saved: dict[str, Any] = {
            "format": FORMAT,
            "model": self.model,
            "versions": dict(self.versions),
            "width": self.width,
            "height": self.height,
            "region": None,
            "initial_mask": None,
            "steps": [list(map(event_to_json, step)) for step in self.steps],
            "correction": self.correction,
        }
        if self.region is not None:
            saved["region"] = self.region.as_tuple()
        if self.initial is not None:
            saved["initial_mask"] = _runs_to_json(self.initial.runs)
        return json.dumps(saved)

    @staticmethod
    def from_json(text: str) -> EventLog:
        """The inverse of `to_json`. Raises InputError for anything else."""
        try:
            saved = json.loads(text)
            if saved["format"] != FORMAT:
                raise InputError(
                    f"The saved session has format {saved['format']!r}: this version reads "
                    f"{FORMAT}."
                )
            log = EventLog(
                str(saved["model"]),
                {str(name): str(version) for name, version in saved["versions"].items()},
                whole_number(saved["height"]),
                whole_number(saved["width"]),
                _region_of(saved["region"]),
                _initial_of(saved["initial_mask"]),
                tuple(tuple(map(event_from_json, step)) for step in saved["steps"]),
                _correction_of(saved),
            )
        except NONSENSE as error:
            reason = f"{type(error).__name__}: {error}"
            raise InputError(
                f"The saved session can't be read ({reason}): expected what to_json wrote."
            ) from error
        require_correction(log.correction)
        log.require_sizes()
        return log

    def require_sizes(self) -> None:
        """Raises InputError for an image that can't be, and for a mask of another size than its.

        Before anything is decoded: a few characters of run lengths may claim a terabyte.
        """
        if min(self.height, self.width) < 1 or self.height * self.width > MAX_PIXELS:
            raise InputError(
                f"The saved session is of an image of {self.width}x{self.height} pixels: expected "
                f"1 to {MAX_PIXELS // 10**6} million."
            )
        for event in (self.initial, *chain.from_iterable(self.steps)):
            if isinstance(event, MaskEdit):
                height, width = event.runs.height, event.runs.width
                if (height, width) != (self.height, self.width):
                    raise InputError(
                        f"The saved session of an image of {self.width}x{self.height} pixels "
                        f"holds a mask of {width}x{height}: expected the image's size."
                    )


def event_to_json(event: Event) -> dict[str, Any]:
    """{"click": [x, y, positive]}, with the click's correction where it has one of its own, or
    {"mask": run lengths}."""
    if isinstance(event, Click):
        click: list[Any] = [float(event.x), float(event.y), bool(event.positive)]
        if event.correction is not None:
            click.append(event.correction)
        return {"click": click}
    if isinstance(event, BoxPrompt):
        return {"box": [float(event.x0), float(event.y0), float(event.x1), float(event.y1)]}
    return {"mask": _runs_to_json(event.runs)}


def event_from_json(saved: Mapping[str, Any]) -> Event:
    """The inverse. Raises one of NONSENSE or InputError for anything else."""
    if "click" in saved:
        x, y, positive, *correction = saved["click"]
        if not isinstance(positive, bool):
            raise TypeError(f"a click's sign is {positive!r}, not true or false")
        return Click(float(x), float(y), positive, *correction)
    if "box" in saved:
        x0, y0, x1, y1 = saved["box"]
        return BoxPrompt(float(x0), float(y0), float(x1), float(y1))
    return MaskEdit(_runs_from_json(saved["mask"]))


def _region_of(saved: Any) -> Box | None:
    if not saved:
        return None
    return Box(*map(whole_number, saved))


def _initial_of(saved: Any) -> MaskEdit | None:
    if not saved:
        return None
    return MaskEdit(_runs_from_json(saved))


def _correction_of(saved: Mapping[str, Any]) -> Correction:
    """Before there were two ways, a session said whether it merged."""
    former: Correction = "refit"
    if saved.get("merge", True):
        former = "here"
    correction: Correction = saved.get("correction", former)
    return correction


def _runs_to_json(runs: RunLengths) -> dict[str, Any]:
    return {"size": [runs.height, runs.width], "counts": runs.counts.decode("ascii")}


def _runs_from_json(saved: Mapping[str, Any]) -> RunLengths:
    height, width = map(whole_number, saved["size"])
    return RunLengths(height, width, saved["counts"].encode("ascii"))


def whole_number(value: Any) -> int:
    """The value, if it is one that an image's side or a pixel's place can be.

    Raises TypeError for anything else: a truth value, a fraction, infinity.
    """
    if type(value) is not int or abs(value) > LARGEST_NUMBER:
        raise TypeError("a size or place is no whole number of pixels")
    return value
