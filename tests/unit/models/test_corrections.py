"""Backpropagating refinement on a small network: slopes, costs, ends, and what is kept.

Expected values follow from the formulas of docs/zoo.md §Z.3.4; the official trajectories are in
tests/golden/test_fbrs.py.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vtmr.models.correcting_network import (
    CorrectingTorchNetwork,
    correction_of,
    mirrored,
    squares,
)
from vtmr.models.corrections import Objective, Question, mean_overlap, refined
from vtmr.models.fbrs import FbrsDeepLab, FbrsHRNet, Place
from vtmr.models.hrnet import HRNetSize
from vtmr.models.residual import upsampled
from vtmr.models.resnet import ResNetSize
from vtmr.spec import RAW, ModelSpec, Refinement
from vtmr.types import Click

SPEC = ModelSpec("small", RAW, pipeline="fbrs", input_size=32, eval_mode="cvpr", threshold=0.49)
CLICKS = [Click(10.5, 12.5), Click(24.5, 20.5, positive=False)]
CORRECTED: tuple[Refinement, ...] = ("fbrs-a", "fbrs-b", "fbrs-c", "rgb-brs", "distmap-brs")


@pytest.fixture(scope="module")
def network() -> FbrsDeepLab:
    """With one block a stage, and clicks that it answers wrongly."""
    torch.manual_seed(1)
    small = FbrsDeepLab(SPEC, ResNetSize((1, 1, 1, 1), bottlenecks=False), 8, 0.0)
    for module in small.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are those of the one pass that follows
    with torch.no_grad():
        small.answered(torch.rand(4, 3, 32, 40), torch.rand(4, 2, 32, 40))
        small.head[2].weight *= 3
    return small.eval()


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (32, 40, 3)).astype(np.uint8)


def question_of(network: FbrsDeepLab, image: np.ndarray, refinement: Refinement) -> Question:
    playing = CorrectingTorchNetwork(network, replace(SPEC, refinement=refinement))
    return playing.question(image, CLICKS)


@pytest.mark.parametrize("refinement", CORRECTED)
def test_slopes_are_those_of_the_losses(
    network: FbrsDeepLab, image: np.ndarray, refinement: Refinement
) -> None:
    """Along a random direction, by central differences in float64; `cost` is part of the loss."""
    single = question_of(network, image, refinement)
    parts = (single.image, single.distances, single.positive, single.negative)
    question = Question(*(part.double() for part in parts))
    correction = correction_of(copy.deepcopy(network).double(), question, refinement)
    assert correction is not None
    rng = np.random.default_rng(2)
    start, way = (0.05 * rng.standard_normal(correction.size) for _ in range(2))

    def loss(step: float) -> float:
        value, _ = Objective(correction, question)(start + step * way)
        return value

    _, gradient = Objective(correction, question)(start)
    numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert gradient @ way == pytest.approx(numeric, rel=1e-4)


def test_costs(network: FbrsDeepLab, image: np.ndarray) -> None:
    """A bias costs ten times what a scale does; a map is paid for in each of the two views."""
    for refinement, expected in (("fbrs-c", 1e-3 * (8 * 4 + 10 * 8 * 9)), ("distmap-brs", None)):
        question = question_of(network, image, refinement)  # type: ignore[arg-type]
        correction = correction_of(network, question, refinement)  # type: ignore[arg-type]
        assert correction is not None
        if expected is not None:
            variables = torch.cat([torch.full((8,), 2.0), torch.full((8,), 3.0)])
        else:
            variables = torch.full((correction.size,), 2.0)
            assert correction.size == 2 * 32 * 40
            expected = 2e-3 * 4 * correction.size
        assert float(correction.cost(variables)) == pytest.approx(expected)


@pytest.mark.parametrize("refinement", CORRECTED)
def test_nothing_is_changed_where_all_variables_are_0(
    network: FbrsDeepLab, image: np.ndarray, refinement: Refinement
) -> None:
    question = question_of(network, image, refinement)
    correction = correction_of(network, question, refinement)
    assert correction is not None
    with torch.no_grad():
        plain = network.answered(question.image, question.distances)
        torch.testing.assert_close(correction.logits(torch.zeros(correction.size)), plain)


@pytest.mark.parametrize("place", ["a", "b", "c"])
def test_an_hrnet_can_be_left_and_entered_at_each_place(place: Place) -> None:
    """Its first two are the same: all branches side by side; the third is the object context."""
    torch.manual_seed(3)
    size = HRNetSize(width=4, blocks=1, exchanges=(1, 1, 1))
    hrnet = FbrsHRNet(SPEC, size, ocr_width=8).eval()
    image, distances = torch.rand(2, 3, 64, 96), torch.rand(2, 2, 64, 96)
    with torch.no_grad():
        logits, features, auxiliary = hrnet.decode(image, distances)
        taken, around = hrnet.before(image, distances, place)
        again = upsampled(hrnet.after(taken, around, place), image)
    assert taken.shape == ((2, 16, 16, 24) if place == "c" else (2, 60, 16, 24))
    torch.testing.assert_close(again, logits)
    if place == "c":
        torch.testing.assert_close(taken, features)
    assert isinstance(auxiliary, Tensor)
    assert auxiliary.shape == logits.shape == (2, 1, 64, 96)


def test_the_added_map_is_mirrored_with_the_image(network: FbrsDeepLab, image: np.ndarray) -> None:
    """Both views see the same changed picture, one of them mirrored."""
    question = question_of(network, image, "rgb-brs")
    correction = correction_of(network, question, "rgb-brs")
    assert correction is not None
    added = torch.rand(1, 3, 32, 40)
    changed = question.image + torch.cat([added, added.flip(3)])
    with torch.no_grad():
        expected = network.answered(changed, question.distances)
        torch.testing.assert_close(correction.logits(added.reshape(-1)), expected)


def test_a_search_makes_the_clicks_right(network: FbrsDeepLab, image: np.ndarray) -> None:
    playing = CorrectingTorchNetwork(network, SPEC)
    first, none = playing.corrected(image, CLICKS[:1], None)
    assert none is None  # the first click is answered as it is
    plain = CorrectingTorchNetwork(network, replace(SPEC, refinement="none"))
    same, _ = plain.corrected(image, CLICKS[:1], None)
    np.testing.assert_allclose(first, same, atol=1e-5)
    before, _ = plain.corrected(image, CLICKS, None)
    after, variables = playing.corrected(image, CLICKS, None)
    assert variables is not None and variables.shape == (2 * 40,)
    assert before[12, 10] < 0 < before[20, 24]
    assert after[12, 10] > 0 > after[20, 24]


def test_the_next_search_starts_where_the_last_one_ended(
    network: FbrsDeepLab, image: np.ndarray
) -> None:
    playing = CorrectingTorchNetwork(network, SPEC)
    _, variables = playing.corrected(image, CLICKS, None)
    assert variables is not None
    again, kept = playing.corrected(image, CLICKS, variables)
    np.testing.assert_array_equal(kept, variables)  # all clicks are right: nothing is sought
    question = playing.question(image, CLICKS)
    correction = correction_of(network, question, "fbrs-b")
    assert correction is not None
    with torch.no_grad():
        logits = correction.logits(torch.from_numpy(variables.astype(np.float32)))
    mean = (logits[0, 0] + logits[1, 0].flip(1)) / 2
    np.testing.assert_allclose(again, mean, atol=1e-5)


class Scripted:
    """A correction whose answers are given, one after the other."""

    size = 1

    def __init__(self, answers: Sequence[Tensor]) -> None:
        self.answers = iter(answers)

    def logits(self, variables: Tensor) -> Tensor:
        return next(self.answers) + 0 * variables.sum()

    def cost(self, variables: Tensor) -> Tensor:
        return 0 * variables.sum()


def asked(positive: Sequence[int], negative: Sequence[int], pixels: int = 200) -> Question:
    maps = torch.zeros(2, 1, 1, 1, pixels)
    maps[0, ..., list(positive)] = 1
    maps[1, ..., list(negative)] = 1
    return Question(torch.zeros(1, 3, 1, pixels), torch.zeros(1, 2, 1, pixels), maps[0], maps[1])


def row(inside: int, value: float, pixels: int = 200) -> Tensor:
    """Logits: `value` in the first pixels, -value after them."""
    return torch.where(torch.arange(pixels) < inside, value, -value).reshape(1, 1, 1, -1)


def test_a_search_ends_when_every_clicked_pixel_is_right() -> None:
    question = asked(positive=[0, 1], negative=[150])
    script = [row(1, 2.0), row(100, 2.0), row(160, 2.0)]
    for answer, ended in zip(script, (False, True, False), strict=True):
        objective = Objective(Scripted([]), question)  # type: ignore[arg-type]
        assert objective.is_done(torch.sigmoid(answer)) == ended


def test_a_search_ends_when_the_mask_hardly_changes() -> None:
    """By more than .99 of overlap with the evaluation before's: 189 of 190 pixels are enough."""
    question = asked(positive=[], negative=[0])
    masks = [torch.sigmoid(row(n, 2.0)) for n in (100, 98, 190, 189, 189)]
    objective = Objective(Scripted([]), question)  # type: ignore[arg-type]
    assert [objective.is_done(mask) for mask in masks] == [False, False, False, True, True]
    assert mean_overlap(masks[2] > 0.5, masks[3] > 0.5) == pytest.approx(189 / 190)


