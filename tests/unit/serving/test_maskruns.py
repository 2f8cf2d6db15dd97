"""Masks on the wire: the example of docs/api.md, the round trip, and what isn't a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtmr.errors import InputError
from vtmr.serving.maskruns import MaskRuns


def test_the_example_of_the_documentation() -> None:
    mask = MaskRuns.from_json({"box": [10, 20, 13, 22], "runs": [1, 2, 3]}).decode(30, 40)
    assert np.argwhere(mask).tolist() == [[20, 11], [20, 12]]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**81 - 1))
def test_every_mask_comes_back(height: int, width: int, bits: int) -> None:
    mask = np.array([bits >> i & 1 for i in range(height * width)], bool).reshape(height, width)
    record = MaskRuns.encode(mask).to_json()
    back = MaskRuns.from_json(record)
    np.testing.assert_array_equal(back.decode(height, width), mask)
    assert back.area == mask.sum()
    if record["box"]:
        x0, y0, x1, y1 = record["box"]
        rows, cols = np.nonzero(mask)
        assert (x0, y0, x1, y1) == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
        assert all(
            run > 0 for run in record["runs"][1:]
        )  # only the first may be empty: zeros come first
    else:
        assert record["runs"] == []


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"box": None},
        {"runs": []},
        {"box": None, "runs": [1]},
        {"box": [0, 0, 2, 2], "runs": [4, 4]},
        {"box": [0, 0, 2, 2], "runs": [-1, 5]},
        {"box": [0, 0, 2, 2], "runs": [1.0, 3.0]},
        {"box": [0, 0, 2, 2], "runs": [True, 3]},
        {"box": [0, 0, 2], "runs": []},
        {"box": [2, 0, 0, 2], "runs": []},
        {"box": [0, 0, 2, 2], "runs": [1 << 62, 4]},
        {"box": [0, 0, 1 << 40, 1 << 40], "runs": [1 << 40] * 3},
        {"box": "0022", "runs": [4]},
        {"box": [0, 0, 2, 2], "runs": "4"},
    ],
)
def test_anything_else_is_refused(record: object) -> None:
    with pytest.raises(InputError, match=r"The (mask|box)"):
        MaskRuns.from_json(record)


def test_a_box_outside_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="leaves the image of 4x4"):
        MaskRuns.from_json({"box": [0, 0, 5, 1], "runs": [0, 5]}).decode(4, 4)
