"""What the grey values or indices of a mask file mean: objects, soft edges, pixels to ignore.

Values alone don't tell 0, 64, 128, 255 of four labels from those of a soft edge: where they lie
does. A label fills areas; a soft edge is a slope, on which every pixel has a lower neighbour and a
higher one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.masks import Mask

Values = NDArray[Any]

MAX_OBJECTS = 5000  # more are a photo's values, or more than anybody clicks
VOID = 255  # what VOC, Cityscapes and others mark as belonging to nothing
UNKNOWN = (127, 128)  # of trimaps

_STRIP_PIXELS = 4_000_000  # looked at at a time
_LEAST_SOFT = 64  # a slope that ends below is none: small values are numbers of labels
_LARGEST_SMALL_LABEL = 64  # data sets of classes have fewer: 255 beside them is no class
_MANY_LEVELS = 32  # a gentle slope has
_SLOPE_SHARE = 0.5  # of the pixels between, which lie between their neighbours
_STEEP_SHARE = 0.1  # of the steps, at most, in a gentle slope
_HIGH, _MIDDLE_SHARE = 224, 0.1  # what compression leaves of 255; how much lies between it and 0
_LEAST_SURE = 0.4  # share of a soft mask that is near 0 or near its top
# Values that a mask may have whatever lies where; share of equal neighbours.
_MOST_SCATTERED, _LEAST_EQUAL = 64, 0.5
_RIM_PX, _RIM_SHARE = 6, 0.8  # VOC's is 5 pixels wide
_MOTS_IGNORED = 10_000  # of ids that are a class times 1000 and a number


@dataclass(frozen=True, eq=False)
class Meaning:
    """What a mask says. values: H x W, 0 for what is no object; objects: the values that are;
    ignored: bool H x W, pixels that are neither object nor background, or None; notes: sentences on
    what was taken how, where it could have been taken otherwise."""

    values: Values
    objects: tuple[int, ...]
    ignored: Mask | None = None
    notes: tuple[str, ...] = ()


def levels_meaning(values: Values, *, labels: bool = False) -> Meaning:
    """The meaning of a grey image, H x W of whole numbers or of floating-point ones.

    labels: every value is a label, as where a data set says so; else soft edges and unknown pixels
    are looked for. Raises InputError for more than MAX_OBJECTS labels.
    """
    notes: list[str] = []
    if values.dtype.kind == "f":
        values, soft = _from_floats(values)
        if soft is not None:
            return soft
    ignored = None
    if values.dtype.kind == "i" and int(values.min()) < 0:
        ignored = values < 0
        values[ignored] = 0
        notes.append("Its values below 0 are taken as pixels to ignore.")
    if values.dtype.itemsize > 2 and int(values.max()) < 65_536:
        values = values.astype(np.uint16)  # half the memory from here on
    used = used_values(values)
    if len(used) <= 1:
        return _one_object(values, used, ignored, notes)
    if not labels:
        unknown = _unknown(values, used)
        if unknown is not None:
            note = f"Its value {unknown} beside 255 is taken as unknown: no object, no background."
            known = (values == VOID).view(np.uint8)
            return Meaning(known, (1,), values == unknown, (note,))
        if is_soft(values, used):
            return _soft(values, used)
    void = ignored_value(values, used)
    if void is not None:
        marked = values == void
        if ignored is not None:
            marked |= ignored
        ignored = marked
        values = np.where(values == void, 0, values).astype(values.dtype)
        used = [value for value in used if value != void]
        notes.append(f"Its value {void} is taken as pixels to ignore, the others as objects.")
    _require_few(used)
    if looks_like_photo(values, len(used)):
        raise InputError(_too_many(f"{len(used):,}"))
    if len(used) > 1 and not notes:
        notes.append(f"Its {len(used):,} values but 0 are taken as one object each.")
    return Meaning(values, tuple(used), ignored, tuple(notes))


def used_values(values: Values) -> list[int]:
    """All values but 0 that occur, increasing. Raises InputError beyond 65,535 of them."""
    if values.dtype.itemsize <= 2:
        seen = np.zeros(1 << 8 * values.dtype.itemsize, np.bool_)
        for strip in strips(values):
            seen[strip.reshape(-1)] = True
        seen[0] = False
        return list(map(int, np.flatnonzero(seen)))
    found: set[int] = set()
    for strip in strips(values):
        found.update(np.unique(strip).tolist())
        if len(found) > 65_536:
            raise InputError(_too_many("more than 65,535"))
    return sorted(found - {0})


def is_soft(values: Values, used: Sequence[int]) -> bool:
    """Whether the values between 0 and the largest one are slopes between these two."""
    if used[-1] < _LEAST_SOFT:
        return False
    if _is_noisy(values, used):
        return True
    between = slopes = steps = steep = 0
    for strip, inner in strips_with_margin(values):
        ranks = _ranks(strip, used)
        box = np.ones((3, 3), np.uint8)
        slope = (cv2.erode(ranks, box) < ranks) & (cv2.dilate(ranks, box) > ranks)
        middle = (ranks > 0) & (ranks < len(used))
        between += int(np.count_nonzero(middle[inner]))
        slopes += int(np.count_nonzero((slope & middle)[inner]))
        for axis in (0, 1):
            step = np.abs(np.diff(ranks.astype(np.int32), axis=axis))
            steps += int(np.count_nonzero(step))
            steep += int(np.count_nonzero(step > 2))
    if slopes > _SLOPE_SHARE * between:
        return True
    # So gentle a slope that most of its pixels are like their neighbours.
    return len(used) >= _MANY_LEVELS and steep < _STEEP_SHARE * steps


def _is_noisy(values: Values, used: Sequence[int]) -> bool:
    """Whether nearly all is close to 0 or to 255, but not quite: two colours that went through
    lossy compression."""
    high = [value for value in used if _HIGH <= value <= VOID]
    if used[-1] > VOID or used[0] > VOID - _HIGH or len(high) < 3:
        return False
    counts = np.zeros(VOID + 1, np.int64)
    for strip in strips(values):
        counts += np.bincount(strip.reshape(-1), minlength=VOID + 1)
    middle = int(counts[VOID - _HIGH + 1 : _HIGH].sum())
    return bool(middle < _MIDDLE_SHARE * counts[1:].sum() and counts[high].sum() > middle)


def ignored_value(values: Values, used: Sequence[int]) -> int | None:
    """The value that marks pixels to ignore beside labels, as VOC, Cityscapes, KITTI and MOTS have
    them; None where there is none."""
    labels, last = used[:-1], used[-1]
    if not labels:
        return None
    if last == VOID:
        if _is_void(values, labels):
            return VOID
        return None
    if last == 65_535 and labels[-1] < 32_768:
        return last
    classes = {value // 1000 for value in used if value != _MOTS_IGNORED}
    if _MOTS_IGNORED in used and classes and classes <= {1, 2}:
        return _MOTS_IGNORED
    return None


def looks_like_photo(values: Values, count: int) -> bool:
    """Whether so many different values or colours hardly ever have a neighbour of their own."""
    if count <= _MOST_SCATTERED:
        return False
    pairs = equal = 0
    for strip, _ in strips_with_margin(values):
        for one, other in ((strip[1:], strip[:-1]), (strip[:, 1:], strip[:, :-1])):
            pairs += one.size
            equal += int(np.count_nonzero(one == other))
    return equal < _LEAST_EQUAL * pairs


def strips(values: Values) -> Iterator[Values]:
    """The array in pieces that are worked on at once without much memory."""
    rows = max(1, _STRIP_PIXELS // max(values.shape[1], 1))
    for top in range(0, len(values), rows):
        yield values[top : top + rows]


def strips_with_margin(values: Values, margin: int = 1) -> Iterator[tuple[Values, slice]]:
    """The same with rows around, and which rows of a piece are its own."""
    rows = max(1, _STRIP_PIXELS // max(values.shape[1], 1))
    for top in range(0, len(values), rows):
        above = min(margin, top)
        yield (
            values[top - above : top + rows + margin],
            slice(above, above + min(rows, len(values) - top)),
        )


def _ranks(strip: Values, used: Sequence[int]) -> Values:
    """The values' places among those used, 0 for 0: uint16."""
    if strip.dtype.itemsize <= 2:
        table = np.zeros(1 << 8 * strip.dtype.itemsize, np.uint16)
        table[list(used)] = np.arange(1, len(used) + 1)
        return np.asarray(table[strip])
    return np.searchsorted([0, *used], strip).astype(np.uint16)


