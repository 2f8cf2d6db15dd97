"""What can be said of binary masks alone: boxes, components, overlap, run lengths, click discs.

A mask is a bool array H x W.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from vtmr.errors import InputError
from vtmr.geometry import Box, Points

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


_EVERY_ROWS = 16  # objects of fewer rows are found by looking at all of them
# Pixels of a large mask that are looked at together: what is made of them then fits into memory
# that is used again for the next ones. At 96 megapixels asking the system for fresh memory takes
# twice as long as the work.
_BAND_PIXELS = 1 << 20


def bounding_box(mask: Mask) -> Box | None:
    """The smallest box around the mask's pixels, or None when it is empty.

    Every 16th row tells rows between which nothing has to be searched for the first and the last
    one.
    """
    words: NDArray[np.bool_] | NDArray[np.uint64] = mask
    if mask.flags.c_contiguous and mask.shape[1] % 8 == 0:
        words = mask.view(np.uint64)  # eight pixels at a time: half the time at 24 megapixels
    some = _filled_rows(words[::_EVERY_ROWS]) * _EVERY_ROWS
    if not some.size:
        some = _filled_rows(words)
    if not some.size:
        return None
    first, last = int(some[0]), int(some[-1])
    # Only what lies beyond these two rows can hold the first or the last one.
    above, below = _filled_rows(words[:first]), _filled_rows(words[last + 1 :])
    if below.size:
        last += 1 + int(below[-1])
    if above.size:
        first = int(above[0])
    cols = np.flatnonzero(np.bitwise_or.reduce(words[first : last + 1], axis=0).view(np.bool_))
    return Box(int(cols[0]), first, int(cols[-1]) + 1, last + 1)


def _filled_rows(words: NDArray[np.bool_] | NDArray[np.uint64]) -> NDArray[np.intp]:
    """Indices of the rows that hold anything."""
    return np.flatnonzero(np.bitwise_or.reduce(words, axis=1))


def component_at(mask: Mask, row: int, col: int) -> Mask:
    """The 8-connected component of `mask` that holds the pixel; empty where the pixel is off."""
    if not mask[row, col]:
        return np.zeros_like(mask)
    return _flooded(mask, row, col)[0]


def component_in_box(mask: Mask, row: int, col: int) -> tuple[Box, Mask]:
    """The box of the component that holds the pixel, which is on, and the component in it."""
    flooded, box = _flooded(mask, row, col)
    return box, flooded[box.slices]


def largest_component(mask: Mask) -> Mask:
    """The 8-connected component of most pixels, of equal ones the first in reading order.

    mask: bool H x W; an empty one stays empty.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    if count < 2:  # the background is one of them
        return np.zeros_like(mask)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == largest)


def _flooded(mask: Mask, row: int, col: int) -> tuple[Mask, Box]:
    """The component of the pixel, which is on, as a mask of the same size, and its box."""
    # A flood into a byte map with a border of one: labels of all components would take four times
    # the memory.
    flooded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    _, _, _, (x, y, width, height) = cv2.floodFill(
        pixels, flooded, (col, row), 1, flags=8 | cv2.FLOODFILL_MASK_ONLY | 1 << 8
    )
    return flooded[1:-1, 1:-1].view(np.bool_), Box(x, y, x + width, y + height)


