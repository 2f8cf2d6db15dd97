"""Waiting for what has to come, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120.0


def wait_until(true: Callable[[], bool]) -> None:
    """Until it is true; fails when it isn't within two minutes."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "It never came."
        time.sleep(0.01)
