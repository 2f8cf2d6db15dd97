"""The robot against brute-force distances in whole numbers, and against hand-made cases
(docs/method.md §D.1, §K.3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vtmr.bench.robot import click_stream, next_click
from vtmr.errors import InputError
from vtmr.people import jittered, random_click
from vtmr.types import Click


def brute_force_squares(region: np.ndarray, clicked: list[Click]) -> np.ndarray:
    """Squared distance of every region pixel to the nearest pixel outside it (the border's ring
    included)."""
    padded = np.pad(region, 1)
    zeros = np.argwhere(~padded)
    squares = np.zeros(region.shape, int)
    for row, col in np.argwhere(region):
        squares[row, col] = ((zeros - (row + 1, col + 1)) ** 2).sum(axis=1).min()
    for click in clicked:
        squares[click.pixel] = 0
    return squares


def brute_force_click(
    mask: np.ndarray, gt_mask: np.ndarray, ignore_mask: np.ndarray, clicked: list[Click]
) -> Click | None:
    missed = brute_force_squares(gt_mask & ~mask & ~ignore_mask, clicked)
    wrong = brute_force_squares(mask & ~gt_mask & ~ignore_mask, clicked)
    if missed.max() == wrong.max() == 0:
        return None
    positive = bool(missed.max() > wrong.max())
    squares = missed if positive else wrong
    row, col = next(
        (r, c)
        for r in range(mask.shape[0])
        for c in range(mask.shape[1])
        if squares[r, c] == squares.max()
    )
    return Click(col + 0.5, row + 0.5, positive)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Click]]:
    """Small masks of uniform noise or of boxes: noise gives many ties, boxes give depth."""
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))

    def mask() -> np.ndarray:
        if draw(st.booleans()):
            return draw(npst.arrays(bool, (height, width)))
        field = np.zeros((height, width), bool)
        for _ in range(draw(st.integers(0, 2))):
            y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            field[y : y + draw(st.integers(1, height)), x : x + draw(st.integers(1, width))] ^= True
        return field

    pixels = draw(
        st.lists(st.tuples(st.integers(0, height - 1), st.integers(0, width - 1)), max_size=6)
    )
    return mask(), mask(), mask() & mask(), [Click(col + 0.25, row + 0.75) for row, col in pixels]


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_equals_brute_force(scene: tuple[np.ndarray, np.ndarray, np.ndarray, list[Click]]) -> None:
    assert next_click(*scene) == brute_force_click(*scene)


def test_equals_brute_force_with_deep_regions_away_from_the_origin() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        gt_mask, mask = np.zeros((60, 70), bool), np.zeros((60, 70), bool)
        for field in (gt_mask, mask):
            for _ in range(3):
                y, x, h, w = rng.integers(5, 40, 4)
                field[y : y + h, x : x + w] = True
        ignore_mask = rng.random(mask.shape) < 0.01
        assert next_click(mask, gt_mask, ignore_mask) == brute_force_click(
            mask, gt_mask, ignore_mask, []
        )


def test_first_click_is_the_middle_of_the_object() -> None:
    gt_mask = np.zeros((11, 15), bool)
    gt_mask[2:9, 4:11] = True  # 7 x 7: the middle pixel is row 5, column 7
    assert next_click(np.zeros_like(gt_mask), gt_mask) == Click(7.5, 5.5, True)


def test_the_images_border_ends_a_region() -> None:
    # Three pixels are 3 deep: row 2, columns 2 .. 6; the first one counts.
    gt_mask = np.ones((5, 9), bool)
    assert next_click(np.zeros_like(gt_mask), gt_mask) == Click(2.5, 2.5, True)


def test_equally_deep_errors_make_the_click_negative() -> None:
    gt_mask, mask = np.zeros((7, 14), bool), np.zeros((7, 14), bool)
    gt_mask[1:6, 1:6], mask[1:6, 8:13] = True, True
    assert next_click(mask, gt_mask) == Click(10.5, 3.5, False)


def test_clicked_pixels_are_passed_over_and_then_nothing_is_left() -> None:
    gt_mask = np.zeros((1, 3), bool)
    gt_mask[0, :2] = True
    mask = np.zeros_like(gt_mask)
    assert next_click(mask, gt_mask, None, [Click(0.5, 0.5)]) == Click(1.5, 0.5, True)
    assert next_click(mask, gt_mask, None, [Click(0.5, 0.5), Click(1.1, 0.9)]) is None


def test_no_click_when_every_counted_pixel_is_right() -> None:
    gt_mask = np.zeros((6, 6), bool)
    gt_mask[1:4, 1:4] = True
    assert next_click(gt_mask.copy(), gt_mask) is None
    assert next_click(np.zeros_like(gt_mask), gt_mask, gt_mask) is None


class Scripted:
    """In place of a random generator: `integers` and `normal` give what they are told."""

    def __init__(self, index: int = 0, offsets: tuple[float, float] = (0.0, 0.0)) -> None:
        self.index, self.offsets, self.limit = index, offsets, 0

    def integers(self, limit: int) -> int:
        self.limit = limit
        return self.index

    def normal(self, mean: float, deviation: float, size: int) -> np.ndarray:
        assert (mean, size) == (0.0, 2)
        return deviation * np.array(self.offsets)


def brute_force_components(region: np.ndarray) -> list[list[tuple[int, int]]]:
    """8-connected components by flooding, in row-major order of their first pixels, their pixels in
    row-major order."""
    left = {(int(row), int(col)) for row, col in np.argwhere(region)}
    found = []
    while left:
        component, edge = set(), [min(left)]
        while edge:
            row, col = edge.pop()
            if (row, col) in left:
                left.remove((row, col))
                component.add((row, col))
                edge += [(row + dy, col + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        found.append(sorted(component))
    return found


def brute_force_choices(
    mask: np.ndarray, gt_mask: np.ndarray, ignore_mask: np.ndarray, clicked: list[Click]
) -> tuple[list[tuple[int, int]], bool]:
    """The pixels that the random robot chooses from, and the click's sign."""
    pixels = {click.pixel for click in clicked}

    def largest(region: np.ndarray) -> list[tuple[int, int]]:
        unclicked = [
            [p for p in found if p not in pixels] for found in brute_force_components(region)
        ]
        # Of equally large ones, that whose first unclicked pixel comes first.
        return min(filter(None, unclicked), key=lambda found: (-len(found), found[0]), default=[])

    missed, wrong = largest(gt_mask & ~mask & ~ignore_mask), largest(mask & ~gt_mask & ~ignore_mask)
    return (missed, True) if len(missed) > len(wrong) else (wrong, False)