def test_the_best_evaluation_is_the_answer_and_the_last_one_the_next_start() -> None:
    question = asked(positive=[0], negative=[])
    good, bad = row(0, 0.1), row(0, 3.0)  # either misses the click, the second by far
    objective = Objective(Scripted([good, bad, bad]), question)  # type: ignore[arg-type]
    for _ in range(2):
        objective(np.zeros(1))
    assert objective.best is not None
    torch.testing.assert_close(objective.best, good)
    assert objective.losses[0] < objective.losses[1]


def test_squares() -> None:
    """3 x 3 pixels, rounded to the even neighbour; none above or left of the grid, as in the
    official code, and cut off on the other sides."""
    clicks = [Click(10.5, 20.5), Click(4.0, 6.0), Click(0.5, 9.5), Click(31.5, 39.5, False)]
    maps = squares(clicks, 40, 32)
    assert maps.sum(axis=(1, 2)).tolist() == [18, 4]
    assert maps[0, 19:22, 9:12].all()
    assert maps[0, 5:8, 3:6].all()  # 3.5 and 5.5 are rounded to 4 and 6
    assert maps[1, 38:, 30:].all()


def test_overlapping_squares_count_once() -> None:
    assert squares([Click(10.5, 10.5), Click(11.5, 10.5)], 20, 20)[0].sum() == 12


