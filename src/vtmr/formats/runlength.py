"""Run lengths as other tools write them, each in its own order and packing.

COCO counts down the columns of the whole image: `vtmr.masks.RunLengths`. CVAT counts along the rows
of a box, pixels that are off first.

Label Studio keeps a brush's mask as RGBA pixels, row by row, in the bit stream of thi.ng's
rle-pack, most significant bit first:

    32 bits   how many words there are, four a pixel
     5 bits   a word's size in bits, less 1
    4 x 4     four sizes of run lengths in bits, each less 1
    then chunks: 1 bit (a repeated word, or words as they are), 2 bits (which size), the length
    less 1 in so many bits, and the word or words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, RunLengths, bounding_box, in_ranges, turns_in

_MOST_COUNT = 1 << 40  # no run of CVAT's is longer
_CHANNELS = 4  # R, G, B, A: a mask is in all of them, and A is the one that counts
_ALPHA = 3
_HEADER_BITS = 32 + 5 + 4 * 4
_SIZES = (3, 4, 8, 16)  # as Label Studio's page and its converter write them
_LARGEST_RUN = 1 << _SIZES[-1]
_MOST_WORDS = (1 << 32) - 1
_REPEATED = 4  # the first of a chunk's three leading bits
_LANES = 5  # bytes that a code of up to 33 bits touches
_WINDOW = 19  # bits: a chunk's kind, its class and the longest length
_BLOCK = 1 << 16  # bits of the stream that are looked at together


def encode_label_studio(mask: Mask) -> bytes:
    """A bool mask H x W as Label Studio's stream: byte for byte what its own converter writes.

    Raises InputError for a mask whose words can't be counted in 32 bits.
    """
    words = mask.size * _CHANNELS
    if words > _MOST_WORDS:
        raise InputError(
            f"The mask has {mask.shape[1]}x{mask.shape[0]} pixels: Label Studio's stream holds at "
            f"most {_MOST_WORDS // _CHANNELS}."
        )
    flat = mask.reshape(-1)
    starts = np.union1d([0], turns_in(mask))
    runs = np.diff(starts, append=flat.size) * _CHANNELS
    chunks, lengths = _split(runs)
    # All chunks of a run have the size of lengths that the run asks for, as the converter's have.
    size_of = np.searchsorted([1 << size for size in _SIZES[:-1]], runs)[chunks]
    sizes = np.array(_SIZES)[size_of]
    values = np.where(flat[starts[chunks]], 255, 0)
    codes = ((_REPEATED | size_of) << sizes | (lengths - 1)) << 8 | values
    head = np.array([words, 8 - 1, *(size - 1 for size in _SIZES)])
    return _packed(
        np.concatenate([head, codes]), np.concatenate([[32, 5, 4, 4, 4, 4], 3 + sizes + 8])
    )


def decode_label_studio(stream: bytes | Sequence[int], height: int, width: int) -> Mask:
    """The mask of Label Studio's stream, bool height x width.

    stream: bytes, or their values as a list. A pixel is on where its opacity is more than half of
    the stream's highest: brushes have soft edges, and labels an opacity of their own.

    Raises InputError for anything but a whole stream of that size.
    """
    bits = _Bits(_as_bytes(stream))
    head = _Header.read(bits)
    if head.words != height * width * _CHANNELS:
        raise InputError(
            f"The brush's run lengths hold {head.words} words: expected {height * width} pixels "
            f"of {_CHANNELS}, for an image of {width}x{height}."
        )
    values, counts = _opacities(bits, head, _chunks(bits, head))
    most = int(values.max(initial=0))
    return np.repeat(values > most // 2, counts).reshape(height, width)


class _Bits:
    """A stream in which bits are looked up at many places at once."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.size = data.size * 8
        self._padded = np.concatenate([data, np.zeros(_LANES, np.uint8)])

    def at(self, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """From each place on `count` bits, at most 32, as a number; zeros after the end."""
        firsts = places // 8
        value = np.zeros(places.shape, np.int64)
        for lane in range(_LANES):
            value = value << 8 | self._padded[firsts + lane]
        return value >> (8 * _LANES - count - places % 8) & ((1 << count) - 1)


def boxed_runs(mask: Mask) -> tuple[Box, NDArray[np.int64]] | None:
    """A bool mask H x W as CVAT has it: its bounding box, half-open, and the runs along the rows
    of that box, off first. None for an empty mask."""
    box = bounding_box(mask)
    if box is None:
        return None
    # CVAT's first run is of pixels that are off, if need be of none.
    return box, np.diff(turns_in(mask[box.slices]), prepend=0, append=box.area)


def of_boxed_runs(counts: Sequence[Any], box: Box, height: int, width: int) -> RunLengths:
    """The inverse, on an image height x width. Raises InputError for runs that don't fill the box,
    and for a box that leaves the image."""
    require_inside(box, height, width)
    # Before any is read: a stranger's file may list millions for a box of one pixel.
    if len(counts) > 2 * box.area + 2:
        raise InputError(
            f"A mask of {len(counts):,} run lengths: expected fewer in a box of {box.area:,} "
            "pixels."
        )
    try:
        numbers = [int(count) for count in counts]
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("A mask's run lengths are no whole numbers.") from error
    if not all(0 <= number < _MOST_COUNT for number in numbers) or sum(numbers) != box.area:
        raise InputError(
            f"A mask's run lengths don't fill its box of {box.width}x{box.height} pixels."
        )
    mask = np.zeros((height, width), np.bool_)
    mask[box.slices] = filled_box(np.array(numbers, np.int64), box)
    return RunLengths.encode(mask)


def require_inside(box: Box, height: int, width: int) -> None:
    """Raises InputError for a mask's box that leaves an image height x width."""
    if box.intersection(Box.whole(height, width)) != box:
        raise InputError(
            f"The mask's box {box.as_tuple()} leaves the image of {width}x{height} pixels."
        )


def filled_box(runs: NDArray[np.int64], box: Box) -> Mask:
    """The bool mask of the box's size that has those runs along its rows, off first: they fill
    it."""
    signs = np.arange(runs.size) % 2 == 1
    return np.repeat(signs, runs).reshape(box.height, box.width)


@dataclass(frozen=True, slots=True)
class _Header:
    words: int
    word_bits: int
    sizes: tuple[int, ...]

    @staticmethod
    def read(bits: _Bits) -> _Header:
        """Raises InputError for a stream that ends in its header."""
        if bits.size < _HEADER_BITS:
            raise InputError(
                f"The brush's run lengths are {bits.size // 8} bytes: expected a header of 7 and "
                "more."
            )
        words, word_bits = bits.at(np.array([0]), 32)[0], bits.at(np.array([32]), 5)[0]
        sizes = bits.at(np.arange(37, _HEADER_BITS, 4), 4) + 1
        return _Header(int(words), int(word_bits) + 1, tuple(sizes.tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class _Chunks:
    """places: of their first words, in bits of the stream; ends: numbers of the words after them;
    repeats: whether one word stands for all."""

    places: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ends: NDArray[np.int64]
    repeats: NDArray[np.bool_]


def _split(runs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs as chunks that are short enough: which run each is of, and its length."""
    parts = -(-runs // _LARGEST_RUN)
    lengths = np.full(int(parts.sum()), _LARGEST_RUN, np.int64)
    lengths[np.cumsum(parts) - 1] = runs - (parts - 1) * _LARGEST_RUN
    return np.repeat(np.arange(runs.size), parts), lengths


def _packed(codes: NDArray[np.int64], sizes: NDArray[np.int64]) -> bytes:
    """Codes of so many bits one after the other, and zeros up to the next byte, at least one."""
    starts = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    out = np.zeros(total // 8 + _LANES, np.uint8)
    shifted = codes << (8 * _LANES - sizes - starts % 8)
    for lane in range(_LANES):
        part = (shifted >> 8 * (_LANES - 1 - lane) & 255).astype(np.uint8)
        # Several codes may touch one byte: `out[places] |= part` would keep the last of them alone.
        np.bitwise_or.at(out, starts // 8 + lane, part)
    return out[: total // 8 + 1].tobytes()


def _as_bytes(stream: bytes | Sequence[int]) -> NDArray[np.uint8]:
    """Raises InputError for what isn't bytes."""
    try:
        return np.frombuffer(bytes(stream), np.uint8)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The brush's run lengths can't be read ({error}): expected a list of whole numbers "
            "from 0 to 255."
        ) from error


def _chunks(bits: _Bits, head: _Header) -> _Chunks:
    """The chunks up to the last word. Raises InputError where the stream ends before that."""
    starts = np.array(_starts(bits, head), np.int64)
    firsts, lengths, repeats = _told(bits, starts, head)
    ends = np.cumsum(lengths)
    used = int(np.searchsorted(ends, head.words)) + 1
    whole = (
        used <= ends.size
        and int(ends[used - 1]) == head.words
        and int(_after(firsts, lengths, repeats, head)[used - 1]) <= bits.size
    )
    if not whole:
        raise InputError(
            f"The brush's run lengths end early or run over their {head.words} words: the stream "
            f"of {bits.size // 8} bytes is damaged."
        )
    return _Chunks(firsts[:used], lengths[:used], ends[:used], repeats[:used])


def _starts(bits: _Bits, head: _Header) -> list[int]:
    """Where chunks begin, in bits; not many more than there are words.

    Where a chunk ends is known only once it is read. So for a block of the stream it is told at
    once for every bit where the chunk that would begin there ends, and the chain is then followed.
    """
    found: list[int] = []
    place = _HEADER_BITS
    while place < bits.size and len(found) < head.words:
        first, last = place, min(place + _BLOCK, bits.size)
        every = np.arange(first, last, dtype=np.int64)
        after = _after(*_told(bits, every, head), head).tolist()
        while place < last:
            found.append(place)
            place = after[place - first]
    return found


def _told(
    bits: _Bits, starts: NDArray[np.int64], head: _Header
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Of the chunks that begin there: where their first words are, how many words they stand for,
    and whether one is repeated."""
    windows = bits.at(starts, _WINDOW)
    size = np.array(head.sizes, np.int64)[windows >> 16 & 3]
    lengths = ((windows & 0xFFFF) >> (16 - size)) + 1
    return starts + 3 + size, lengths, (windows >> 16 & _REPEATED).astype(np.bool_)


def _after(
    firsts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    repeats: NDArray[np.bool_],
    head: _Header,
) -> NDArray[np.int64]:
    """Where such chunks end."""
    words = np.where(repeats, 1, lengths).astype(np.int64)
    return firsts + words * head.word_bits


def _opacities(
    bits: _Bits, head: _Header, chunks: _Chunks
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The opacities of the pixels, and how many in turn have each."""
    firsts = chunks.ends - chunks.lengths
    # Of the words before a number, every fourth is an opacity.
    pixels = chunks.ends // _CHANNELS - firsts // _CHANNELS
    looked_up = np.where(chunks.repeats, np.minimum(pixels, 1), pixels)
    chunk, nth = in_ranges(np.zeros_like(looked_up), looked_up)
    word = (firsts[chunk] // _CHANNELS + nth) * _CHANNELS + _ALPHA - firsts[chunk]
    word[chunks.repeats[chunk]] = 0
    values = bits.at(chunks.places[chunk] + word * head.word_bits, head.word_bits)
    return values, np.where(chunks.repeats[chunk], pixels[chunk], 1)
