"""What all tests share: hypothesis runs the same examples each time, so a red test stays red;
Ctrl-C can be sent; nothing is kept in the home of whoever runs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # inherited: shells start so what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("vtmr", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("vtmr")


@pytest.fixture(autouse=True, scope="session")
def state_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where commands keep what they want to find again: for this run alone."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