def _one_object(
    values: Values, used: Sequence[int], ignored: Mask | None, notes: Sequence[str]
) -> Meaning:
    """A file of 0 and one more value, whatever that is."""
    # 255 and 65,535 are how tools write "on"; any other value may be an object's number.
    number = 1
    if used and used[0] not in (VOID, 65_535):
        number = used[0]
    dtype: Any = values.dtype
    if number <= VOID:
        dtype = np.uint8
    mask = (values != 0).astype(dtype)
    objects: tuple[int, ...] = ()
    if used:
        objects = (number,)
    return Meaning(mask * mask.dtype.type(number), objects, ignored, tuple(notes))


def _soft(values: Values, used: Sequence[int]) -> Meaning:
    """One object, of the values above half. Raises InputError where most lie between, as in
    photos."""
    top = 255
    if used[-1] > 255:
        top = 65_535
    low, high = used[-1] // 8, used[-1] - used[-1] // 8
    sure = 0
    for strip in strips(values):
        sure += int(np.count_nonzero((strip <= low) | (strip >= high)))
    if sure < _LEAST_SURE * values.size:
        raise InputError(
            "Most of its values are neither low nor high, as in a photo: expected a mask."
        )
    # Half of the full range, unless the mask was saved darker than that.
    cut = top // 2
    if used[-1] <= cut:
        cut = used[-1] // 2
    note = f"Its {len(used):,} values but 0 are taken as a soft edge: object above {cut}."
    return Meaning((values > cut).view(np.uint8), (1,), None, (note,))


