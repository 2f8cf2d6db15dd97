"""Masks drawn, grown, moved, cut and parted: the pixel functions against plain definitions, and the
operations on the shapes of tests/fakes.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image

from vtmr.app.areas import grown, outlined, scribbled, shifted
from vtmr.app.parts import connected_parts, cut_along
from vtmr.errors import InputError
from vtmr.masks import Mask
from vtmr.segmenter import segmenter_for
from vtmr.serving.maskruns import MaskRuns
from vtmr.session import Session
from vtmr.types import BoxPrompt, Click

NAME = "shapes.png"
ROWS, COLS = np.mgrid[:120, :160] + 0.5
SQUARE = (ROWS > 30) & (ROWS < 70) & (COLS > 40) & (COLS < 100)
ELLIPSE_BOX = [20, 14, 92, 94]  # around the red ellipse: columns 24 to 88, rows 18 to 90


def mask_of(answer: dict[str, Any], object_id: str = "o1") -> Mask:
    return MaskRuns.from_json(answer["masks"][object_id]).decode(120, 160)


class TestAreas:
    def test_an_outline_encloses_the_pixels_inside_it(self) -> None:
        """Against the half-planes of a triangle."""
        corners = np.array([[20.2, 20.3], [120.1, 40.7], [50.4, 100.9]])
        inside = np.ones(ROWS.shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            inside &= (x1 - x0) * (ROWS - y0) - (y1 - y0) * (COLS - x0) > 0
        made = outlined(np.zeros(ROWS.shape, bool), corners, add=True)
        np.testing.assert_array_equal(made, inside)
        gone = outlined(np.ones(ROWS.shape, bool), corners, add=False)
        np.testing.assert_array_equal(gone, ~made)

    def test_an_outline_may_lie_outside(self) -> None:
        points = np.array([[-50.0, -50.0], [1000.0, -50.0], [1000.0, 500.0], [-50.0, 500.0]])
        assert outlined(np.zeros((5, 7), bool), points, add=True).all()
        assert not outlined(np.zeros((5, 7), bool), points + 5000, add=True).any()

    @pytest.mark.parametrize("pixels", [1, 3, -1, -6])
    def test_growing_is_a_disc_around_every_pixel(self, pixels: int) -> None:
        """Against OpenCV's dilation and erosion by the disc of that radius."""
        reach = abs(pixels)
        ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = (ys**2 + xs**2 <= reach**2).astype(np.uint8)
        change = cv2.dilate if pixels > 0 else cv2.erode
        wanted = change(SQUARE.astype(np.uint8), disc, borderValue=int(pixels < 0)) > 0
        np.testing.assert_array_equal(grown(SQUARE, pixels), wanted)

    def test_the_border_of_the_image_is_no_outside(self) -> None:
        mask = np.zeros((6, 8), bool)
        mask[:, :5] = True
        np.testing.assert_array_equal(grown(mask, -2)[0], [True] * 3 + [False] * 5)
        assert grown(np.ones((6, 8), bool), -3).all()
        assert not grown(np.zeros((6, 8), bool), 3).any()

    def test_shifting_loses_what_leaves_the_image(self) -> None:
        moved = shifted(SQUARE, 70, -40)
        wanted = np.zeros_like(SQUARE)
        wanted[:-40, 70:] = SQUARE[40:, :-70]
        np.testing.assert_array_equal(moved, wanted)
        assert not shifted(SQUARE, 0, 500).any()

    def test_a_scribble_takes_what_is_coloured_alike_and_connected(self) -> None:
        """A line over the blue rectangle, columns 104 to 143 and rows 36 to 95, whose colour the
        noise of 6 units leaves far from the green around it."""
        image = shapes_image()
        rectangle = np.zeros((120, 160), bool)
        rectangle[36:96, 104:144] = True
        line = np.array([[110.0, 50.0], [138.0, 80.0]])
        made = scribbled(image, np.zeros((120, 160), bool), line, 3, 40, add=True)
        assert np.count_nonzero(made ^ rectangle) < 0.02 * np.count_nonzero(rectangle)
        kept = scribbled(image, np.ones((120, 160), bool), line, 3, 40, add=False)
        np.testing.assert_array_equal(kept, ~made)

    def test_a_scribble_without_tolerance_is_the_line(self) -> None:
        made = scribbled(
            shapes_image(), np.zeros((120, 160), bool), np.array([[500.0, 500.0]]), 3, 0, add=True
        )
        assert not made.any()  # outside the image


