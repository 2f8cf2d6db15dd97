"""The records and protocols that cross rooms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.geometry import Box, Points
from vtmr.masks import Mask, RunLengths
from vtmr.spec import ModelSpec

Image = NDArray[np.uint8]  # H x W x 3, RGB
FloatMap = NDArray[np.float32]
Correction = Literal["here", "refit"]


def require_correction(correction: str) -> None:
    """Raises InputError for anything but the name of a way to correct a mask."""
    if correction not in get_args(Correction):
        raise InputError(
            f"The correction {correction!r} is unknown: expected 'here' (only the region that the "
            "click lies in changes) or 'refit' (the answer counts wherever it was asked for)."
        )


@dataclass(frozen=True, slots=True)
class Click:
    """A point that belongs to the object, or doesn't.

    Args:
        x: To the right, in pixels of the image; the left edge of the image is 0.
        y: Down; the upper edge is 0. The first pixel's centre is (0.5, 0.5).
        positive: Whether the point belongs to the object.
        correction: What the click may change of a mask that the user brought. "here" changes only
            the connected region of the difference that it lies in, every other pixel stays
            bit-identical; "refit" takes the answer wherever it was asked for. None is the session's
            own choice; without such a mask it makes no difference.

    Raises:
        InputError: When a coordinate isn't a finite number, and for another correction.
    """

    x: float
    y: float
    positive: bool = True
    correction: Correction | None = None

    def __post_init__(self) -> None:
        try:
            finite = math.isfinite(self.x) and math.isfinite(self.y)
        except TypeError as error:
            raise InputError(
                f"A click at ({self.x!r}, {self.y!r}) is no point: expected two numbers."
            ) from error
        if not finite:
            raise InputError(
                f"A click at ({self.x}, {self.y}) is nowhere: expected two finite numbers of "
                "pixels."
            )
        if self.correction is not None:
            require_correction(self.correction)

    @property
    def pixel(self) -> tuple[int, int]:
        """(row, col) of the pixel that the click lies in."""
        # Not int(): it rounds towards 0, and a click just outside would count as in the first
        # pixel.
        return math.floor(self.y), math.floor(self.x)

    def require_inside(self, height: int, width: int) -> None:
        """Raises InputError when the click lies outside a height x width image."""
        if not (0 <= self.x < width and 0 <= self.y < height):
            raise InputError(
                f"The click at ({self.x:g}, {self.y:g}) lies outside the image of {width}x{height} "
                f"pixels: expected 0 <= x < {width} and 0 <= y < {height}."
            )


@dataclass(frozen=True, slots=True)
class BoxPrompt:
    """A box drawn around the object, in continuous image coordinates (x right, y down).

    It begins the object anew: clicks and masks from before it no longer count.

    Args:
        x0: Left edge, in pixels of the image.
        y0: Upper edge.
        x1: Right edge.
        y1: Lower edge.

    Raises:
        InputError: For corners that aren't finite numbers, and for a box without an inside.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        corners = (self.x0, self.y0, self.x1, self.y1)
        try:
            finite = all(math.isfinite(value) for value in corners)
        except TypeError as error:
            raise InputError(f"The box {corners} is none: expected four numbers.") from error
        if not finite:
            raise InputError(f"The box {corners} is nowhere: expected four finite numbers.")
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise InputError(f"The box {corners} is empty: expected x0 < x1 and y0 < y1.")

    def require_inside(self, height: int, width: int) -> None:
        """Raises InputError when no part of the box lies in a height x width image."""
        # A hand draws past the image's edge easily: a box that only reaches out is fine.
        if self.x0 >= width or self.y0 >= height or self.x1 <= 0 or self.y1 <= 0:
            raise InputError(
                f"The box ({self.x0:g}, {self.y0:g}, {self.x1:g}, {self.y1:g}) lies outside the "
                f"image of {width}x{height} pixels: expected a box around an object in it."
            )

    def pixels(self, whole: Box) -> Box:
        """The whole pixels of the image that it touches; inside the image, as it must be."""
        x0, y0 = max(math.floor(self.x0), 0), max(math.floor(self.y0), 0)
        x1, y1 = min(math.ceil(self.x1), whole.x1), min(math.ceil(self.y1), whole.y1)
        return Box(x0, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class MaskEdit:
    """A mask set by the user (imported, brushed, filled): from here on it is the initial mask.

    Args:
        runs: The mask as run lengths; `MaskEdit.of(mask)` makes them of a bool H x W array.
    """

    runs: RunLengths

    @staticmethod
    def of(mask: Mask) -> MaskEdit:
        """From a bool mask H x W."""
        return MaskEdit(RunLengths.encode(mask))


Event = Click | BoxPrompt | MaskEdit


def beginning(events: Sequence[Event]) -> BoxPrompt | MaskEdit | None:
    """What the object began with: the last edit or box; None where clicks alone were made."""
    for event in reversed(events):
        if not isinstance(event, Click):
            return event
    return None


def active_clicks(events: Sequence[Event]) -> tuple[Click, ...]:
    """The clicks since the last edit or box: those that a predictor sees."""
    clicks: list[Click] = []
    for event in events:
        if isinstance(event, Click):
            clicks.append(event)
        else:
            clicks.clear()
    return tuple(clicks)


def active_box(events: Sequence[Event]) -> BoxPrompt | None:
    """The box that the object began with, if it began with one."""
    start = beginning(events)
    if isinstance(start, BoxPrompt):
        return start
    return None


def last_edit(events: Sequence[Event]) -> MaskEdit | None:
    """The newest mask that the user brought or drew; None where there is none."""
    for event in reversed(events):
        if isinstance(event, MaskEdit):
            return event
    return None


def places_of(clicks: Sequence[Click]) -> tuple[Points, NDArray[np.bool_]]:
    """The clicks' points, float64 N x 2 (x, y), and whether each is positive, bool N."""
    # Filled column by column: an array made of no clicks would have one dimension, and one made of
    # rows takes ten times as long.
    points = np.empty((len(clicks), 2), np.float64)
    points[:, 0] = [click.x for click in clicks]
    points[:, 1] = [click.y for click in clicks]
    return points, np.array([click.positive for click in clicks], np.bool_)


def takes_from_nothing(clicks: Sequence[Click], mask: Mask | None) -> bool:
    """Whether the clicks only take away, and there is nothing to take away from.

    mask: what the user saw before the newest of them, bool H x W, None at the start.
    """
    _, positive = places_of(clicks)
    return not positive.any() and (mask is None or not mask.any())


class Prediction(Protocol):
    """A predictor's answer, kept in the history: small at any image size; the mask is rendered on
    demand."""

    @property
    def nbytes(self) -> int:
        """Bytes this record keeps alive beyond what earlier ones do; under 1 MB."""
        ...

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        ...


class Predictor(Protocol):
    """Whatever turns clicks into masks: `Segmenter`, classical methods, adapters of other tools."""

    @property
    def name(self) -> str:
        """What reports and errors call it."""
        ...

    def prepare(self, image: Image) -> Any:
        """What is worth computing once per image (a pyramid, an embedding); opaque to the
        caller."""
        ...

    def predict(
        self,
        scene: Any,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Prediction:
        """One prediction for all events so far.

        Args:
            scene: What `prepare` returned.
            events: All clicks, boxes and mask edits, in order; `active_clicks` gives those since
                the last edit or box. Only a predictor whose attribute `takes_boxes` is true is
                given a BoxPrompt.
            previous: This predictor's answer before the newest clicks, None at the start and after
                a MaskEdit or BoxPrompt.
            mask: What the user saw before the newest clicks (after edits and progressive merge),
                bool H x W, None at the start and for a box.
            region: The part of the image that the caller looks at, a hint for clicks without a
                mask; a predictor may ignore it.
        """
        ...


class Network(Protocol):
    """The two forward passes, on numpy arrays. S is `spec.input_size`; grids are S x S, x right, y
    down; H x W where the spec's `eval_mode` is "cvpr"."""

    @property
    def spec(self) -> ModelSpec:
        """What its model file says of it."""
        ...

    def coarse(
        self, image: Image | FloatMap, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        """Logits S x S and features (opaque) of the target crop.

        image: S x S x 3 of 0 to 255, uint8 or float32; prev_mask: probability S x S; clicks: in
        grid coordinates of the same crop.
        """
        ...

    def refine(
        self,
        patch: Image | FloatMap,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
        box: tuple[float, float, float, float],
    ) -> FloatMap:
        """Logits S x S of the focus crop.

        patch: S x S x 3 of 0 to 255, uint8 or float32, cut from the image; clicks: in the patch's
        grid; coarse_logits and features: as `coarse` returned them; box: the focus crop (x0, y0,
        x1, y1) in the coarse grid.
        """
        ...