def test_the_network_is_told_of_the_first_clicks_alone(
    network: FbrsDeepLab, image: np.ndarray
) -> None:
    """8, or 5 where an input is corrected; the clicks after them are constraints."""
    clicks = [Click(4.5 + 3 * n, 4.5) for n in range(10)]
    for refinement, told in (("fbrs-b", 8), ("rgb-brs", 5)):
        playing = CorrectingTorchNetwork(network, replace(SPEC, refinement=refinement))  # type: ignore[arg-type]
        question = playing.question(image, clicks)
        nearest = [float(question.distances[0, 0, 4, 4 + 3 * n]) for n in range(10)]
        assert [value == 0 for value in nearest] == [n < told for n in range(10)]
        assert question.positive[0].sum() == 3 * 3 * 10
        torch.testing.assert_close(question.distances[1], question.distances[0].flip(2))


def test_mirrored_clicks() -> None:
    assert mirrored([Click(3.25, 7.0)], 40) == [Click(36.75, 7.0)]


def test_a_start_of_zeros_is_float32(network: FbrsDeepLab, image: np.ndarray) -> None:
    """What SciPy counts depends on it, see `refined`."""
    question = question_of(network, image, "fbrs-b")
    correction = correction_of(network, question, "fbrs-b")
    assert correction is not None
    objective = Objective(correction, question)
    seen: list[np.dtype] = []

    class Watched:
        def __init__(self) -> None:
            self.correction = correction
            self.best = None

        def __call__(self, variables: np.ndarray) -> tuple[float, np.ndarray]:
            seen.append(variables.dtype)
            found = objective(variables)
            self.best = objective.best
            return found

    refined(Watched(), None)  # type: ignore[arg-type]
    assert set(seen) == {np.dtype(np.float32)}
