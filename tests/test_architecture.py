"""docs/architecture.md speaks of the rooms and files that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def test_the_table_of_rooms_has_the_layers_of_the_linter() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = settings["tool"]["importlinter"]["contracts"][0]
    layers = [name for layer in contract["layers"] for name in re.findall(r"\w+", layer)]
    table = TEXT[TEXT.index("## Rooms") : TEXT.index("Only `models`")]
    rows = re.findall(r"^\| (`.*?) \|", table, flags=re.M)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(layers)
    highest = [row.split("`")[1] for row in rows]
    assert [name for name in layers if name in highest] == highest


def test_files_that_are_named_exist() -> None:
    prose = TEXT[: TEXT.index("## The file tree")]
    named = set(re.findall(r"`([\w/]+\.(?:py|js|ts))`", prose))
    assert len(named) > 30
    for name in named:
        assert (ROOT / "src" / "vtmr" / name).is_file() or (ROOT / name).is_file(), name
