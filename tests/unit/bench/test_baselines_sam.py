"""The SAM-style adapter against a stand-in that checks what it is handed as `SamPredictor` would
take it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import shapes_image

from vtmr.bench.baselines import SamBaseline
from vtmr.bench.baselines.sam import low_res_logits
from vtmr.errors import InputError
from vtmr.masks import Mask
from vtmr.session import Session
from vtmr.types import Click, MaskEdit

HEIGHT, WIDTH = 120, 160


class StandIn:
    """Answers each call with marked arrays, after checking shapes, types and the order of
    coordinates.

    The mask of candidate c at the n-th call is the pixels of the last clicked place's row, c + 1 of
    them; its low-resolution logits are n + c / 10 everywhere. Of three candidates the middle one
    scores best.
    """

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.calls: list[dict[str, Any]] = []

    def set_image(self, image: np.ndarray) -> None:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        self.images.append(image)

    def predict(
        self,
        point_coords: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self.images:
            raise RuntimeError("An image must be set with .set_image(...) before mask prediction.")
        height, width = self.images[-1].shape[:2]
        assert point_coords is not None
        assert point_labels is not None
        assert point_coords.dtype == np.float32
        assert point_coords.shape == (len(point_labels), 2)
        # (x, y).
        assert np.all((point_coords >= -0.5) & (point_coords < (width - 0.5, height - 0.5)))
        assert point_labels.dtype == np.int32
        assert set(point_labels.tolist()) <= {0, 1}
        if mask_input is not None:
            assert (mask_input.shape, mask_input.dtype) == ((1, 256, 256), np.float32)
        count = 3 if multimask_output else 1
        self.calls.append(
            {
                "points": point_coords.tolist(),
                "labels": point_labels.tolist(),
                "mask_input": mask_input,
                "multimask": multimask_output,
            }
        )
        masks = np.zeros((count, height, width), bool)
        row = int(point_coords[-1][1] + 0.5)
        for candidate in range(count):
            masks[candidate, row, : candidate + 1] = True
        number = len(self.calls)
        logits = np.stack([np.full((256, 256), number + c / 10, np.float32) for c in range(count)])
        return masks, np.array([0.1, 0.9, 0.4][:count] if count == 3 else [0.5], np.float32), logits


@pytest.fixture
def tool() -> StandIn:
    return StandIn()


def on(tool: StandIn, initial: Mask | None = None) -> Session:
    return Session(SamBaseline(tool, "stand-in"), shapes_image(HEIGHT, WIDTH), initial_mask=initial)


def test_the_first_click_takes_the_best_of_three_and_the_next_gets_its_logits(
    tool: StandIn,
) -> None:
    session = on(tool).add(Click(150.5, 100.5))
    assert session.mask.sum() == 2  # the middle candidate
    assert session.mask[100, :2].all()
    session = session.add(Click(20.0, 10.25, positive=False))
    assert session.mask[9:11].sum() == 1
    first, second = tool.calls
    assert (first["points"], first["labels"], first["mask_input"], first["multimask"]) == (
        [[150, 100]],
        [1],
        None,
        True,
    )
    assert (second["points"], second["labels"], second["multimask"]) == (
        [[150, 100], [19.5, 9.75]],
        [1, 0],
        False,
    )
    assert np.all(second["mask_input"] == np.float32(1.1))
    session.add(Click(5, 5))
    assert np.all(tool.calls[2]["mask_input"] == 2)
    assert len(tool.images) == 1


def test_undo_feeds_the_answer_that_is_current_again(tool: StandIn) -> None:
    first = on(tool).add(Click(50, 50))
    first.add(Click(60, 60)).add(Click(70, 70)).undo().undo().add(Click(80, 80))
    assert np.all(tool.calls[-1]["mask_input"] == np.float32(1.1))
    assert tool.calls[-1]["labels"] == [1, 1]


def test_several_clicks_at_once_ask_for_one_mask(tool: StandIn) -> None:
    on(tool).add(Click(50, 50), Click(60, 60, False))
    assert (tool.calls[0]["multimask"], tool.calls[0]["mask_input"]) == (False, None)


def test_negative_clicks_alone_are_answered_with_the_empty_mask_without_asking(
    tool: StandIn,
) -> None:
    session = on(tool).add(Click(50, 50, False))
    assert not session.mask.any()
    assert not tool.calls
    session.add(Click(60, 60))
    assert tool.calls[0]["labels"] == [0, 1]


def test_two_images_in_turn_are_set_again_each_time(tool: StandIn) -> None:
    baseline = SamBaseline(tool, "stand-in")
    small, large = np.zeros((10, 20, 3), np.uint8), np.zeros((300, 200, 3), np.uint8)
    sessions = [Session(baseline, image) for image in (small, large)]
    assert sessions[0].add(Click(15, 5)).mask.shape == (10, 20)
    assert sessions[1].add(Click(15, 290)).mask.shape == (300, 200)
    assert sessions[0].add(Click(15, 5)).mask.shape == (10, 20)
    assert [image.shape[0] for image in tool.images] == [10, 300, 10, 300, 10]


def test_a_mask_to_correct_is_fed_as_logits(tool: StandIn) -> None:
    initial = np.zeros((HEIGHT, WIDTH), bool)
    initial[:60] = True
    session = on(tool, initial).add(Click(100, 20, False))
    fed = tool.calls[0]["mask_input"]
    assert np.array_equal(fed, low_res_logits(initial, padded=True))
    assert tool.calls[0]["multimask"] is False
    session.add(Click(90, 90))
    assert np.all(tool.calls[1]["mask_input"] == 1)
    session.add(MaskEdit.of(~initial)).add(Click(100, 100))
    assert np.array_equal(tool.calls[-1]["mask_input"], low_res_logits(~initial, padded=True))


def test_low_resolution_logits_lie_as_the_tools_do() -> None:
    """160 x 120: padded, the image takes 256 x 192 of the square; stretched, all of it."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60:, 80:] = True
    padded, stretched = (low_res_logits(mask, padded=flag)[0] > 0 for flag in (True, False))
    expected = np.zeros((256, 256), bool)
    expected[96:192, 128:] = True
    assert np.array_equal(padded, expected)
    expected[:] = False
    expected[128:, 128:] = True
    assert np.array_equal(stretched, expected)
    assert np.array_equal(
        np.unique(low_res_logits(mask, padded=True)), np.array([-6.9, 6.9], np.float32)
    )
    assert low_res_logits(np.ones((3, 2000), bool), padded=True).shape == (1, 256, 256)


