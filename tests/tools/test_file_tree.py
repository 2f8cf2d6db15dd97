"""The file tree in docs/architecture.md is what the files say of themselves."""

from __future__ import annotations

from pathlib import Path

import file_tree
import pytest


def test_the_tree_in_the_document_is_the_present_one() -> None:
    """Otherwise: `python tools/file_tree.py`."""
    document = file_tree.DOCUMENT.read_text()
    assert file_tree.with_tree(document) == document
    assert "segmenter/" in document


def test_every_module_says_what_it_is_for() -> None:
    modules = sorted((file_tree.ROOT / "src" / "vtmr").rglob("*.py"))
    assert not [path for path in modules if not file_tree.purpose(path)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", '"""One thing. And more."""\n', "One thing."),
        (
            "a.py",
            '"""One thing [docs/method.md §B.4]: of\ntwo lines."""\n',
            "One thing: of two lines.",
        ),
        ("a.py", "x = 1\n", ""),
        (
            "a.js",
            "// Keys become\n// commands. More.\n\n// else\nlet a;\n",
            "Keys become commands.",
        ),
    ],
)
def test_the_first_sentence(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    assert file_tree.purpose(tmp_path / name) == expected


def test_long_purposes_hang_under_their_beginning() -> None:
    first, *rest = file_tree.entry("name.py", "word " * 40, 1)
    assert first.startswith("  name.py")
    assert rest
    assert all(line.startswith(" " * file_tree.NAME_WIDTH) for line in rest)
