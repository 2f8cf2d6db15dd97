"""docs/formats.md has every format, each way that it goes, and what it can't hold."""

from __future__ import annotations

from pathlib import Path

from vtmr.cli.annotation_commands import WRITTEN
from vtmr.formats import FORMATS, READERS, WRITERS

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"


def rows() -> dict[str, list[str]]:
    """The first table's cells by the format's name."""
    lines = PAGE.read_text().splitlines()
    start = lines.index("|---|---|---|---|") + 1
    found = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name.strip("`")] = cells
    return found


def test_the_table_is_the_registry() -> None:
    table = rows()
    assert list(table) == list(FORMATS)
    for name, (out, into, loses) in table.items():
        form = FORMATS[name]
        assert loses == form.loses
        assert bool(out) == (name in WRITERS)
        assert into.startswith("as `") == (name not in READERS)


def test_the_commands_help_names_every_format() -> None:
    named = set(WRITTEN.rstrip(".").replace(" or ", ", ").split(", "))
    assert named == {name for name in WRITERS if not name.endswith("-polygons")}
