"""What all tests share: hypothesis runs the same examples each time, so that a red test stays red."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("vtmr", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("vtmr")