def test_an_answer_takes_less_than_a_megabyte(tool: StandIn) -> None:
    baseline = SamBaseline(tool, "stand-in")
    prediction = baseline.predict(baseline.prepare(shapes_image()), [Click(50, 50)])
    assert 256 * 256 * 4 < prediction.nbytes < 300_000


@pytest.mark.parametrize(
    "wrong",
    [{"masks": (3, WIDTH, HEIGHT)}, {"scores": (1, 3)}, {"logits": (3, 64, 64)}, {"scores": (0,)}],
)
def test_answers_of_other_shapes_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    shapes = {"masks": (3, HEIGHT, WIDTH), "scores": (3,), "logits": (3, 256, 256)} | wrong

    class Other(StandIn):
        def predict(self, **_: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return tuple(np.zeros(shape) for shape in shapes.values())  # type: ignore[return-value]

    with pytest.raises(
        InputError, match=r"stand-in answered with masks \(.*expected \(C, 120, 160\)"
    ):
        on(Other()).add(Click(50, 50))


def test_masks_of_zeros_and_ones_in_float_are_masks_too() -> None:
    """As SAM 2 gives them."""

    class Floats(StandIn):
        def predict(self, **arguments: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            masks, scores, logits = super().predict(**arguments)
            return masks.astype(np.float32), scores, logits

    assert on(Floats()).add(Click(50, 50)).mask.sum() == 2
