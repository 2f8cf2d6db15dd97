"""Every citation of docs/method.md and docs/zoo.md leads to a part of them, and
docs/facts-tests.md names tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
METHOD, ZOO = ROOT / "docs" / "method.md", ROOT / "docs" / "zoo.md"
FOLDERS = ("src", "tests", "docs", "recipes", "tools", "examples")
SUFFIXES = (".py", ".md", ".toml", ".js", ".ts", ".html")
# "§B", "§B.4", "§Z.3.1", "§C.4-5" and "§C.4-C.5": a part, or the first and the last of several.
CITATION = re.compile(
    r"§(?P<letter>[A-Z0])(?:\.(?P<first>\d+)(?:\.(?P<inner>\d+)|[-–](?:[A-Z]\.)?(?P<last>\d+))?)?"
)


def parts(document: Path) -> list[str]:
    """The letters and numbers of all headings."""
    return re.findall(r"^##+ ([A-Z0](?:\.\d+)*) ", document.read_text(), flags=re.M)


def cited(text: str) -> list[str]:
    """The parts that a text cites; those in between are meant by a range."""
    found = []
    for match in CITATION.finditer(text):
        letter, first, inner, last = match.group("letter", "first", "inner", "last")
        if first is None:
            found.append(letter)
        elif inner is not None:
            found.append(f"{letter}.{first}.{inner}")
        else:
            numbers = range(int(first), int(last or first) + 1)
            found += [f"{letter}.{number}" for number in numbers]
    return found


def files() -> list[Path]:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return [ROOT / "README.md", *(path for path in sorted(paths) if path.suffix in SUFFIXES)]


def test_the_parts_of_the_method_are_numbered_without_gaps() -> None:
    headings = parts(METHOD)
    assert max(Counter(headings).values()) == 1
    assert max(Counter(parts(ZOO)).values()) == 1
    letters = [heading for heading in headings if "." not in heading]
    assert letters == ["0", *"ABCDEFGHIJKL"]
    for letter in letters:
        numbers = [int(name.split(".")[1]) for name in headings if name.startswith(f"{letter}.")]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("§B, §L.1-2", ["B", "L.1", "L.2"]),
        ("§Z.3.1, §Z.2–Z.4", ["Z.3.1", "Z.2", "Z.3", "Z.4"]),
        ("§C.4–C.6 and §I.16", ["C.4", "C.5", "C.6", "I.16"]),
        ("facts", []),
    ],
)
def test_what_a_text_cites(text: str, expected: list[str]) -> None:
    assert cited(text) == expected


def test_every_citation_leads_to_a_part_of_the_method() -> None:
    known, count = {*parts(METHOD), *parts(ZOO), "Z"}, 0
    for path in files():
        text = path.read_text()
        names = cited(text)
        count += len(names)
        assert not set(names) - known, path
        if path != Path(__file__):
            assert len(re.findall(r"§(?!…)", text)) == len(CITATION.findall(text)), path
            assert not re.search(r"(?<![\w-])facts(\.md| §)|(?<!docs/)zoo\.md §", text), path
    assert count > 200


def test_every_test_that_shows_a_fact_exists() -> None:
    text = (ROOT / "docs" / "facts-tests.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) == text.count("\n| ") - 1 > 40  # one in each row but the header
    for path, name in named:
        assert re.search(rf"^ *def {name}\(", (ROOT / path).read_text(), flags=re.M), (
            f"{path}::{name}"
        )