def _unknown(values: Values, used: Sequence[int]) -> int | None:
    """The grey of a trimap: 127 or 128 beside 255, where the two touch."""
    if len(used) != 2 or used[0] not in UNKNOWN or used[1] != VOID:
        return None
    for strip, _ in strips_with_margin(values):
        sure = cv2.dilate((strip == VOID).view(np.uint8), np.ones((3, 3), np.uint8))
        if (sure.view(np.bool_) & (strip == used[0])).any():
            return used[0]
    return None


def _is_void(values: Values, labels: Sequence[int]) -> bool:
    """Whether 255 beside these labels is no label: where they are small numbers, or where it is a
    rim around them."""
    if labels[-1] < _LARGEST_SMALL_LABEL:
        return True
    if labels[-1] == VOID - 1 or _evenly_spaced([*labels, VOID]):
        return False
    void = beside = 0
    box = np.ones((2 * _RIM_PX + 1, 2 * _RIM_PX + 1), np.uint8)
    for strip, inner in strips_with_margin(values, _RIM_PX):
        near = cv2.dilate(((strip != 0) & (strip != VOID)).view(np.uint8), box).view(np.bool_)
        own = strip[inner] == VOID
        void += int(np.count_nonzero(own))
        beside += int(np.count_nonzero(own & near[inner]))
    return beside > _RIM_SHARE * void


def _evenly_spaced(values: Sequence[int]) -> bool:
    """Whether the values are 255 in equal steps, as labels that were made visible are."""
    step = VOID / len(values)
    return all(abs(value - step * number) <= 1 for number, value in enumerate(values, start=1))


def _from_floats(values: Values) -> tuple[Values, Meaning | None]:
    """Whole numbers as such, or the meaning of others: a probability or a grey value."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low < -(2**31) or high >= 2**31:
        raise InputError(_too_many("floating-point"))
    whole = values.astype(np.int32)
    if np.array_equal(whole, values):
        return whole, None
    positive = values[values > 0]
    if positive.size and positive.min() == positive.max():
        return (values > 0).view(np.uint8), None
    if low < 0 or high > 255:
        raise InputError(
            f"It holds floating-point values from {low:g} to {high:g}: expected whole numbers, or "
            "values from 0 to 1 or to 255."
        )
    cut = 127.5  # of grey values
    if high <= 1:  # of probabilities
        cut = 0.5
    note = f"Its floating-point values are taken as a soft mask: object above {cut:g}."
    return values, Meaning((values > cut).view(np.uint8), (1,), None, (note,))


def _require_few(used: Sequence[int]) -> None:
    if len(used) > MAX_OBJECTS:
        raise InputError(_too_many(f"{len(used):,}"))


def _too_many(count: str) -> str:
    return (
        f"It holds {count} different values, as a photo or a depth map does: expected a mask of at "
        f"most {MAX_OBJECTS:,} objects."
    )
