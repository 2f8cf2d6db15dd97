"""ROIAlign against its definition bin by bin, and the refiner's formula."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vtmr.models.refiner import Refiner, roi_align

Box = tuple[float, float, float, float]
BILINEAR: dict[str, Any] = {"mode": "bilinear", "align_corners": True}


def sample(plane: np.ndarray, y: float, x: float) -> float:
    """torchvision's bilinear sample: 0 beyond one cell outside, else clamped to the first and last
    cell."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = max(y, 0.0), max(x, 0.0)
    y0, x0 = min(int(y), height - 1), min(int(x), width - 1)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    fy, fx = (y - y0 if y1 > y0 else 0.0), (x - x0 if x1 > x0 else 0.0)
    top = plane[y0, x0] * (1 - fx) + plane[y0, x1] * fx
    return float(top * (1 - fy) + (plane[y1, x0] * (1 - fx) + plane[y1, x1] * fx) * fy)


def roi_align_by_definition(maps: np.ndarray, box: Box, size: int, scale: float) -> np.ndarray:
    """C x size x size in float64: aligned=True, each bin the mean of ceil(length/size)² samples
    [docs/method.md §H]."""
    x0, y0, x1, y1 = (value * scale - 0.5 for value in box)
    bin_x, bin_y = (x1 - x0) / size, (y1 - y0) / size
    many_x, many_y = math.ceil(bin_x), math.ceil(bin_y)
    out = np.zeros((len(maps), size, size))
    for c, row, col in np.ndindex(*out.shape):
        values = [
            sample(
                maps[c],
                y0 + (row + (i + 0.5) / many_y) * bin_y,
                x0 + (col + (j + 0.5) / many_x) * bin_x,
            )
            for i in range(many_y)
            for j in range(many_x)
        ]
        out[c, row, col] = np.mean(values)
    return out


