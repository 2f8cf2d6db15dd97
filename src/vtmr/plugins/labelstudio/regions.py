"""What a person drew, as Label Studio's context has it, becomes objects: where each began, and the
clicks on it in their order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from vtmr.errors import InputError
from vtmr.formats.runlength import decode_label_studio
from vtmr.masks import Mask
from vtmr.plugins.labelstudio.config import LabelConfig
from vtmr.serving.bodies import bad_request, shown
from vtmr.types import BoxPrompt, Click, Event, MaskEdit

MOST_REGIONS = 1000
_KINDS = ("keypoint", "rectangle", "brush")
_OTHER_SHAPES = ("ellipse", "polygon", "vector", "bitmask", "magicwand")
_STROKE_CLICKS = 3
_SLACK = 0.01  # percent that rounding may put a point outside
_DIGITS = 6  # of a pixel: what a percentage's rounding is taken off at

Record = Mapping[str, Any]
Start = BoxPrompt | MaskEdit


@dataclass(slots=True)
class Prompts:
    """One object. label: of the region that it began with, "" where that one takes away."""

    label: str
    start: Start | None = None
    clicks: list[Click] = field(default_factory=list)

    @property
    def steps(self) -> tuple[tuple[Event, ...], ...]:
        """What a Session is given, step by step."""
        if isinstance(self.start, MaskEdit) and not self.clicks:
            return (_stroke(self.start.runs.decode()),)
        begun = () if self.start is None else (self.start,)
        return tuple((event,) for event in (*begun, *self.clicks))


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a context that say something of a mask. image: the tag that they are on."""

    image: str
    records: tuple[Record, ...]

    @staticmethod
    def read(context: Any) -> Regions | None:
        """None for a context without any. Raises Refusal for what isn't one, for shapes that say
        nothing to vtmr, and for regions on several images."""
        records = _records(context)
        others = sorted({kind for record in records if (kind := _kind(record)) in _OTHER_SHAPES})
        if others:
            raise bad_request(
                f"The context has regions of type {', '.join(others)}: expected keypoints, "
                "rectangles and brushes."
            )
        drawn = tuple(record for record in records if _kind(record) in _KINDS)
        if not drawn:
            return None
        places = {(_text(record, "to_name"), record.get("item_index") or 0) for record in drawn}
        if len(places) > 1 or any(index for _, index in places):
            raise bad_request(
                "The regions are on several images: expected those of one image, and one image a "
                "task."
            )
        return Regions(places.pop()[0], drawn)

    def objects(self, config: LabelConfig, height: int, width: int) -> list[Prompts]:
        """The objects that they tell of, on an image height x width.

        A rectangle or a brush begins an object. A keypoint belongs to the object of its label that
        began last; one whose label takes away belongs to the object that was worked on last.
        Raises Refusal.
        """
        objects = _Objects()
        for number, record in enumerate(self.records, start=1):
            area = _Area(record, height, width, f"Region {number} of the context")
            area.require_upright()
            label = _label(record)
            if _kind(record) == "keypoint":
                takes_away = (_text(record, "from_name"), label) in config.negative
                own = objects.clicked(None if takes_away else label)
                own.clicks.append(area.click(takes_away=takes_away))
            elif _kind(record) == "rectangle":
                objects.begun(label).start = area.box()
            else:
                objects.begun(label).start = MaskEdit.of(area.mask())
        return objects.found

    def size(self) -> tuple[int, int] | None:
        """(height, width) that Label Studio shows the image in, where a region says it."""
        for record in self.records:
            size = (record.get("original_height"), record.get("original_width"))
            if all(isinstance(side, int) for side in size):
                return size  # type: ignore[return-value]
        return None


def _records(context: Any) -> list[Record]:
    """Raises Refusal."""
    result = context.get("result") if isinstance(context, dict) else context
    if result is None:
        return []
    if not isinstance(result, list) or len(result) > MOST_REGIONS:
        raise bad_request(
            f"The context is {shown(context)}: expected an object whose result is a list of at "
            f"most {MOST_REGIONS} regions."
        )
    for record in result:
        if not isinstance(record, dict) or not isinstance(record.get("value", {}), dict):
            raise bad_request(f"A region of the context is {shown(record)}: expected an object.")
    return result


def _kind(record: Record) -> str:
    """keypoint, rectangle, brush …, with labels or without."""
    return str(record.get("type", "")).lower().removesuffix("labels")


def _text(record: Record, name: str) -> str:
    value = record.get(name, "")
    return value if isinstance(value, str) else ""


def _label(record: Record) -> str:
    """The first of a region's labels, "" without any."""
    value = record["value"]
    for name in (str(record.get("type", "")).lower(), "labels"):
        labels = value.get(name)
        if isinstance(labels, list) and labels and isinstance(labels[0], str):
            return labels[0]
    return ""


