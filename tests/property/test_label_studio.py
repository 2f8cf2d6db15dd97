"""Laws of Label Studio's brush streams, against a writer that goes bit by bit as the format says
(the head of vtmr/formats/runlength.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vtmr.errors import InputError
from vtmr.formats.runlength import decode_label_studio, encode_label_studio
from vtmr.masks import Mask

SIZES = (3, 4, 8, 16)
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)

masks = hnp.arrays(np.bool_, SHAPES)
# Few values, so that words repeat, or any.
rgba = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6).flatmap(
    lambda shape: hnp.arrays(
        np.uint8, (*shape, 4), elements=st.sampled_from([0, 1, 128, 255]) | st.integers(0, 255)
    )
)


def bit_by_bit(
    words: Sequence[int], cuts: Sequence[int], word_bits: int, sizes: Sequence[int]
) -> bytes:
    """A stream whose chunks are at most so long as `cuts` says in turn: one repeated word where
    its words are equal, words as they are otherwise."""
    text = f"{len(words):032b}{word_bits - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    place = turn = 0
    while place < len(words):
        chunk = words[place : place + min(cuts[turn % len(cuts)], 1 << max(sizes))]
        kind = next(n for n, size in enumerate(sizes) if len(chunk) <= 1 << size)
        equal = len(set(chunk)) == 1
        text += f"{int(equal)}{kind:02b}{len(chunk) - 1:0{sizes[kind]}b}"
        text += "".join(f"{word:0{word_bits}b}" for word in (chunk[:1] if equal else chunk))
        place, turn = place + len(chunk), turn + 1
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@given(masks)
@example(np.arange(70_000).reshape(70, 1000) < 69_990)  # runs of more than one chunk
def test_what_was_written_is_read(mask: Mask) -> None:
    stream = encode_label_studio(mask)
    assert (decode_label_studio(stream, *mask.shape) == mask).all()
    assert (decode_label_studio(list(stream), *mask.shape) == mask).all()


@given(
    rgba,
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.sampled_from([8, 9, 32]),
    st.lists(st.integers(1, 16), min_size=4, max_size=4).map(sorted) | st.just(list(SIZES)),
)
def test_any_chunks_of_any_words_are_read(
    pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]],
    cuts: list[int],
    word_bits: int,
    sizes: list[int],
) -> None:
    stream = bit_by_bit(pixels.reshape(-1).tolist(), cuts, word_bits, sizes)
    alpha = pixels[..., 3]
    mask = decode_label_studio(stream, *alpha.shape)
    assert (mask == (alpha > alpha.max() // 2)).all()


def test_chunks_longer_than_a_block_are_read() -> None:
    """65,536 words as they are, all other than their neighbours."""
    words = (np.arange(4 * 200 * 300) * 37 % 251).astype(np.uint8)
    stream = bit_by_bit(words.tolist(), [1 << 16], 8, SIZES)
    alpha = words.reshape(200, 300, 4)[..., 3]
    assert (decode_label_studio(stream, 200, 300) == (alpha > alpha.max() // 2)).all()


@given(masks, st.data())
def test_damaged_streams_are_refused_or_are_masks(mask: Mask, data: st.DataObject) -> None:
    stream = bytearray(encode_label_studio(mask))
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= data.draw(st.integers(1, 255))
    del stream[data.draw(st.integers(0, len(stream))) :]
    try:
        read = decode_label_studio(bytes(stream), *mask.shape)
    except InputError:
        return
    assert read.shape == mask.shape


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        ([], "0 bytes: expected a header"),
        ([0, 0, 0, 4], "4 bytes: expected a header"),
        ("rle", "can't be read"),
        ([0, 300], "can't be read"),
        ([1.5], "can't be read"),
        (None, "can't be read"),
        (encode_label_studio(np.ones((2, 2), np.bool_)), "hold 16 words: expected 12 pixels"),
        (encode_label_studio(np.ones((3, 4), np.bool_))[:8], "is damaged"),
        (bytes([255] * 7), "hold 4294967295 words"),
    ],
)
def test_errors_say_what_is_wrong(stream: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decode_label_studio(stream, 3, 4)  # type: ignore[arg-type]


def test_a_short_stream_that_promises_an_image_of_gigabytes_costs_nothing() -> None:
    """The size is compared with the image's before anything is made."""
    with pytest.raises(InputError, match="expected 100 pixels"):
        decode_label_studio((1 << 31).to_bytes(4, "big") + bytes(40), 10, 10)