BOXES: list[Box] = [
    (0, 0, 16, 16),
    (2.25, 3.5, 9.75, 12),
    (0, 0, 5.5, 7),  # at the top left corner
    (10.25, 9, 16, 16),  # at the bottom right one
    (0, 6, 16, 7.25),
    (7.9, 0, 8.1, 16),  # a sliver: all columns of one
]


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("box", BOXES)
def test_roi_align_is_torchvisions(box: Box, scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(
        1, 2, int(16 * scale), int(16 * scale), generator=generator, dtype=torch.float64
    )
    size = int(16 * scale)
    found = roi_align(maps, torch.tensor([box], dtype=torch.float64), size, scale)
    np.testing.assert_allclose(
        found[0].numpy(), roi_align_by_definition(maps[0].numpy(), box, size, scale), atol=1e-12
    )


def test_the_full_box_is_the_map_itself() -> None:
    maps = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(
        roi_align(maps, torch.tensor([[0.0, 0, 8, 8]] * 2), 8), maps, rtol=0, atol=1e-6
    )
    torch.testing.assert_close(
        roi_align(maps, torch.tensor([[0.0, 0, 32, 32]] * 2), 8, 0.25), maps, rtol=0, atol=1e-6
    )


def test_each_map_has_its_own_box() -> None:
    maps = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    boxes = torch.tensor([[0.0, 0, 4, 4], [3, 2, 7.5, 6]], dtype=torch.float64)
    both = roi_align(maps, boxes, 8)
    for i in range(2):
        torch.testing.assert_close(both[i : i + 1], roi_align(maps[i : i + 1], boxes[i : i + 1], 8))


def test_gradients_of_roi_align_are_those_of_finite_differences() -> None:
    maps = torch.randn(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    box = torch.tensor([[0.5, 1.25, 4, 6]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: roi_align(m, box, 6), (maps,))


def test_of_no_area_but_the_box_does_a_gradient_come_back() -> None:
    maps = torch.randn(1, 1, 8, 8, requires_grad=True)
    roi_align(maps, torch.tensor([[2.0, 2, 4, 4]]), 8).sum().backward()
    assert maps.grad is not None
    touched = maps.grad[0, 0] != 0
    assert touched[2:4, 2:4].all()
    assert touched.sum() <= 16  # and the neighbours that bilinear samples at the box's border reach


class TestRefiner:
    size = 32

    def refiner(self, edge_bias: float) -> Refiner:
        """Whose edge logit is that number everywhere, with units as loud as a trained one's."""
        torch.manual_seed(0)
        refiner = Refiner(8).eval()
        for module in refiner.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.data *= 3
        torch.nn.init.zeros_(refiner.edge.weight)
        torch.nn.init.constant_(refiner.edge.bias, edge_bias)  # type: ignore[arg-type]
        return refiner

    def inputs(self) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        size = self.size
        boxes = torch.tensor([[4.0, 6, 20, 24], [0, 0, size, size]])
        return (
            torch.rand(2, 3, size, size),
            torch.zeros(2, 2, size, size),
            torch.randn(2, 1, size, size),
            torch.randn(2, 8, size // 4, size // 4),
            boxes,
        )

    @staticmethod
    def answer(refiner: Refiner, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        patch, discs, logits, features, boxes = inputs
        refined: tuple[Tensor, Tensor] = refiner(
            patch, discs, logits, refiner.narrowed(features), boxes
        )
        return refined

    @torch.no_grad()
    def test_where_no_edge_is_the_coarse_logits_stay(self) -> None:
        refined, edge = self.answer(self.refiner(-50), self.inputs())
        assert refined.shape == edge.shape == (2, 1, self.size, self.size)
        _, _, coarse, _, boxes = self.inputs()
        torch.testing.assert_close(refined, roi_align(coarse, boxes, self.size))
        # The full box changes nothing.
        torch.testing.assert_close(refined[1], coarse[1], atol=1e-6, rtol=0)

    @torch.no_grad()
    def test_at_an_edge_the_detail_counts_and_halfway_half(self) -> None:
        detail, edge = self.answer(self.refiner(50), self.inputs())
        torch.testing.assert_close(edge, torch.full_like(edge, 50))
        half, _ = self.answer(self.refiner(0), self.inputs())
        _, _, coarse, _, boxes = self.inputs()
        torch.testing.assert_close(half, (detail + roi_align(coarse, boxes, self.size)) / 2)
        assert (
            detail - roi_align(coarse, boxes, self.size)
        ).abs().mean() > 0.1  # or the two limits would be one

    @torch.no_grad()
    @pytest.mark.parametrize("training", [False, True])
    def test_what_is_done_sooner_or_together_is_the_formula(self, training: bool) -> None:
        """Cropped before anything else, and a convolution for each answer [docs/method.md §A.4]."""
        refiner, (patch, discs, logits, features, boxes) = self.refiner(0.3), self.inputs()
        torch.nn.init.normal_(refiner.edge.weight)
        refiner.train(training)
        refined, edge = self.answer(copy.deepcopy(refiner), (patch, discs, logits, features, boxes))
        coarse, context = (
            roi_align(logits, boxes, self.size),
            roi_align(features, boxes, self.size // 4, 1 / 4),
        )
        image = refiner.image(torch.cat([patch, discs, torch.sigmoid(coarse)], dim=1))
        fused = refiner.fusion(
            image + F.interpolate(refiner.context(context), scale_factor=2, **BILINEAR)
        )
        detail, expected = (
            F.interpolate(head(fused), scale_factor=2, **BILINEAR)
            for head in (refiner.detail, refiner.edge)
        )
        torch.testing.assert_close(edge, expected, rtol=1e-4, atol=1e-4)
        trust = torch.sigmoid(expected)
        torch.testing.assert_close(
            refined, detail * trust + coarse * (1 - trust), rtol=1e-4, atol=1e-4
        )

    @torch.no_grad()
    @pytest.mark.parametrize("index", [0, 1, 2, 3])
    def test_every_input_matters_to_the_detail(self, index: int) -> None:
        inputs = list(self.inputs())
        before, _ = self.answer(self.refiner(50), inputs)
        inputs[index] = inputs[index] + 1
        after, _ = self.answer(self.refiner(50), inputs)
        assert (after - before).abs().max() > 1e-3

    def test_gradients_reach_image_coarse_logits_and_features(self) -> None:
        patch, discs, coarse, features, boxes = self.inputs()
        for tensor in (patch, coarse, features):
            tensor.requires_grad_()
        refined, _ = self.answer(self.refiner(0), (patch, discs, coarse, features, boxes))
        refined.sum().backward()
        for tensor in (patch, coarse, features):
            assert tensor.grad is not None
            assert tensor.grad.abs().sum() > 0