class _Objects:
    """The objects of a context, while its regions are gone through."""

    def __init__(self) -> None:
        self.found: list[Prompts] = []
        self._last: Prompts | None = None

    def clicked(self, label: str | None) -> Prompts:
        """The object that a keypoint of that label belongs to. None: the label takes away."""
        if label is None:
            own = self._last or self._new("")
        else:
            named = [one for one in self.found if one.label in (label, "")]
            own = named[-1] if named else self._new(label)
            own.label = label
        self._last = own
        return own

    def begun(self, label: str) -> Prompts:
        """The object that a rectangle or brush of that label begins: the one whose keypoints were
        there before it, else another."""
        waiting = [one for one in self.found if one.start is None and one.label in (label, "")]
        self._last = waiting[0] if waiting else self._new(label)
        self._last.label = label
        return self._last

    def _new(self, label: str) -> Prompts:
        self.found.append(Prompts(label))
        return self.found[-1]


@dataclass(frozen=True, slots=True)
class _Area:
    """A region on an image height x width. what: errors call it."""

    record: Record
    height: int
    width: int
    what: str

    def require_upright(self) -> None:
        """Raises Refusal for a region that was drawn on an image turned in the page."""
        if self.record.get("image_rotation"):
            raise bad_request(
                f"{self.what} was drawn on an image turned by "
                f"{shown(self.record['image_rotation'])} degrees: turn it back first."
            )

    def click(self, *, takes_away: bool) -> Click:
        """Positive unless its label takes away or it was made with Alt held, which Label Studio
        tells as is_positive. Raises Refusal."""
        x, y = self._pixels("x", self.width), self._pixels("y", self.height)
        positive = self.record.get("is_positive", True)
        if not isinstance(positive, bool | int):
            raise bad_request(
                f"{self.what} has is_positive {shown(positive)}: expected true or false."
            )
        # A point on the right or lower edge belongs to the last pixel.
        inside = min(x, math.nextafter(self.width, 0)), min(y, math.nextafter(self.height, 0))
        return Click(*inside, positive=bool(positive) and not takes_away)

    def box(self) -> BoxPrompt:
        """Around a rectangle that was turned. Raises Refusal."""
        x, y = self._pixels("x", self.width), self._pixels("y", self.height)
        width, height = self._pixels("width", self.width), self._pixels("height", self.height)
        angle = math.radians(self._number("rotation", 0.0))
        along = np.array([0, width * math.cos(angle)]), np.array([0, width * math.sin(angle)])
        down = np.array([0, -height * math.sin(angle)]), np.array([0, height * math.cos(angle)])
        xs, ys = x + np.add.outer(along[0], down[0]), y + np.add.outer(along[1], down[1])
        corners = (xs.min(), ys.min(), xs.max(), ys.max())
        try:
            box = BoxPrompt(*(round(float(corner), _DIGITS) for corner in corners))
            box.require_inside(self.height, self.width)
        except InputError as error:
            raise bad_request(f"{self.what}: {error}") from error
        return box

    def mask(self) -> Mask:
        """Raises Refusal for a brush that isn't one of this image."""
        value = self.record["value"]
        if value.get("format", "rle") != "rle":
            raise bad_request(f"{self.what} has format {shown(value['format'])}: expected rle.")
        try:
            mask = decode_label_studio(value.get("rle"), self.height, self.width)
        except InputError as error:
            raise bad_request(f"{self.what}: {error}") from error
        if not mask.any():
            raise bad_request(f"{self.what} is a brush without a pixel: draw with it first.")
        return mask

    def _pixels(self, name: str, side: int) -> float:
        """A share of the image's side, in percent, as pixels."""
        percent = self._number(name)
        if not -_SLACK <= percent <= 100 + _SLACK:
            raise bad_request(
                f"{self.what} has {name} {percent:g}: expected percent of the image, 0 to 100."
            )
        return round(min(max(percent, 0), 100) * side / 100, _DIGITS)

    def _number(self, name: str, default: float | None = None) -> float:
        value = self.record["value"].get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise bad_request(f"{self.what} has {name} {shown(value)}: expected a number.")
        return float(value)


def _stroke(mask: Mask) -> tuple[Click, ...]:
    """Clicks on a brush's stroke, which is alone and so is drawn on the object: its middle, and
    far from it and from each other two more."""
    padded = np.pad(mask.view(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # Not at the stroke's rim, which need not lie on the object.
    rows, cols = np.nonzero(depth >= depth.max() / 2)
    chosen = [int(depth[rows, cols].argmax())]
    for _ in range(_STROKE_CLICKS - 1):
        away = [np.hypot(rows - rows[one], cols - cols[one]) for one in chosen]
        chosen.append(int(np.minimum.reduce(away).argmax()))
    return tuple(
        Click(float(cols[one]) + 0.5, float(rows[one]) + 0.5) for one in dict.fromkeys(chosen)
    )
