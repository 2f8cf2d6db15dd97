"""docs/facts-tests.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_shows_a_fact_exists() -> None:
    text = (ROOT / "docs" / "facts-tests.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) == text.count("\n| ") - 1 > 40  # one in each row but the header
    for path, name in named:
        assert re.search(rf"^ *def {name}\(", (ROOT / path).read_text(), flags=re.M), (
            f"{path}::{name}"
        )