def deepest_pixel(
    region: Mask, excluded: Sequence[tuple[int, int]] = ()
) -> tuple[int, tuple[int, int]]:
    """The largest squared distance to the region's outside and the first (row, col) that has it; 0
    when there is none. The image's border is outside, too.

    Only the region's box is transformed, with one pixel of zeros around: every pixel's nearest zero
    lies in there. Squared distances are whole numbers, while OpenCV's roots of them differ in their
    last digits from call to call, by where the array lies in memory. Told apart by whole numbers,
    pixels that are equally deep are equal, here and between regions, up to a depth of some 800
    pixels: a robot clicks alike every time.
    """
    box = bounding_box(region)
    if box is None:
        return 0, (0, 0)
    padded: NDArray[np.uint8] = np.pad(region[box.slices].view(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    for row, col in excluded:
        if box.contains(col, row):
            depth[row - box.y0, col - box.x0] = 0
    most = round(float(depth.max()) ** 2)
    row, col = divmod(int(np.argmax(depth >= math.sqrt(max(most - 0.5, 0)))), box.width)
    return most, (row + box.y0, col + box.x0)


def iou(mask: Mask, gt_mask: Mask, ignore_mask: Mask | None = None) -> float:
    """Intersection over union over the pixels that aren't ignored; 1 when both are empty
    [docs/method.md §D.2]."""
    mask, gt_mask = counted(mask, ignore_mask), counted(gt_mask, ignore_mask)
    union = np.count_nonzero(mask | gt_mask)
    if union == 0:
        return 1.0
    return float(np.count_nonzero(mask & gt_mask) / union)


def counted(mask: Mask, ignore_mask: Mask | None) -> Mask:
    """The mask's pixels that aren't ignored: bool H x W, the mask itself where none is."""
    if ignore_mask is None:
        return mask
    return mask & ~ignore_mask


def errors_between(mask: Mask, gt_mask: Mask, ignore_mask: Mask | None) -> tuple[Mask, Mask]:
    """The missed and the wrongly covered pixels that count, bool H x W each.

    Raises InputError for arrays of different shapes.
    """
    for name, other in (("prediction", mask), ("ignore mask", ignore_mask)):
        if other is not None and other.shape != gt_mask.shape:
            raise InputError(
                f"The {name} is {other.shape}, the ground truth {gt_mask.shape}: expected one "
                "frame."
            )
    errors = mask != gt_mask
    if ignore_mask is not None:
        errors &= ~ignore_mask
    return errors & gt_mask, errors & ~gt_mask


def disc_maps(
    points: Points, positive: NDArray[np.bool_], radius: float, height: int, width: int
) -> NDArray[np.float32]:
    """Binary discs around the clicks, positive ones first: float32 2 x height x width
    [docs/method.md §A.1].

    `points` are N x 2 grid points (x, y) in the house's coordinates; the half pixel to the
    networks' index coordinates is taken off here, and only here (docs/method.md §L.3). A pixel is
    on where the squared distance to the nearest click of that sign is at most radius².
    """
    maps = np.zeros((2, height, width), np.float32)
    draw_discs(maps[0], points[positive], radius)
    draw_discs(maps[1], points[~positive], radius)
    return maps


def draw_discs(plane: NDArray[Any], points: Points, radius: float) -> None:
    """Sets the pixels of the discs around the clicks, see `disc_maps`; `plane` is bool or float,
    height x width."""
    height, width = plane.shape
    centres = np.asarray(points, np.float64).reshape(-1, 2) - 0.5
    # Only the square around each disc: of 11 x 11 pixels, where a map has 65,000. All clicks at
    # once: there may be a thousand.
    reach = np.arange(math.floor(2 * radius) + 2)
    corners = np.ceil(centres - radius)
    cols, rows = (corners[:, None, :] + reach[:, None]).transpose(2, 0, 1)
    off_x, off_y = (cols - centres[:, :1]) ** 2, (rows - centres[:, 1:]) ** 2
    inside = off_y[:, :, None] + off_x[:, None, :] <= radius**2
    inside &= ((rows >= 0) & (rows < height))[:, :, None]
    inside &= ((cols >= 0) & (cols < width))[:, None, :]
    click, row, col = np.nonzero(inside)
    plane[rows[click, row].astype(np.intp), cols[click, col].astype(np.intp)] = 1


@dataclass(frozen=True, slots=True)
class RunLengths:
    """A mask in COCO's compressed run-length form (column-major, pycocotools): small, exact,
    hashable."""

    height: int
    width: int
    counts: bytes

    @staticmethod
    def encode(mask: Mask) -> RunLengths:
        """Of a bool mask H x W; at a cost that goes by its bounding box."""
        height, width = mask.shape
        return _of_turns(_turns_by_column(mask), height, width)

    @staticmethod
    def of_runs(runs: Ints, height: int, width: int) -> RunLengths:
        """Of the numbers of pixels that are off, on, off …, column by column.

        Raises InputError when they don't fill the mask.
        """
        _require_filled(runs, height, width)
        # A run of no pixel between two others would give one mask several texts.
        places, times = np.unique(np.cumsum(runs)[:-1], return_counts=True)
        return _of_turns(places[times % 2 == 1], height, width)

    def any(self) -> bool:
        """Whether a pixel is on."""
        return bool(runs_in(self.counts)[1::2].any())

    def decode(self) -> Mask:
        """The bool mask H x W. Raises InputError when the counts don't fill it."""
        height, runs = self.height, runs_in(self.counts)
        _require_filled(runs, height, self.width)
        mask = np.zeros((height, self.width), np.bool_)
        filled = np.flatnonzero(runs[1::2]) * 2 + 1
        if filled.size:
            ends = np.cumsum(runs)
            # Only the columns that hold anything are written out, as most objects are small.
            first = int(ends[filled[0] - 1]) // height
            after = (int(ends[filled[-1]]) - 1) // height + 1
            ends = np.concatenate([[0], ends]).clip(first * height, after * height)
            on = np.arange(runs.size) % 2 == 1  # every second run is
            columns = np.repeat(on, ends[1:] - ends[:-1]).reshape(-1, height)
            mask[:, first:after] = cv2.transpose(columns.view(np.uint8)).view(np.bool_)
        return mask


def bands(rows: int, row_length: int) -> Iterator[slice]:
    """A large mask's rows in turn, as slices, as many together as fit into memory that is used
    again. Its columns, where these are given as rows."""
    at_once = _rows_at_once(row_length)
    return (slice(first, min(first + at_once, rows)) for first in range(0, rows, at_once))


def _rows_at_once(row_length: int) -> int:
    return max(1, _BAND_PIXELS // max(row_length, 1))


def in_ranges(firsts: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """The numbers first, first + 1, … of several ranges, one range after the other: which range
    each is of, and the number."""
    which = np.repeat(np.arange(counts.size), counts)
    return which, np.arange(which.size) - np.repeat(np.cumsum(counts) - counts - firsts, counts)


def turns_in(mask: Mask) -> Ints:
    """Where the mask, read row by row, turns on, off, on …: pixel numbers, increasing."""
    height, width = mask.shape
    before = False  # the first pixel turns, if it is on
    turns = [np.empty(0, np.int64)]
    for rows in bands(height if width else 0, width):
        flat = mask[rows].reshape(-1)
        inside = np.flatnonzero(flat[1:] != flat[:-1]) + (rows.start * width + 1)
        if flat[0] != before:
            turns.append(np.array([rows.start * width]))
        turns.append(inside)
        before = flat[-1]
    return np.concatenate(turns)


def row_runs(mask: Mask) -> tuple[Ints, Ints, Ints]:
    """The runs of pixels that are on, in reading order: rows, first columns, columns after the
    last."""
    height, width = mask.shape
    row_length = width + 1
    # One more column, whose pixels are off, ends every row's last run.
    padded = np.zeros((min(height, _rows_at_once(row_length)), row_length), np.bool_)
    turns = [np.empty(0, np.int64)]
    for rows in bands(height, row_length):
        band = padded[: rows.stop - rows.start]
        band[:, :-1] = mask[rows]
        turns.append(turns_in(band) + rows.start * row_length)
    places = np.concatenate(turns)
    row, firsts = np.divmod(places[::2], row_length)
    return row, firsts, places[1::2] - row * row_length


def _turns_by_column(mask: Mask) -> Ints:
    """Where the mask, read column by column, turns on, off, on …: pixel numbers, increasing, as
    many off as on."""
    box = bounding_box(mask)
    if box is None:
        return np.empty(0, np.int64)
    found = [np.empty((0, 2), np.int64)]
    for columns in bands(box.width, box.height):
        strip = mask[box.slices][:, columns].view(np.uint8)
        # Transposed, columns are rows, which are read in the order of memory.
        cols, firsts, ends = row_runs(cv2.transpose(strip).view(np.bool_))
        top = (cols + columns.start + box.x0) * mask.shape[0] + box.y0
        found.append(np.stack([top + firsts, top + ends], axis=1))
    turns = np.concatenate(found).reshape(-1)
    # A run that ends at the image's bottom may go on at the top of the next column.
    met = np.flatnonzero(turns[1:] == turns[:-1])
    return np.delete(turns, np.concatenate([met, met + 1]))


def _of_turns(turns: Ints, height: int, width: int) -> RunLengths:
    """Of the pixel numbers, increasing, at which a mask read column by column turns on, off, on
    …"""
    runs = np.diff(turns, prepend=0, append=height * width)
    if turns.size and not runs[-1]:
        runs = runs[:-1]  # the last pixel is on
    loose = {"size": [height, width], "counts": runs.tolist()}
    return RunLengths(height, width, coco_mask.frPyObjects(loose, height, width)["counts"])


def _require_filled(runs: Ints, height: int, width: int) -> None:
    pixels = height * width
    # Each by itself first: the sum of huge ones comes round to anything.
    if not runs.size or runs.min() < 0 or runs.max() > pixels or runs.sum() != pixels:
        raise InputError(f"The run lengths don't fill a {width}x{height} mask.")


def runs_in(counts: bytes) -> Ints:
    """Compressed run lengths as numbers of pixels, off and on in turn; none for what can't be read.

    The form is COCO's: groups of 5 bits, lowest first, in characters from "0" (48) on, bit 5 says
    that more follow, bit 4 of the last is the sign; from the fourth run on, a number is the
    difference to the run before the last.
    """
    digits = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = (digits & 0x20) == 0
    if not digits.size or not last[-1] or digits.min() < 0:
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    place = np.arange(digits.size) - np.repeat(starts, np.diff([*starts, digits.size]))
    # Groups that 64 bits have no room for are put in the last place: no mask has such numbers, and
    # `_require_filled` refuses what comes of them.
    values = (digits & 0x1F) << (5 * np.minimum(place, 12))
    values[last] -= np.where(digits[last] & 0x10, 32 << (5 * np.minimum(place[last], 11)), 0)
    runs = np.add.reduceat(values, starts)
    # Sums undo the differences to the run before the last, which are of one parity each; the first
    # run is of none.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0:
        return np.empty(0, np.int64)
    return runs
