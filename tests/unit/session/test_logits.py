"""What a session tells beyond its mask. Expected: the mask itself, which is cut from the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

import vtmr
from vtmr.errors import InputError
from vtmr.segmenter import segmenter_for
from vtmr.session import Session

ON_ELLIPSE = vtmr.Click(56.5, 54.5)


def clicked(**spec: Any) -> Session:
    return Session(segmenter_for(ColourNetwork(**spec)), shapes_image()).add(ON_ELLIPSE)


@pytest.mark.parametrize("spec", [{}, {"pipeline": "focalclick"}, {"pipeline": "ritm"}])
def test_the_mask_is_where_the_probability_is_above_the_threshold(spec: Any) -> None:
    session = clicked(**spec)
    probability = session.probability
    assert probability.shape == (120, 160)
    assert probability.dtype == np.float32
    # A pixel at the threshold may fall either way: spans are found along rows, logits bilinearly.
    threshold = 0.5
    differing = (probability > threshold) != session.mask
    assert differing.mean() < 0.001
    assert 0.05 < session.mask.mean() < 0.5


def test_a_part_is_that_part_of_the_whole() -> None:
    session = clicked()
    whole = session.logits()
    for box in (vtmr.Box(20, 10, 70, 90), (20, 10, 70, 90), (20.5, 10.9, 69.1, 89.5)):
        part = session.logits(box)
        assert part.shape == (80, 50)
        assert part.dtype == np.float32
        # Positions are taken from another box: the last bits differ.
        assert np.allclose(part, whole[10:90, 20:70], atol=1e-3)
    assert np.allclose(session.probability_in((20, 10, 70, 90)), session.probability[10:90, 20:70])


@pytest.mark.parametrize("spec", [{}, {"pipeline": "ritm"}])
def test_a_grid_of_another_size(spec: Any) -> None:
    """At half the size, the middle of a cell is where four pixels meet."""
    session = clicked(**spec)
    grid = session.logits(size=(60, 80))
    assert grid.shape == (60, 80)
    fours = session.mask.reshape(60, 2, 80, 2).sum((1, 3))
    assert (grid[fours == 4] > 0).all()
    assert (grid[fours == 0] <= 0).all()


def test_logits_are_those_before_a_merge() -> None:
    """The rectangle is the user's; a click on the ellipse answers for the ellipse alone."""
    initial = np.zeros((120, 160), np.bool_)
    initial[36:96, 104:144] = True
    session = Session(segmenter_for(ColourNetwork()), shapes_image(), initial_mask=initial)
    session = session.add(ON_ELLIPSE)
    assert session.mask[60, 120]
    assert session.mask[54, 56]
    assert session.logits()[60, 120] < 0 < session.logits()[54, 56]


def test_a_negative_click_on_nothing_is_certain_of_nothing() -> None:
    session = Session(segmenter_for(ColourNetwork()), shapes_image())
    session = session.add(vtmr.Click(5, 5, positive=False))
    assert (session.logits() == -np.inf).all()
    assert (session.probability == 0).all()


class MaskAlone:
    """A predictor as baselines are: its answer is a mask."""

    name = "Baseline"

    def prepare(self, image: Any) -> Any:
        return image

    def predict(self, scene: Any, *rest: Any) -> Any:
        class Answer:
            nbytes = 0

            def render(self) -> Any:
                return np.ones(scene.shape[:2], np.bool_)

        return Answer()


def test_where_there_are_no_logits_it_says_why() -> None:
    empty = Session(segmenter_for(ColourNetwork()), shapes_image())
    with pytest.raises(InputError, match="add a click first"):
        _ = empty.probability
    edited = empty.add(vtmr.MaskEdit.of(np.ones((120, 160), np.bool_)))
    with pytest.raises(InputError, match="only a mask that was given"):
        edited.logits()
    with pytest.raises(InputError, match="Baseline answers with a mask alone"):
        Session(MaskAlone(), shapes_image()).add(ON_ELLIPSE).logits()


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, 161, 10), "isn't in the image of 160x120"),
        ((-1, 0, 10, 10), "isn't in the image"),
        ((5, 5, 5, 10), "is empty"),
        ((1, 2, 3), "The box is \\(1, 2, 3\\): expected"),
        ("left", "expected a vtmr.Box or four numbers"),
        ((0, 0, float("inf"), 9), "expected a vtmr.Box or four numbers"),
        (7, "expected a vtmr.Box or four numbers"),
    ],
)
def test_an_impossible_box_is_named(box: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clicked().logits(box)


@pytest.mark.parametrize("size", [(0, 4), (4,), (2.5, 4)])
def test_an_impossible_grid_is_named(size: Any) -> None:
    with pytest.raises(InputError, match="The size of the grid is"):
        clicked().logits(size=size)


def test_a_region_may_be_four_numbers() -> None:
    predictor = segmenter_for(ColourNetwork())
    image = shapes_image()
    numbers = Session(predictor, image, region=(20.2, 5.7, 90, 100)).add(ON_ELLIPSE)
    box = Session(predictor, image, region=vtmr.Box(20, 5, 90, 100)).add(ON_ELLIPSE)
    assert np.array_equal(numbers.mask, box.mask)
    assert json.loads(numbers.to_json())["region"] == [20, 5, 90, 100]
    with pytest.raises(InputError, match="The region is 'all'"):
        Session(predictor, image, region="all")
