"""The documentation site builds without a dead link, and its made pages say what they should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import site_pages

import vtmr


@pytest.mark.parametrize(
    ("text", "source", "page", "expected"),
    [
        ("[a](docs/cli.md#x)", "README.md", "index.md", "[a](cli.md#x)"),
        ("![a](docs/pictures/demo.jpg)", "README.md", "index.md", "![a](pictures/demo.jpg)"),
        ("[a](docs/cli.md)", "README.md", "sub/a.md", "[a](../cli.md)"),
        ("[a](https://b.c)", "README.md", "index.md", "[a](https://b.c)"),
        ("[a](docs/decisions)", "README.md", "index.md", "[a](decisions/index.md)"),
        ("[a](../README.md)", "docs/cli.md", "cli.md", "[a](index.md)"),
        ("[a](recipes/none.toml)", "README.md", "index.md", "a"),
        ("[a](src/vtmr/assets/models/lite0.md)", "README.md", "index.md", "[a](models/lite0.md)"),
    ],
)
def test_links_lead_to_pages_of_the_site(text: str, source: str, page: str, expected: str) -> None:
    assert site_pages.relinked(text, source, page) == expected


def test_every_command_and_flag_is_in_the_reference() -> None:
    text = site_pages.command_reference()
    for name in ("segment", "evaluate", "evaluate merge", "train", "data check"):
        assert f"\n## vtmr {name}\n" in text
    assert "| `--data NAME=PATH` | required |" in text
    assert "| `--model` | `lite0` |" in text
    assert "| `IMAGE` | required | The photo. |" in text


def test_every_decision_is_listed() -> None:
    lines = site_pages.list_of_decisions().splitlines()
    assert "* [0004: Zoom as two tables, blended into the same few layers](0004-zoom.md)" in lines


def test_every_document_has_its_place_in_the_menu() -> None:
    """In mkdocs.yml; decisions have a list of their own."""
    docs = site_pages.ROOT / "docs"
    menu = (site_pages.ROOT / "mkdocs.yml").read_text()
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert not [page for page in pages if f": {page}\n" not in menu and "decisions/" not in page]


def test_the_api_has_every_public_name() -> None:
    reference = (site_pages.ROOT / "docs" / "reference" / "api.md").read_text()
    names = [name for name in vtmr.__all__ if name != "__version__"]
    assert not [name for name in names if f"\n::: vtmr.{name}\n" not in reference]


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        build, cwd=site_pages.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "reference" / "api" / "index.html").read_text()
    assert "initial_mask" in reference
    assert (tmp_path / "tutorials" / "first-mask" / "index.html").is_file()