@settings(max_examples=150, deadline=None)
@given(scenes(), st.data())
def test_the_random_robot_chooses_from_the_largest_region(
    scene: tuple[np.ndarray, np.ndarray, np.ndarray, list[Click]], data: st.DataObject
) -> None:
    choices, positive = brute_force_choices(*scene)
    if not choices:
        assert random_click(*scene, Scripted()) is None
        return
    stream = Scripted(data.draw(st.integers(0, len(choices) - 1)))
    row, col = choices[stream.index]
    assert random_click(*scene, stream) == Click(col + 0.5, row + 0.5, positive)
    assert stream.limit == len(choices)


def test_the_random_robot_reaches_every_pixel_about_equally_often() -> None:
    """A region of 4 pixels and a smaller one: of 2000 clicks, about 500 on each of the 4 (standard
    deviation 19)."""
    gt_mask = np.zeros((6, 6), bool)
    gt_mask[1, 1:4] = gt_mask[2, 4] = True  # connected by a corner
    gt_mask[5, 0:3] = True
    stream = np.random.default_rng(0)
    clicks = [random_click(np.zeros_like(gt_mask), gt_mask, None, [], stream) for _ in range(2000)]
    counts = {
        pixel: sum(click.pixel == pixel for click in clicks)
        for pixel in ((1, 1), (1, 2), (1, 3), (2, 4))
    }
    assert sum(counts.values()) == 2000
    assert all(420 < count < 580 for count in counts.values())


@pytest.mark.parametrize(
    ("offsets", "landed"),
    [
        ((0.0, 0.0), (7.5, 5.5, True)),
        ((1.5, -1.0), (10.5, 3.5, True)),  # 3 px to the right and 2 px up, still on the object
        ((2.0, 0.0), (11.5, 5.5, False)),  # beside the object: a click there says background
        ((0.0, -9.0), (7.5, 0.5, False)),  # clipped at the upper border
        ((9.0, 9.0), (14.5, 10.5, False)),  # clipped into the last pixel
        ((-2.0, 0.0), (3.5, 5.5, True)),  # on an ignored pixel the sign stays as it was meant
    ],
)
def test_where_a_jittered_click_lands(
    offsets: tuple[float, float], landed: tuple[float, float, bool]
) -> None:
    """11 x 15 pixels, the object in rows 2 to 8 and columns 4 to 10, column 3 ignored; offsets in
    units of 2 px."""
    gt_mask, ignore_mask = np.zeros((11, 15), bool), np.zeros((11, 15), bool)
    gt_mask[2:9, 4:11], ignore_mask[:, 3] = True, True
    assert jittered(Click(7.5, 5.5), gt_mask, ignore_mask, 2.0, Scripted(offsets=offsets)) == Click(
        *landed
    )


def test_jitter_spreads_as_it_says() -> None:
    """Rounding to pixels adds 1/12 to the variance of 3 squared: 3.01 px; 4000 draws know it to
    about 1 %."""
    gt_mask = np.ones((101, 101), bool)
    clicks = [
        jittered(Click(50.5, 50.5), gt_mask, None, 3.0, np.random.default_rng(seed))
        for seed in range(4000)
    ]
    for values in ([click.x for click in clicks], [click.y for click in clicks]):
        assert np.mean(values) == pytest.approx(50.5, abs=0.2)
        assert np.std(values) == pytest.approx(3.01, rel=0.04)


def test_a_clicks_stream_is_a_function_of_all_that_names_it() -> None:
    """The number was written down once: runs of different machines and days have to agree on it."""

    def draw(*names: str | int) -> float:
        return float(click_stream(*names).random())  # type: ignore[arg-type]

    assert draw(0, "grabcut", "a", 1) == draw(0, "grabcut", "a", 1) == 0.22209090770912965
    names = [
        (0, "grabcut", "a", 1),
        (1, "grabcut", "a", 1),
        (0, "grabcut", "a", 2),
        (0, "grabcuta", "", 1),
        (0, "a"),
    ]
    assert len({draw(*each) for each in names}) == 5


def test_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="prediction"):
        next_click(np.zeros((4, 5), bool), np.zeros((5, 4), bool))
    with pytest.raises(InputError, match="ignore mask"):
        next_click(np.zeros((5, 4), bool), np.zeros((5, 4), bool), np.zeros((4, 5), bool))
