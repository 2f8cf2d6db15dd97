"""f-BRS's pipeline around a stand-in: crops, what the next search starts from, refusals.

What the official code does is compared in tests/golden/test_fbrs.py; expected values here by hand
from docs/zoo.md §Z.3.3 and §Z.3.4.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork

from vtmr.errors import ConfigError
from vtmr.geometry import Box
from vtmr.segmenter import segmenter_for
from vtmr.segmenter.fbrs import CorrectedPrediction, Variables
from vtmr.session import Session
from vtmr.types import Click, FloatMap

IMAGE = np.zeros((300, 400, 3), np.uint8)
FIRST, SECOND = Click(150.5, 100.5), Click(200.5, 120.5, positive=False)


class Correcting(ColourNetwork):
    """Finds rows and columns 40 % to 60 % of whatever it sees; variables count its searches."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(pipeline="fbrs", input_size=400, eval_mode="cvpr", threshold=0.49, **spec)
        self.calls: list[tuple[tuple[int, ...], int, Variables | None]] = []
        self.finds = True

    def corrected(
        self, image: FloatMap, clicks: Sequence[Click], start: Variables | None
    ) -> tuple[FloatMap, Variables | None]:
        self.calls.append((image.shape[:2], len(clicks), start))
        height, width = image.shape[:2]
        logits: FloatMap = np.full((height, width), -4, np.float32)
        if self.finds:
            logits[2 * height // 5 : 3 * height // 5, 2 * width // 5 : 3 * width // 5] = 4
        if len(clicks) == 1:
            return logits, start
        return logits, np.ones(4) * (1 if start is None else start[0] + 1)


def play(network: Correcting, clicks: Sequence[Click]) -> list[CorrectedPrediction]:
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(IMAGE)
    answers: list[CorrectedPrediction] = []
    for k in range(1, len(clicks) + 1):
        answer = segmenter.predict(scene, clicks[:k], answers[-1] if answers else None)
        assert isinstance(answer, CorrectedPrediction)
        answers.append(answer)
    return answers


def test_the_first_click_sees_the_whole_image_and_later_ones_a_crop() -> None:
    """The mask is rows 120-179, columns 160-239: a crop of 200 pixels at least, 400 in the
    network."""
    network = Correcting()
    first, second = play(network, [Click(200.5, 150.5), Click(210.5, 160.5)])
    assert [call[:2] for call in network.calls] == [((300, 400), 1), ((400, 400), 2)]
    assert first.answer.kept is None
    assert second.answer.kept == Box(100, 50, 301, 251)
    assert second.layers[0].box == second.answer.kept
    assert second.nbytes == 400 * 400 * 4 + 4 * 8


@pytest.mark.parametrize(
    ("refinement", "starts"),
    [("fbrs-b", [None, None, 1, 2]), ("rgb-brs", [None, None, None, 1])],
)
def test_variables_of_pixels_belong_to_their_crop(
    refinement: str, starts: list[int | None]
) -> None:
    """The third click leaves the crop, which then is another; the fourth stays in it."""
    network = Correcting(refinement=refinement)
    clicks = [Click(200.5, 150.5), Click(210.5, 160.5), Click(20.5, 20.5), Click(60.5, 60.5)]
    kept = [answer.answer.kept for answer in play(network, clicks)]
    assert kept[1] != kept[2] == kept[3]
    found = [None if start is None else int(start[0]) for _, _, start in network.calls]
    assert found == starts


def test_after_an_empty_answer_the_whole_image_is_looked_at_again() -> None:
    """The same crop comes back, but the whole image was between: variables of its pixels are
    gone."""
    network = Correcting(refinement="distmap-brs")
    segmenter = segmenter_for(network)
    scene = segmenter.prepare(IMAGE)
    clicks = [Click(200.5, 150.5), Click(210.5, 160.5), Click(190.5, 150.5)]
    first = segmenter.predict(scene, clicks[:1])
    network.finds = False
    second = segmenter.predict(scene, clicks[:2], first)
    third = segmenter.predict(scene, clicks, second)
    assert not third.render().any()
    assert [call[0] for call in network.calls] == [(300, 400), (400, 400), (300, 400)]
    assert network.calls[2][2] is None


def test_undo_takes_the_variables_back() -> None:
    network = Correcting()
    session = Session(segmenter_for(network), IMAGE)
    session = session.add(Click(200.5, 150.5)).add(Click(210.5, 160.5)).add(Click(190.5, 140.5))
    session = session.undo().add(Click(205.5, 150.5))
    starts = [None if start is None else int(start[0]) for _, _, start in network.calls]
    assert starts == [None, None, 1, 1]


def test_a_network_that_cannot_be_corrected_is_refused() -> None:
    network = ColourNetwork(pipeline="fbrs", input_size=400, eval_mode="cvpr")
    with pytest.raises(ConfigError, match="colour is played on torch alone: add --device cpu"):
        segmenter_for(network)


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name.startswith("scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="scipy")
        return whole(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ConfigError, match=r"needs the package scipy.*\[bench\]"):
        segmenter_for(Correcting())
