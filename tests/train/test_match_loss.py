"""The matching loss against equation 1 written out with floats, and the gradients that it may have
[vtmr2024]."""

from __future__ import annotations

import math

import pytest
import torch

from vtmr.train.losses import matching_loss


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def by_hand(logits: list[float], reference: list[float], two_sided: bool, by_count: bool) -> float:
    """Equation 1 of one sample."""
    terms = []
    for p, q in zip(map(sigmoid, logits), map(sigmoid, reference), strict=True):
        if q > 0.9 or (two_sided and q < 0.1):
            terms.append(-(q * math.log(p) + (1 - q) * math.log(1 - p)))
    count = len(terms) if by_count else len(logits)
    return sum(terms) / count if terms else 0.0


LOGITS = [-3.0, -1.0, 0.5, 2.0, -4.0, 6.0]
REFERENCE = [3.0, 2.0, 2.3, -2.5, -0.5, -5.0]  # probabilities .953, .881, .909, .076, .378, .007


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("by_count", [False, True])
def test_the_value_is_that_of_equation_1_for_each_sample(two_sided: bool, by_count: bool) -> None:
    batch = [(LOGITS, REFERENCE), (REFERENCE, LOGITS)]
    logits, reference = (
        torch.tensor([pair[i] for pair in batch]).reshape(2, 1, 2, 3) for i in (0, 1)
    )
    expected = [by_hand(*pair, two_sided, by_count) for pair in batch]
    found = matching_loss(logits, reference, two_sided=two_sided, by_count=by_count)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_gradients_flow_through_the_first_argument_alone_and_only_where_the_reference_is_sure() -> (
    None
):
    """d/dx of the cross-entropy is (sigmoid(x) - q) / n."""
    logits = torch.tensor(LOGITS).reshape(1, 1, 2, 3).requires_grad_()
    reference = torch.tensor(REFERENCE).reshape(1, 1, 2, 3).requires_grad_()
    matching_loss(logits, reference).sum().backward()  # type: ignore[no-untyped-call]
    assert reference.grad is None
    expected = [
        (sigmoid(x) - sigmoid(r)) / 6 if sigmoid(r) > 0.9 else 0.0
        for x, r in zip(LOGITS, REFERENCE, strict=True)
    ]
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("by_count", [False, True])
def test_it_is_zero_where_no_pixel_is_sure(by_count: bool) -> None:
    logits = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    # sigmoid(2.19) = .8993.
    loss = matching_loss(logits, torch.full((1, 1, 4, 4), 2.19), by_count=by_count)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_the_least_value_is_the_entropy_of_the_reference() -> None:
    reference = torch.full((1, 1, 2, 2), 3.0)
    p = sigmoid(3.0)
    assert matching_loss(reference, reference).item() == pytest.approx(
        -p * math.log(p) - (1 - p) * math.log(1 - p)
    )
    for other in (2.5, 3.5):
        assert matching_loss(torch.full((1, 1, 2, 2), other), reference) > matching_loss(
            reference, reference
        )


def test_sure_and_opposite_logits_stay_finite() -> None:
    loss = matching_loss(torch.full((1, 1, 2, 2), -200.0), torch.full((1, 1, 2, 2), 200.0))
    assert loss.item() == pytest.approx(200)
