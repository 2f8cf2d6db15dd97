"""How dense the code is to read, as figures that can be compared from one state to the next.

    python tools/density.py [FOLDER] [--by-room]

Counts are per 1,000 statements, docstrings not counted as statements. A nested comprehension is one
inside another. A comment is one of its own line or behind code, not a directive to a tool. Public
docstrings: the share of public modules, classes, functions and methods that have one. The longest
functions are told by the 95th percentile of their lines, docstring included.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "vtmr"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DIRECTIVE = re.compile(r"#\s*(noqa|type:|fmt:|pragma|pylint)")
WIDEST = 100
PER = 1000


@dataclass
class Density:
    """Counts over some files."""

    statements: int = 0
    comprehensions: int = 0
    nested: int = 0
    ternaries: int = 0
    comments: int = 0
    wide_lines: int = 0
    public: int = 0
    documented: int = 0
    lengths: list[int] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Counts one file."""
        tree = ast.parse(text)
        docstrings = 0
        for node in ast.walk(tree):
            self.statements += isinstance(node, ast.stmt)
            self.comprehensions += isinstance(node, COMPREHENSIONS)
            self.ternaries += isinstance(node, ast.IfExp)
            if isinstance(node, COMPREHENSIONS) and holds_another(node):
                self.nested += 1
            if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
                docstrings += ast.get_docstring(node) is not None
            if isinstance(node, FUNCTIONS):
                self.lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
        self.statements -= docstrings
        for node in public(tree):
            self.public += 1
            self.documented += ast.get_docstring(node) is not None
        self.comments += comments_in(text)
        self.wide_lines += sum(len(line) > WIDEST for line in text.splitlines())

    def row(self) -> list[str]:
        """The figures as text, in the order of HEAD."""
        per = PER / max(1, self.statements)
        lengths = sorted(self.lengths)
        p95 = lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0
        return [
            str(self.statements),
            f"{self.comprehensions * per:.0f}",
            str(self.nested),
            f"{self.ternaries * per:.0f}",
            f"{self.comments * per:.0f}",
            str(self.wide_lines),
            f"{self.documented / max(1, self.public):.1%}",
            str(p95),
        ]


HEAD = [
    "statements",
    "comprehensions",
    "nested",
    "ternaries",
    "comments",
    "wide lines",
    "public docstrings",
    "functions' p95",
]


def holds_another(node: ast.AST) -> bool:
    """Whether a comprehension holds another one."""
    inner = (child for child in ast.walk(node) if child is not node)
    return any(isinstance(child, COMPREHENSIONS) for child in inner)


def public(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef]:
    """The module, its public classes and functions, and their public methods."""
    yield tree
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, *FUNCTIONS)) and not node.name.startswith("_"):
            yield node  # type: ignore[misc]
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(inner, FUNCTIONS) and not inner.name.startswith("_"):
                    yield inner  # type: ignore[misc]


def comments_in(text: str) -> int:
    """How many comments there are, directives to tools left out."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return sum(not DIRECTIVE.match(comment) for comment in comments)


def rooms(folder: Path) -> dict[str, list[Path]]:
    """The files by the folder or module below `folder` that they belong to."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.py")):
        found.setdefault(path.relative_to(folder).parts[0], []).append(path)
    return found


def measured(paths: list[Path]) -> Density:
    """The density of those files together."""
    density = Density()
    for path in paths:
        density.add(path.read_text("utf-8"))
    return density


def main() -> None:
    """Prints the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SOURCE)
    parser.add_argument("--by-room", action="store_true", help="a row for each room, too")
    given = parser.parse_args()
    print(f"| | {' | '.join(HEAD)} |\n|---|{'---|' * len(HEAD)}")
    if given.by_room:
        for name, paths in rooms(given.folder).items():
            print(f"| {name} | {' | '.join(measured(paths).row())} |")
    print(f"| all | {' | '.join(measured(sorted(given.folder.rglob('*.py'))).row())} |")


if __name__ == "__main__":
    main()