class TestParts:
    def test_a_line_cuts_in_two_and_no_pixel_is_lost(self) -> None:
        pieces = cut_along(SQUARE, np.array([[60.0, 10.0], [60.0, 110.0]]))
        assert len(pieces) == 2
        np.testing.assert_array_equal(pieces[0] ^ pieces[1], SQUARE)
        assert not (pieces[0] & pieces[1]).any()
        assert pieces[0].sum() > pieces[1].sum()
        assert np.nonzero(pieces[0])[1].min() in (60, 61)  # columns 40 to 59 are the smaller part

    def test_what_the_line_does_not_touch_stays_with_the_largest(self) -> None:
        mask = SQUARE | (ROWS > 100)
        pieces = cut_along(mask, np.array([[60.0, 10.0], [60.0, 90.0]]))
        np.testing.assert_array_equal(pieces[0] | pieces[1], mask)
        assert pieces[0][110].all()

    def test_a_line_that_ends_inside_cuts_nothing(self) -> None:
        with pytest.raises(InputError, match="right across"):
            cut_along(SQUARE, np.array([[60.0, 10.0], [60.0, 50.0]]))
        with pytest.raises(InputError, match="empty"):
            cut_along(np.zeros_like(SQUARE), np.array([[60.0, 10.0], [60.0, 50.0]]))

    def test_parts_come_by_size_with_crumbs_at_the_largest(self) -> None:
        mask = SQUARE.copy()
        mask[100:110, 10:30] = True  # 200 px, over 5 % of 2400
        mask[0, 0] = True
        whole, second = connected_parts(mask)
        assert whole[0, 0]
        assert second.sum() == 200
        np.testing.assert_array_equal(whole | second, mask)
        assert len(connected_parts(mask, 1)) == 3
        with pytest.raises(InputError, match="one connected part"):
            connected_parts(SQUARE)


