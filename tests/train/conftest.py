"""What the tests of training share: one thread, and lite0 on a grid of 64 cells instead of 256."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from vtmr.models import lite0


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """The networks are too small to share, and a machine that trains meanwhile would stall two
    threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """The input size of the networks that the test builds."""
    monkeypatch.setattr(lite0, "SPEC", replace(lite0.SPEC, input_size=64))
    return 64
