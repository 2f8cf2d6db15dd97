"""What the napari plugin decides without napari: planes, pictures, labels and answers.

Expected values come from NumPy's own indexing, from pixels written by hand, and, for the manifest,
from the files of this repository. The plugin in napari itself is tested by
tests/realnapari/test_napari.py.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from hypothesis import given
from hypothesis import strategies as st

import vtmr
from vtmr.errors import ConfigError, InputError
from vtmr.plugins.napari.answers import Answers, Question
from vtmr.plugins.napari.clicked import Target, changed, common_start, read_points
from vtmr.plugins.napari.labelling import Outlook, change_to
from vtmr.plugins.napari.pixels import as_rgb
from vtmr.plugins.napari.slices import Plane, plane_of, shown_axes
from vtmr.segmenter import segmenter_for
from vtmr.types import Click

ROOT = Path(__file__).parents[3]


@given(order=st.permutations(range(4)), point=st.tuples(*[st.floats(-0.5, 1.49)] * 4))
def test_a_click_meets_the_pixel_that_was_pointed_at(
    order: list[int], point: tuple[float, ...]
) -> None:
    """In any order of the axes: the pixel of the data nearest to the point is the click's pixel of
    the plane, and writing there writes it."""
    data = np.arange(2**4).reshape(2, 2, 2, 2)
    rows, columns = order[-2:]
    plane, click = plane_of(point, rows, columns, data.shape)
    nearest = tuple(int(np.floor(value + 0.5)) for value in point)
    assert plane.of(data)[click.pixel] == data[nearest]
    row, column = click.pixel
    data[plane.places(np.array([row]), np.array([column]))] = -1
    assert data[nearest] == -1
    assert np.count_nonzero(data == -1) == 1


def test_a_point_is_the_middle_of_its_pixel() -> None:
    _, click = plane_of((0, 3, 5), 1, 2, (1, 10, 10))
    assert (click.x, click.y) == (5.5, 3.5)


@pytest.mark.parametrize("point", [(-0.6, 0), (0, 9.5), (float("nan"), 0)])
def test_a_point_beside_the_image_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="beside the image"):
        plane_of(point, 0, 1, (10, 10))


def test_the_axes_that_are_shown() -> None:
    """A viewer's last axes are those of data that have fewer."""
    assert shown_axes((1, 2), 3, 3) == (1, 2)
    assert shown_axes((2, 0), 3, 3) == (2, 0)
    assert shown_axes((2, 3), 4, 2) == (0, 1)
    with pytest.raises(InputError, match="lacks one of the two axes"):
        shown_axes((0, 3), 4, 2)
    with pytest.raises(InputError, match="from 3D to 2D"):
        shown_axes((0, 1, 2), 3, 3)


def test_colours_keep_their_channels_in_a_turned_plane() -> None:
    data = np.arange(4 * 5 * 6 * 3).reshape(4, 5, 6, 3)
    assert np.array_equal(Plane(2, 0, (3,)).of(data), data[:, 3].transpose(1, 0, 2))


def test_what_is_shown_is_what_the_model_sees() -> None:
    """16 bits between the contrast limits; whatever lies beyond is cut."""
    values = np.array([[0, 1000], [1500, 60000]], np.uint16)
    assert as_rgb(values, (1000, 2000))[..., 0].tolist() == [[0, 0], [128, 255]]
    fractions = np.array([[np.nan, -1.0], [0.5, 2.0]], np.float32)
    assert as_rgb(fractions, (0.0, 1.0))[..., 1].tolist() == [[0, 0], [128, 255]]
    assert as_rgb(np.array([[True, False]]))[0, 0].tolist() == [255] * 3
    photo = shapes_image()
    assert np.array_equal(as_rgb(photo, rgb=True), photo)
    deep = photo.astype(np.uint16) * 257
    assert np.array_equal(as_rgb(deep, rgb=True), photo)
    with_alpha = np.dstack([photo, np.zeros(photo.shape[:2], np.uint8)])
    assert np.array_equal(as_rgb(with_alpha, rgb=True), photo)


@pytest.mark.parametrize(
    ("values", "rgb"),
    [
        (np.zeros((2, 2, 2)), False),
        (np.zeros((2, 2, 5)), True),
        (np.zeros((0, 4)), False),
        (np.zeros((2, 2), complex), False),
    ],
)
def test_what_is_no_picture_is_refused(values: Any, rgb: bool) -> None:
    with pytest.raises(InputError, match="expected"):
        as_rgb(values, rgb=rgb)


def mask_of(*pixels: tuple[int, int]) -> Any:
    mask = np.zeros((3, 3), bool)
    for row, column in pixels:
        mask[row, column] = True
    return mask


def written(labels: Any, mask: Any, outlook: Outlook, *, preserve: bool) -> Outlook:
    change = change_to(mask, labels, outlook, preserve=preserve)
    labels[change.rows, change.columns] = change.labels
    return change.after


def test_what_a_mask_covered_comes_back() -> None:
    labels = np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]])
    before = labels.copy()
    outlook = Outlook.begun(labels, 2)
    outlook = written(labels, mask_of((0, 0), (0, 1), (1, 1)), outlook, preserve=False)
    assert labels.tolist() == [[2, 2, 0], [0, 2, 0], [0, 0, 0]]
    written(labels, outlook.start, outlook, preserve=False)
    assert np.array_equal(labels, before)