class TestOperations:
    def test_a_box_is_the_sessions_and_clicks_refine_it(self, annotating: Any) -> None:
        answer = annotating.change(NAME, "box", object=None, box=ELLIPSE_BOX)
        session = Session(segmenter_for(ColourNetwork()), shapes_image())
        session = session.add(BoxPrompt(*map(float, ELLIPSE_BOX)))
        np.testing.assert_array_equal(mask_of(answer), session.mask)
        (made,) = answer["document"]["objects"]
        assert made["prompt"] == ELLIPSE_BOX
        assert made["edited"] is False
        click = {"x": 124.5, "y": 66.5, "positive": True}
        answer = annotating.click(NAME, "o1", **click)
        np.testing.assert_array_equal(mask_of(answer), session.add(Click(124.5, 66.5)).mask)
        assert answer["document"]["objects"][0]["clicks"] == [click]

    def test_a_box_begins_an_edited_mask_anew(self, annotating: Any) -> None:
        painted = annotating.change(
            NAME, "brush", object=None, points=[[150, 5]], radius=2, mode="add"
        )
        assert painted["document"]["objects"][0]["edited"] is True
        answer = annotating.change(NAME, "box", object="o1", box=ELLIPSE_BOX)
        assert not mask_of(answer)[5, 150]
        assert answer["document"]["objects"][0]["edited"] is False

    @pytest.mark.parametrize(
        ("op", "fields", "fragment"),
        [
            ("box", {"object": None, "box": [5, 5, 5, 9]}, "'box' is empty"),
            ("box", {"object": None, "box": [500, 5, 600, 9]}, "lies outside the image"),
            ("outline", {"object": None, "points": [[1, 1], [2, 2]], "mode": "add"}, "3 to 10000"),
            ("grow", {"object": "o1", "pixels": 501}, "from -500 to 500"),
            ("shift", {"object": "o1", "dx": 1.5, "dy": 0}, "'dx' is 1.5"),
            ("subtract", {"object": "o1", "minus": ["o1"]}, "the object itself"),
            ("merge", {"objects": ["o1", "o1"]}, "twice"),
            ("merge", {"objects": ["o1"]}, "2 to 5000"),
            ("split", {"object": "o1", "points": [[0, 0], [1, 1]]}, "right across"),
            ("split", {"object": "o1"}, "one connected part"),
            (
                "brush",
                {"object": "o1", "points": [[1, 1]], "radius": 3, "mode": "add", "pressures": []},
                "'pressures' is 0",
            ),
        ],
    )
    def test_a_sentence_says_what_is_wrong(
        self, annotating: Any, op: str, fields: dict[str, Any], fragment: str
    ) -> None:
        annotating.click(NAME)
        answer = annotating.attempt(NAME, op, **fields)
        assert answer.status_code == 400, answer.text
        assert fragment in answer.json()["error"]["message"]
        assert annotating.open(NAME)["document"]["revision"] == 1

    def test_each_is_one_step_that_is_undone(self, annotating: Any) -> None:
        before = mask_of(annotating.click(NAME))
        square = [[100, 10], [150, 10], [150, 30], [100, 30]]
        for op, fields in (
            ("outline", {"points": square, "mode": "add"}),
            ("scribble", {"points": [[120, 60], [125, 70]], "radius": 3, "mode": "add"}),
            ("grow", {"pixels": 4}),
            ("shift", {"dx": 5, "dy": -3}),
            ("brush", {"points": [[9, 9], [30, 9]], "radius": 6, "mode": "add"}),
        ):
            answer = annotating.change(NAME, op, object="o1", **fields)
            assert (mask_of(answer) != before).any(), op
            assert answer["document"]["undo"] == op
            np.testing.assert_array_equal(mask_of(annotating.change(NAME, "undo")), before)

    def test_pressure_makes_a_stroke_thicker_where_it_is_higher(self, annotating: Any) -> None:
        """Expected: the disc around each end, give or take a pixel."""
        answer = annotating.change(
            NAME,
            "brush",
            object=None,
            points=[[30 + x, 60] for x in range(101)],
            radius=10,
            mode="add",
            pressures=[0.2 + 0.018 * x for x in range(101)],
        )
        mask = mask_of(answer)
        for x, radius in ((30, 2), (80, 11), (130, 20)):
            assert abs(np.count_nonzero(mask[:, x]) - 2 * radius) <= 2

    def test_merged_subtracted_and_split(self, annotating: Any) -> None:
        rectangle = {"x": 124.5, "y": 66.5, "positive": True}
        one = mask_of(annotating.click(NAME))
        other = mask_of(annotating.click(NAME, None, **rectangle), "o2")
        assert one.any()
        assert other.any()
        answer = annotating.change(NAME, "merge", objects=["o1", "o2"])
        np.testing.assert_array_equal(mask_of(answer), one | other)
        assert [item["id"] for item in answer["document"]["objects"]] == ["o1"]

        answer = annotating.change(NAME, "split", object="o1")
        kept, made = answer["document"]["objects"]
        assert (kept["id"], made["label"]) == ("o1", kept["label"])
        parts = [mask_of(answer, "o1"), mask_of(answer, made["id"])]
        np.testing.assert_array_equal(parts[0] ^ parts[1], one | other)

        painted = annotating.change(
            NAME,
            "outline",
            object="o1",
            points=[[0, 0], [159, 0], [159, 119], [0, 119]],
            mode="add",
        )
        assert mask_of(painted).sum() > 150 * 110
        answer = annotating.change(NAME, "subtract", object="o1", minus=[made["id"]])
        np.testing.assert_array_equal(mask_of(answer), mask_of(painted) & ~parts[1])

    def test_a_cut_object_keeps_what_is_said_of_it(self, annotating: Any) -> None:
        annotating.click(NAME)
        annotating.change(NAME, "set", object="o1", label="plate")
        answer = annotating.change(NAME, "split", object="o1", points=[[0, 54], [159, 54]])
        assert [one["label"] for one in answer["document"]["objects"]] == ["plate", "plate"]
        assert answer["object"] == "o1"

    def test_each_is_in_the_journal_before_it_is_answered(
        self, annotating: Any, folder: Path, tmp_path: Path, start: Callable[..., Any]
    ) -> None:
        """A copy of the folder, taken while the annotator runs, is what a kill leaves behind."""
        square = [[100, 10], [150, 10], [150, 30], [100, 30]]
        annotating.change(NAME, "box", object=None, box=ELLIPSE_BOX)
        annotating.change(NAME, "outline", object=None, points=square, mode="add", keep_apart=True)
        annotating.change(NAME, "scribble", object="o1", points=[[120, 60]], radius=3, mode="add")
        annotating.change(NAME, "grow", object="o2", pixels=3, keep_apart=True)
        annotating.change(NAME, "shift", object="o2", dx=-40, dy=20, keep_apart=True)
        annotating.change(NAME, "subtract", object="o1", minus=["o2"])
        annotating.change(NAME, "split", object="o1", points=[[0, 50], [159, 50]])
        annotating.change(NAME, "merge", objects=["o2", "o3"])
        shutil.copytree(folder, tmp_path / "killed")
        again = start(tmp_path / "killed", labels=["cup", "plate"])
        for _ in range(4):
            now, then = annotating.open(NAME), again.open(NAME)
            assert then["document"]["objects"] == now["document"]["objects"]
            assert then["masks"] == now["masks"]
            annotating.change(NAME, "undo")
            again.change(NAME, "undo")

    def test_a_locked_object_takes_no_part(self, annotating: Any) -> None:
        annotating.click(NAME)
        annotating.click(NAME, None, x=124.5, y=66.5, positive=True)
        annotating.change(NAME, "set", object="o2", locked=True)
        for op, fields in (
            ("merge", {"objects": ["o1", "o2"]}),
            ("split", {"object": "o2"}),
            ("grow", {"object": "o2", "pixels": 1}),
        ):
            answer = annotating.attempt(NAME, op, **fields)
            assert (answer.status_code, answer.json()["error"]["code"]) == (423, "locked")
