"""Classical baselines on a picture whose objects differ in colour, their seeds by hand, and what is
asked of any baseline."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import shapes_image

from vtmr.bench.baselines import (
    BACKGROUND,
    BASELINES,
    OBJECT,
    UNKNOWN,
    ClassicalBaseline,
    Seeds,
    open_baseline,
)
from vtmr.bench.baselines.seeds import place_seeds
from vtmr.errors import InputError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask, iou
from vtmr.session import Session
from vtmr.types import Click, MaskEdit, Predictor

IN_ELLIPSE, IN_RECTANGLE, IN_GRASS = (56, 54), (124, 66), (90, 100)  # (x, y) on shapes_image


def ellipse(scale: int = 1) -> Mask:
    """The red ellipse of `fakes.shapes_image`."""
    rows, cols = np.mgrid[: 120 * scale, : 160 * scale]
    inside = ((rows - 54 * scale) / (36 * scale)) ** 2 + (
        (cols - 56 * scale) / (32 * scale)
    ) ** 2 < 1
    return np.asarray(inside)


@pytest.fixture(params=list(BASELINES))
def baseline(request: pytest.FixtureRequest) -> Predictor:
    return open_baseline(request.param)


def answer(baseline: Predictor, image: np.ndarray, *events: Click | MaskEdit) -> Mask:
    return baseline.predict(baseline.prepare(image), events).render()


# --- what any baseline does


def test_clicks_find_the_object_they_are_on(baseline: Predictor) -> None:
    clicks = (
        Click(*IN_ELLIPSE),
        Click(*IN_GRASS, positive=False),
        Click(*IN_RECTANGLE, positive=False),
    )
    mask = answer(baseline, shapes_image(), *clicks)
    assert (mask.shape, mask.dtype) == ((120, 160), np.bool_)
    assert iou(mask, ellipse()) > 0.9


def test_a_click_changes_what_it_is_on(baseline: Predictor) -> None:
    session = Session(baseline, shapes_image()).add(Click(*IN_ELLIPSE))
    for place, positive in ((IN_RECTANGLE, True), (IN_GRASS, False), (IN_ELLIPSE, False)):
        session = session.add(Click(*place, positive))
        assert session.mask[place[1], place[0]] == positive
    assert not session.mask[54, 56]
    assert session.undo().mask[54, 56]


def test_without_a_click_on_the_object_the_answer_is_the_empty_mask(baseline: Predictor) -> None:
    image = shapes_image()
    assert not answer(baseline, image).any()
    assert not answer(baseline, image, Click(*IN_GRASS, positive=False)).any()
    later = Session(baseline, image).add(Click(*IN_GRASS, positive=False)).add(Click(*IN_ELLIPSE))
    assert later.mask[54, 56]


def test_the_same_clicks_give_the_same_bits_whatever_was_asked_before(baseline: Predictor) -> None:
    image = shapes_image()
    clicks = Click(*IN_ELLIPSE), Click(*IN_GRASS, positive=False)
    first = answer(baseline, image, *clicks)
    cv2.setRNGSeed(99)
    answer(baseline, image[::-1], Click(3, 3))
    assert np.array_equal(answer(baseline, image, *clicks), first)
    assert np.array_equal(answer(open_baseline(baseline.name.split()[0]), image, *clicks), first)


@pytest.mark.slow
def test_the_first_click_isnt_charged_for_loading_packages() -> None:
    """In a fresh process: after the baseline was opened, answering loads nothing of scikit-image or
    SciPy any more."""
    code = """