def test_other_objects_keep_their_pixels_where_that_is_asked_for() -> None:
    labels = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]])
    outlook = written(labels, mask_of((0, 1), (0, 2)), Outlook.begun(labels, 2), preserve=True)
    assert labels[0].tolist() == [1, 1, 2]
    assert not outlook.is_edited(labels)
    labels[2, 2] = 2
    assert outlook.is_edited(labels)


def test_points_are_sorted_by_object_and_plane() -> None:
    points = np.array([[0, 1, 1], [1, 1, 1], [0, 2, 2], [0, 9, 9], [0, 1, 2]], float)
    features = {
        "positive": [True, True, False, True, True],
        "object": [1, 1, 1, 1, 2],
        "rows": [1] * 5,
        "columns": [2] * 5,
    }
    read = read_points(points, features, (2, 4, 4))
    first = Target(Plane(1, 2, (0,)), 1)
    assert read.clicks[first] == (Click(1.5, 1.5), Click(2.5, 2.5, positive=False))
    assert read.rows[first] == (0, 2)
    assert read.clicks.keys() == {first, Target(Plane(1, 2, (1,)), 1), Target(Plane(1, 2, (0,)), 2)}
    assert read.beside == [3]
    assert changed(read.clicks, read.clicks) == []
    assert changed({}, {first: read.clicks[first]}) == [first]
    assert common_start(read.clicks[first], read.clicks[first][:1]) == 1


@pytest.fixture
def answers() -> Answers:
    return Answers(lambda: segmenter_for(ColourNetwork()))


def question(clicks: tuple[Click, ...], **given: Any) -> Question:
    image = shapes_image()
    start = given.pop("start", np.zeros(image.shape[:2], bool))
    return Question("picture", lambda: image, start, clicks, **given)


def test_answers_are_those_of_a_session(answers: Answers) -> None:
    clicks = (Click(56, 54), Click(10, 10, positive=False), Click(124, 66))
    session = vtmr.Session(segmenter_for(ColourNetwork()), shapes_image())
    for count in range(1, 4):
        session = session.add(clicks[count - 1])
        assert np.array_equal(answers.mask(question(clicks[:count])).mask, session.mask)
    assert np.array_equal(
        answers.mask(question(clicks[1:])).mask,
        vtmr.Session(segmenter_for(ColourNetwork()), shapes_image())
        .add(clicks[1])
        .add(clicks[2])
        .mask,
    )  # a first click that was deleted


def test_undo_and_redo_ask_nothing_anew() -> None:
    asked = []

    class Counting(ColourNetwork):
        def coarse(self, *given: Any) -> Any:
            asked.append(given)
            return super().coarse(*given)

    answers = Answers(lambda: segmenter_for(Counting()))
    clicks = (Click(56, 54), Click(124, 66))
    answers.mask(question(clicks))
    count = len(asked)
    for several in (clicks[:1], clicks, clicks[:1], ()):
        answers.mask(question(several))
    assert len(asked) == count


def test_a_label_is_a_mask_to_correct(answers: Answers) -> None:
    """A click in a hole fills it; with "here" an island elsewhere stays."""
    start = np.zeros((120, 160), bool)
    start[36:96, 104:144] = True
    start[56:76, 114:134] = False
    start[4:12, 4:12] = True
    clicks = (Click(124, 66),)
    for correction, island in (("here", True), ("refit", False)):
        mask = answers.mask(question(clicks, start=start, correction=correction)).mask
        assert mask[66, 124]
        assert bool(mask[8, 8]) is island
    assert np.array_equal(answers.mask(question((), start=start)).mask, start)


def test_a_click_that_only_takes_away_says_so(answers: Answers) -> None:
    answer = answers.mask(question((Click(5, 5, positive=False),)))
    assert not answer.mask.any()
    assert "takes away from an object" in answer.note


def test_pictures_that_are_out_of_use_are_forgotten() -> None:
    made: list[int] = []
    answers = Answers(lambda: segmenter_for(ColourNetwork()))

    def picture(number: int) -> Any:
        made.append(number)
        return shapes_image(seed=number)

    empty = np.zeros((120, 160), bool)
    for number in (0, 1, 2, 3, 4, 0):
        answers.mask(Question(number, lambda n=number: picture(n), empty, (Click(56, 54),)))  # type: ignore[misc]
    assert made == [0, 1, 2, 3, 4, 0]
    assert len(answers._scenes) == 4


def test_the_manifest_names_what_there_is() -> None:
    """And is found: the entry point that napari asks for leads to it."""
    manifest = (ROOT / "src/vtmr/plugins/napari/napari.yaml").read_text()
    (place,) = re.findall(r"python_name: (\S+)", manifest)
    module, name = place.split(":")
    assert callable(getattr(import_module(module), name))
    assert re.findall(r"id: (\S+)", manifest) == re.findall(r"command: (\S+)", manifest)
    project = (ROOT / "pyproject.toml").read_text()
    assert 'vtmr = "vtmr.plugins.napari:napari.yaml"' in project


def test_without_napari_the_extra_is_named() -> None:
    """napari isn't among what vtmr is developed with."""
    from vtmr.plugins.napari.widget import DockWidget

    with pytest.raises(ConfigError, match=r"\[napari\]"):
        DockWidget(Viewer())


class Viewer:
    """As much of a viewer as a desk asks for before there is a panel."""

    @property
    def layers(self) -> Any:
        return self

    events = removed = layers

    def connect(self, _: Any) -> None:
        pass
