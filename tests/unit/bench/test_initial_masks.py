"""Masks to begin with: the IoU that docs/method.md §D.7 and §E.3 ask for, whole superpixels, and
the same mask every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from fakes import shapes_image
from players import Answer, sample
from skimage.segmentation import slic

from vtmr.bench import Protocol, play
from vtmr.bench.initial_masks import made_wrong, superpixel_defects
from vtmr.data import EvalSample
from vtmr.masks import Mask, iou
from vtmr.types import Event, Image

ROWS, COLS = np.mgrid[:120, :160]
ELLIPSE = ((ROWS - 54) / 36) ** 2 + ((COLS - 56) / 32) ** 2 < 1  # the red one of shapes_image


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", [0, 1])
def test_superpixel_defects_have_the_ious_of_davis585(seed: int) -> None:
    before = ELLIPSE.copy()
    mask = superpixel_defects(shapes_image(), ELLIPSE, stream(seed))
    assert 0.75 <= iou(mask, ELLIPSE) <= 0.85
    assert (before == ELLIPSE).all()


def test_defects_are_whole_superpixels_and_follow_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vtmr.bench.initial_masks.SUPERPIXELS", (100,))
    image = shapes_image()
    labels = slic(image, n_segments=100, compactness=10, start_label=0)
    mask = superpixel_defects(image, ELLIPSE, stream(3))
    changed = np.unique(labels[mask != ELLIPSE])
    assert changed.size
    for label in changed:
        assert np.unique(mask[labels == label]).size == 1  # all on or all off
    assert (mask == superpixel_defects(image, ELLIPSE, stream(3))).all()
    assert (mask != superpixel_defects(image, ELLIPSE, stream(4))).any()


def test_an_object_smaller_than_any_superpixel_gets_the_nearest_mask() -> None:
    dot = np.zeros((120, 160), np.bool_)
    dot[60:62, 80:82] = True
    mask = superpixel_defects(shapes_image(), dot, stream())
    assert (mask != dot).any()


def test_a_mask_that_is_wrong_only_where_nothing_counts_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the object's left half counts: a mask that lacks the right half is no start, one without
    the left is."""
    left, right = ELLIPSE & (COLS < 56), ELLIPSE & (COLS >= 56)
    drawn = [left, left, right]
    monkeypatch.setattr("vtmr.bench.initial_masks.perturb_to_iou", lambda *_: (drawn.pop(0), 0.5))
    mask = made_wrong(shapes_image(), ELLIPSE, right, Protocol(initial_mask="perturbed"), stream())
    assert (mask == right).all()
    assert drawn == []


@dataclass
class Witness:
    """Answers with the truth, and keeps the masks that it was shown."""

    name: str = "witness"
    shown: list[Mask | None] = field(default_factory=list)

    def prepare(self, image: Image) -> Mask:
        return image[..., 0] > 127

    def predict(
        self,
        scene: Mask,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Any = None,
    ) -> Answer:
        self.shown.append(mask)
        return Answer(scene)


def large() -> EvalSample:
    gt_mask = np.zeros((120, 160), np.bool_)
    gt_mask[20:100, 30:130] = True
    return sample(gt_mask=gt_mask)


def initial_masks(protocol: Protocol, repeats: Sequence[int]) -> list[Mask]:
    """The masks that the first click of each repeat was made on."""
    masks = []
    for repeat in repeats:
        witness = Witness()
        play(large(), witness, protocol, repeat)
        assert witness.shown[0] is not None
        masks.append(witness.shown[0])
    return masks


def test_perturbed_masks_have_their_iou_and_differ_between_repeats() -> None:
    truth = large().load()[1]
    first, second, again = initial_masks(
        Protocol(initial_mask="perturbed", initial_iou=0.7, repeats=2), [0, 1, 0]
    )
    assert [iou(mask, truth) for mask in (first, second)] == pytest.approx([0.7, 0.7], abs=0.021)
    assert (first != second).any()
    assert (first == again).all()
    assert (
        initial_masks(Protocol(initial_mask="perturbed", initial_iou=0.7, seed=1), [0])[0] != first
    ).any()


def test_merging_changes_one_error_a_click() -> None:
    """The witness knows the truth: unmerged it is right at once, merged only where the click is."""
    at_once = play(large(), Witness(), Protocol(initial_mask="perturbed", merge=False))
    by_parts = play(
        large(), Witness(), Protocol(initial_mask="perturbed", merge=True, max_clicks=40)
    )
    assert [record.iou for record in at_once] == [1.0]
    assert len(by_parts) > 1
    assert [record.iou for record in by_parts] == sorted(record.iou for record in by_parts)


def test_no_initial_mask_means_an_empty_one() -> None:
    witness = Witness()
    play(
        EvalSample("d", "i", "0", "s", large().load, initial=lambda: large().load()[1]),
        witness,
        Protocol(initial_mask="none"),
    )
    assert witness.shown == [None]
