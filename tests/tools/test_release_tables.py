"""The README's table of figures is what the release's own records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import release_tables

ROOT = Path(__file__).parents[2]


def released() -> dict[str, Any]:
    """The entry of docs/releases.json for the bundled file."""
    manifest = json.loads((ROOT / "src/vtmr/assets/models/manifest.json").read_text())
    sha256 = manifest["lite0"]["sha256"][:12]
    releases = json.loads((ROOT / "docs" / "releases.json").read_text())
    (entry,) = (release for release in releases if release["sha256"] == sha256)
    return dict(entry)


def test_the_readme_shows_the_release() -> None:
    entry = released()
    baselines = json.loads((ROOT / "docs" / "baselines.json").read_text())
    classical = baselines["grabcut-opencv"]["grabcut"]
    hours = entry["cpu_seconds"] / 3600
    table = release_tables.beside_published(entry["figures"]["grabcut"], hours, classical)
    assert table in (ROOT / "README.md").read_text()


def test_the_results_show_the_release() -> None:
    table = release_tables.table(released()["figures"])
    assert set(table.splitlines()) <= set((ROOT / "docs" / "results.md").read_text().splitlines())


def test_published_figures_are_those_of_the_method() -> None:
    """docs/method.md §J has them as the papers printed them."""
    method = (ROOT / "docs" / "method.md").read_text()
    for name, (_, noc85, noc90) in release_tables.PUBLISHED.items():
        kind, network = name.split(", SegFormer-")
        label = f"{network}-S2" if kind == "FocalClick" else f"VTMR-{network}"
        assert f"| {label} | {noc85}/{noc90} |" in method


def test_a_document_without_marks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("nothing\n")
    with pytest.raises(SystemExit, match="lacks the marks"):
        release_tables.replace_between(path, "table")
    path.write_text(f"a\n{release_tables.BEGIN}\nold\n\n{release_tables.END}b\n")
    release_tables.replace_between(path, "new")
    expected = f"a\n{release_tables.BEGIN}\nnew\n\n{release_tables.END}b\n"
    assert path.read_text() == expected