import sys
import numpy as np
from vtmr.bench.baselines import BASELINES, open_baseline
from vtmr.types import Click
image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
for name in BASELINES:
    baseline = open_baseline(name)
    scene, before = baseline.prepare(image), set(sys.modules)
    baseline.predict(scene, [Click(9, 9)]).render()
    new = sorted(set(sys.modules) - before)
    print([name for name in new if name.startswith(("skimage", "scipy"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]"] * len(BASELINES) + [""]


def test_a_large_image_is_worked_on_small_and_answered_large(baseline: Predictor) -> None:
    assert isinstance(baseline, ClassicalBaseline)
    image = shapes_image(600, 800)
    scene = baseline.prepare(image)
    assert max(scene.small.shape[:2]) == baseline.side
    clicks = Click(280, 270), Click(450, 500, False), Click(620, 330, False)
    prediction = baseline.predict(scene, clicks)
    assert prediction.render().shape == (600, 800)
    assert iou(prediction.render(), ellipse(5)) > 0.9
    assert prediction.nbytes < 1_000_000


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (10, 300)])
@pytest.mark.parametrize("grey", [None, 77])
def test_small_and_plain_pictures_have_an_answer(
    baseline: Predictor, size: tuple[int, int], grey: int | None
) -> None:
    height, width = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if grey is not None:
        image[:] = grey
    corner = Click(np.nextafter(width, 0), np.nextafter(height, 0))
    mask = answer(baseline, image, corner)
    assert mask.shape == size
    assert mask[-1, -1]
    assert answer(baseline, image, Click(0, 0, False), corner)[-1, -1]
    assert not answer(baseline, image, corner, Click(0, 0, False))[0, 0]


def test_a_mask_to_correct_is_kept_but_for_what_the_clicks_say(baseline: Predictor) -> None:
    """Both shapes are given, the rectangle is clicked off; then the ellipse alone, the rectangle is
    clicked on."""
    rectangle = np.zeros((120, 160), bool)
    rectangle[36:96, 104:144] = True
    both = ellipse() | rectangle
    for given, wanted, positive in ((both, ellipse(), False), (ellipse(), both, True)):
        session = Session(baseline, shapes_image(), initial_mask=given).add(
            Click(*IN_RECTANGLE, positive)
        )
        assert iou(session.mask, wanted) > 0.9
        assert np.array_equal(session.mask & ellipse(), ellipse())


# --- seeds

FRAME = Frame(Box.whole(8, 12), 12, 8)


def test_a_disc_around_each_click_and_the_later_one_wins() -> None:
    seeds = place_seeds([Click(2.5, 3.5), Click(4.5, 3.5, False)], None, FRAME, 1)
    assert seeds is not None
    assert seeds.likely is None
    plus = [(2, 2), (3, 1), (3, 2), (4, 2)]  # (3, 3) is in both discs
    minus = [(2, 4), (3, 3), (3, 4), (3, 5), (4, 4)]
    assert [tuple(place) for place in np.argwhere(seeds.labels == OBJECT)] == plus
    assert [tuple(place) for place in np.argwhere(seeds.labels == BACKGROUND)] == minus


def test_clicks_are_scaled_into_the_working_image() -> None:
    """A tenth of the size: the click at (75, 42) is in working pixel (row 4, column 7), whose disc
    is that pixel."""
    seeds = place_seeds([Click(75, 42)], None, Frame(Box.whole(80, 120), 12, 8), 0.1)
    assert seeds is not None
    assert [tuple(place) for place in np.argwhere(seeds.labels)] == [(4, 7)]


def test_no_seeds_without_an_object() -> None:
    assert place_seeds([], None, FRAME, 1) is None
    assert place_seeds([Click(3, 3, False)], None, FRAME, 1) is None
    assert place_seeds([Click(3, 3), Click(3, 3, False)], None, FRAME, 1) is None
    assert place_seeds([], np.zeros((8, 12), bool), FRAME, 1) is None


def test_the_core_of_a_mask_to_correct_is_sure_but_for_what_a_click_doubts() -> None:
    """A bar of columns 0 to 9 of 20 in a single deep row block: depths 10 … 1 inside, 1 … 10
    outside; half is 5."""
    initial = np.zeros((20, 20), bool)
    initial[:, :10] = True
    frame = Frame(Box.whole(20, 20), 20, 20)
    seeds = place_seeds([], initial, frame, 1)
    assert seeds is not None
    assert seeds.likely is not None
    assert np.array_equal(seeds.likely, initial)
    expected = [OBJECT] * 5 + [UNKNOWN] * 10 + [BACKGROUND] * 5
    assert seeds.labels.tolist() == [expected] * 20
    doubted = place_seeds([Click(0.5, 10.5, False)], initial, frame, 0)
    assert doubted is not None
    assert doubted.labels[10].tolist() == [BACKGROUND] + [UNKNOWN] * 14 + [BACKGROUND] * 5
    # 10 rows off.
    assert doubted.labels[0].tolist() == [
        UNKNOWN,
        OBJECT,
        OBJECT,
        OBJECT,
        OBJECT,
        *expected[5:],
    ]
    assert doubted.likely is not None
    assert doubted.likely[10].tolist() == [False] * 20
    assert doubted.likely[0].tolist() == [False] + [True] * 9 + [False] * 10
    agreed = place_seeds([Click(0.5, 10.5, True)], initial, frame, 0)
    assert agreed is not None
    assert np.array_equal(agreed.labels, seeds.labels)


def test_a_method_sees_the_working_image_and_its_answer_is_cut_at_one_half() -> None:
    seen: list[tuple[np.ndarray, Seeds]] = []

    def half(image: np.ndarray, seeds: Seeds) -> np.ndarray:
        seen.append((image, seeds))
        prob = np.full(image.shape[:2], 0.5, np.float32)
        prob[:, : image.shape[1] // 2] = 0.51
        return prob

    image = np.arange(40 * 80 * 3, dtype=np.uint8).reshape(40, 80, 3)
    mask = answer(ClassicalBaseline("half", half, side=80, radius=1), image, Click(5, 5))
    assert np.array_equal(seen[0][0], image)
    assert np.flatnonzero(mask.all(axis=0)).tolist() == list(range(40))
    assert not mask[:, 40:].any()


# --- names


def test_an_unknown_baseline_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        InputError, match=r"no baseline 'grabcut-opencl': known are .*geodesic.*'grabcut-opencv'\?"
    ):
        open_baseline("grabcut-opencl")


counter = itertools.count()


def own_module(folder: Path, text: str) -> str:
    name = f"own_baseline_{next(counter)}"
    (folder / f"{name}.py").write_text(text)
    return name


def test_ones_own_baseline_is_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere"])
    name = own_module(
        tmp_path,
        "from vtmr.bench.baselines import open_baseline\n"
        "def make(): return open_baseline('grabcut-opencv')\n",
    )
    assert open_baseline(f"{name}:make").name == "grabcut-opencv"


@pytest.mark.parametrize(
    ("text", "function", "expected"),
    [
        ("", "make", "has no attribute 'make'"),
        ("def make(:", "make", "expected a module"),
        ("import not_there_at_all", "make", "No module named 'not_there_at_all'"),
        ("def make(): return 3", "make", "returned int: expected a Predictor"),
    ],
)
def test_an_unusable_own_baseline_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, function: str, expected: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = own_module(tmp_path, text)
    with pytest.raises(InputError, match=expected):
        open_baseline(f"{name}:{function}")


@pytest.mark.parametrize("name", ["no_such_module:make", ":make", "vtmr:"])
def test_an_own_baseline_that_isnt_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="can't be had"):
        open_baseline(name)
