"""tools/wrap_markdown.py changes where lines end, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from wrap_markdown import wrapped

ROOT = Path(__file__).parents[2]
WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen " * 3


def test_paragraphs_and_items_keep_their_words() -> None:
    text = f"{WORDS.strip()}\n\n* {WORDS.strip()}\n* short\n\n1. {WORDS.strip()}\n"
    result = wrapped(text)
    assert result.split() == text.split()
    assert max(map(len, result.splitlines())) <= 100
    items = [line for line in result.splitlines() if line.startswith("  ")]
    assert len(items) == 4  # those that continue an item hang under its words


@pytest.mark.parametrize(
    "kept",
    [
        f"| {WORDS}|",
        f"## {WORDS.strip()}",
        f"```console\n$ {WORDS.strip()}\n```",
        f"![{WORDS.strip()}](a.png)",
    ],
)
def test_what_a_break_would_change_stays(kept: str) -> None:
    assert wrapped(f"before\n\n{kept}\n\nafter\n") == f"before\n\n{kept}\n\nafter\n"


def test_no_line_begins_with_what_would_make_a_list_of_it() -> None:
    text = "a" * 97 + " + b" + " c" * 60 + " 12. d"
    assert not any(line.lstrip().startswith("+") for line in wrapped(text).splitlines())


def test_code_is_not_torn() -> None:
    text = "a" * 80 + " `vtmr segment photo.jpg --click 1,2` b"
    assert "`vtmr segment photo.jpg --click 1,2`" in wrapped(text).splitlines()[1]


def test_wrapping_twice_is_wrapping_once() -> None:
    for document in sorted((ROOT / "docs").rglob("*.md")):
        once = wrapped(document.read_text())
        assert wrapped(once) == once, document
