"""Label Studio's brush streams: what its own two writers made of RGBA pixels.

`streams/label_studio.json` was recorded from the page's encoder (npm: @thi.ng/rle-pack 3.2.12,
`encode(words, words.length)`) and from the converter's (PyPI: label-studio-sdk 2.1.2,
`converter.brush.encode_rle`), which needs versions of its own and can't be installed beside these
tests; `make proof` asks it again.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtmr.formats.runlength import decode_label_studio, encode_label_studio

CASES = json.loads((Path(__file__).parent / "streams" / "label_studio.json").read_text())
MASKS = ("rectangle", "nothing", "everything", "single pixels")


def name_of(case: dict[str, Any]) -> str:
    return f"{case['name']}, {case['by'].split()[0]}"


def opacity(case: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    words = np.frombuffer(bytes.fromhex(case["words"]), np.uint8)
    return words.reshape(case["height"], case["width"], 4)[..., 3]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_its_streams_are_read(case: dict[str, Any]) -> None:
    """On is what has more than half of the highest opacity; all words are random in "any words"."""
    alpha = opacity(case)
    mask = decode_label_studio(bytes.fromhex(case["stream"]), *alpha.shape)
    assert mask.tolist() == (alpha > alpha.max() // 2).tolist()


def test_a_soft_disc_is_the_same_at_half_the_opacity() -> None:
    full, half = (
        decode_label_studio(bytes.fromhex(case["stream"]), 8, 8)
        for name in ("soft disc", "soft disc of half opacity")
        for case in CASES
        if case["name"] == name and case["by"].startswith("@thi.ng")
    )
    assert abs(full.sum() - math.pi * 2.7**2) < 3  # more than half is on within 2.7 pixels
    assert (full == half).all()


@pytest.mark.parametrize("name", MASKS)
def test_ours_is_the_converters_byte_for_byte(name: str) -> None:
    (case,) = (
        case for case in CASES if case["name"] == name and case["by"].startswith("label-studio")
    )
    assert encode_label_studio(opacity(case) > 0).hex() == case["stream"]
