"""The normalised focal loss: docs/method.md §C.7, whose golden number comes from the reference
implementation."""

from __future__ import annotations

import doctest
import math

import pytest
import torch
from torch.nn import functional as F

from vtmr.train import losses
from vtmr.train.losses import TINY, boundary_focal_loss, boundary_weights, normalised_focal_loss

LOGITS = torch.linspace(-3, 3, 16, dtype=torch.float64).reshape(1, 1, 4, 4)
LABELS = (torch.arange(16) % 3 == 0).double().reshape(1, 1, 4, 4)


def by_hand(logits: list[float], labels: list[float], alpha: float, gamma: float) -> float:
    """The definition pixel by pixel, in plain Python."""
    kept = [(x, y) for x, y in zip(logits, labels, strict=True) if y != -1]
    right = [1 - abs(y - 1 / (1 + math.exp(-x))) for x, y in kept]
    weights = [(1 - p) ** gamma for p in right]
    scale = len(kept) / sum(weights)
    balance = [alpha if y > 0.5 else 1 - alpha for _, y in kept]
    return sum(
        -a * scale * w * math.log(p) for a, w, p in zip(balance, weights, right, strict=True)
    ) / len(kept)


def test_the_golden_number() -> None:
    assert normalised_focal_loss(LOGITS, LABELS).item() == pytest.approx(0.967398, abs=5e-7)


def test_the_docstrings_examples_run() -> None:
    results = doctest.testmod(losses)
    assert (results.failed, results.attempted) == (0, 5)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.5, 2.0), (0.25, 2.0), (0.5, 1.0), (0.7, 0.0)])
def test_it_is_its_definition_with_ignored_pixels(alpha: float, gamma: float) -> None:
    labels = LABELS.clone()
    labels[0, 0, 1] = -1
    expected = by_hand(LOGITS.flatten().tolist(), labels.flatten().tolist(), alpha, gamma)
    assert normalised_focal_loss(LOGITS, labels, alpha, gamma).item() == pytest.approx(
        expected, rel=1e-7
    )


def test_without_focus_it_is_half_the_cross_entropy() -> None:
    expected = 0.5 * F.binary_cross_entropy_with_logits(LOGITS, LABELS)
    torch.testing.assert_close(normalised_focal_loss(LOGITS, LABELS, gamma=0)[0], expected)


def test_ignored_pixels_have_no_say() -> None:
    labels = LABELS.clone()
    labels[..., 2:] = -1
    other = LOGITS.clone()
    other[..., 2:] = 77
    cut = normalised_focal_loss(LOGITS[..., :2], LABELS[..., :2])
    torch.testing.assert_close(normalised_focal_loss(LOGITS, labels), cut)
    torch.testing.assert_close(normalised_focal_loss(other, labels), cut)
    logits = LOGITS.clone().requires_grad_()
    normalised_focal_loss(logits, labels).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[..., 2:] == 0).all()
    assert (logits.grad[..., :2] != 0).all()


def test_each_sample_is_normalised_by_itself() -> None:
    easy = LOGITS.abs() * (2 * LABELS - 1) * 2
    both = normalised_focal_loss(torch.cat([LOGITS, easy]), torch.cat([LABELS, LABELS]))
    assert both.shape == (2,)
    torch.testing.assert_close(both[:1], normalised_focal_loss(LOGITS, LABELS))
    torch.testing.assert_close(both[1:], normalised_focal_loss(easy, LABELS))


def test_the_edge_band_counts_twice_over_the_whole_batch() -> None:
    """Each pixel's loss is n times its share of the sample's mean; weights 1 in the band, .5
    elsewhere [§C.7]."""
    logits = torch.cat([LOGITS, -LOGITS / 2])
    labels = torch.cat([LABELS, LABELS])
    edge = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    edge[0, :, 1] = True
    total = weights = 0.0
    for sample in range(2):
        pairs = list(
            zip(logits[sample].flatten().tolist(), labels[sample].flatten().tolist(), strict=True)
        )
        right = [1 - abs(y - 1 / (1 + math.exp(-x))) for x, y in pairs]
        scale = 16 / sum((1 - p) ** 2 for p in right)
        for p, on in zip(right, edge[sample].flatten().tolist(), strict=True):
            weight = 1.0 if on else 0.5
            total += weight * -0.5 * scale * (1 - p) ** 2 * math.log(p)
            weights += weight
    assert boundary_focal_loss(logits, labels, edge).item() == pytest.approx(
        total / weights, rel=1e-9
    )


def test_losses_of_parts_add_up_to_that_of_the_batch() -> None:
    """When each is divided by the whole batch's weight."""
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 4, 4, generator=rng, dtype=torch.float64)
    labels, edge = (torch.rand(3, 1, 4, 4, generator=rng) < 0.4 for _ in range(2))
    whole = boundary_focal_loss(logits, labels.double(), edge)
    total = boundary_weights(edge).sum()
    parts = [
        boundary_focal_loss(logits[i], labels[i].double(), edge[i], total)
        for i in (slice(0, 1), slice(1, 3))
    ]
    assert sum(part.item() for part in parts) == pytest.approx(whole.item(), rel=1e-9)


def test_a_band_everywhere_or_nowhere_is_the_plain_loss() -> None:
    edge = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    for band in (edge, ~edge):
        assert boundary_focal_loss(LOGITS, LABELS, band).item() == pytest.approx(0.967398, abs=5e-7)


def test_the_normaliser_is_detached() -> None:
    """The gradient is the finite difference with the normaliser frozen, and not that of the whole
    expression."""

    def frozen(logits: torch.Tensor, scale: float) -> float:
        right = 1 - (LABELS - torch.sigmoid(logits)).abs()
        return float((-0.5 * scale * (1 - right) ** 2 * right.log()).mean())

    logits = LOGITS.clone().requires_grad_()
    normalised_focal_loss(logits, LABELS).sum().backward()
    assert logits.grad is not None
    scale = 16 / float(((LABELS - torch.sigmoid(LOGITS)) ** 2).sum())
    whole_differs = False
    for i in range(16):
        step = torch.zeros(16, dtype=torch.float64)
        step[i] = 1e-5
        up, down = LOGITS + step.reshape(LOGITS.shape), LOGITS - step.reshape(LOGITS.shape)
        found = float(logits.grad.flatten()[i])
        assert found == pytest.approx(
            (frozen(up, scale) - frozen(down, scale)) / 2e-5, rel=1e-5, abs=1e-10
        )
        whole = float(
            (normalised_focal_loss(up, LABELS) - normalised_focal_loss(down, LABELS)) / 2e-5
        )
        whole_differs |= abs(whole - found) > 0.01
    assert whole_differs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_are_finite(dtype: torch.dtype) -> None:
    """Everything ignored, everything right, everything wrong."""
    for logit, label in ((0.0, -1.0), (200.0, 1.0), (-200.0, 1.0), (200.0, 0.0)):
        logits = torch.full((1, 1, 2, 2), logit, dtype=dtype, requires_grad=True)
        loss = normalised_focal_loss(logits, torch.full_like(logits, label))
        loss.sum().backward()
        assert logits.grad is not None
        assert torch.isfinite(loss).all()
        assert torch.isfinite(logits.grad).all()
    wrong = normalised_focal_loss(torch.full((1, 1, 1, 1), -200.0), torch.ones(1, 1, 1, 1))
    assert wrong.item() == pytest.approx(-0.5 * math.log(TINY), rel=1e-3)
