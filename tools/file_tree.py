"""Writes the annotated file tree into docs/architecture.md, from the first sentence of each module.

    python tools/file_tree.py

A file's own docstring is the only place where its purpose is written, so the tree can't say
anything else. tests/tools/test_file_tree.py fails when it is out of date.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "architecture.md"
PAGE = "src/vtmr/app/static/js"
FOLDERS = (
    "src/vtmr",
    PAGE,
    *(f"{PAGE}/{name}" for name in ("editing", "gestures", "paint", "panels")),
    "tools",
    "examples",
)
BEGIN, END = "<!-- file tree: tools/file_tree.py writes it -->\n", "<!-- end of the file tree -->"
NAME_WIDTH, WIDTH = 30, 100


def main() -> None:
    DOCUMENT.write_text(with_tree(DOCUMENT.read_text()))


def with_tree(document: str) -> str:
    """The document with the present tree between its two marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{DOCUMENT} lacks the marks that the file tree stands between.")
    return f"{before}{BEGIN}\n```text\n{tree()}\n```\n\n{END}{after}"


def tree() -> str:
    """Every folder and module with what it is for, as indented text."""
    lines: list[str] = []
    for name in FOLDERS:
        folder = ROOT / name
        if folder.is_dir():
            lines += entry(f"{name}/", purpose(folder / "__init__.py"), 0)
            lines += contents(folder, 1)
    return "\n".join(lines)


def contents(folder: Path, depth: int) -> list[str]:
    """The lines of a folder: its modules by name, then its folders of modules."""
    lines: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix in (".py", ".js", ".ts") and path.name != "__init__.py":
            lines += entry(path.name, purpose(path), depth)
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "__init__.py").is_file():
            lines += entry(f"{path.name}/", purpose(path / "__init__.py"), depth)
            lines += contents(path, depth + 1)
    return lines


def entry(name: str, text: str, depth: int) -> list[str]:
    """A name and its purpose on as many lines as that takes."""
    head = f"{'  ' * depth}{name}"
    if not text:
        return [head]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head.ljust(NAME_WIDTH - 1) + " ",
        subsequent_indent=" " * NAME_WIDTH,
        break_on_hyphens=False,
    )


def purpose(path: Path) -> str:
    """The first sentence of what a file says of itself, without its citations; empty without a
    file."""
    if not path.is_file():
        return ""
    text = path.read_text()
    if path.suffix == ".py":
        paragraph = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    else:
        comment = itertools.takewhile(lambda line: line[:3] in ("//", "// "), text.splitlines())
        paragraph = "\n".join(line.removeprefix("//").strip() for line in comment).split("\n\n")[0]
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z`])", " ".join(paragraph.split()))[0]
    return re.sub(r" \[[^]]*method\.md[^]]*\]| \[[a-z]+\d{4}[^]]*\]", "", sentence)


if __name__ == "__main__":
    main()
