"""What all tests of the benchmark share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking it for the commit is most of what a small run takes."""
    monkeypatch.setattr("vtmr.provenance.commit", lambda: "")
