"""Tutorials and pages, word for word: their files are written, changes made, commands run.

A block with a title that isn't a file's name ("once", "in the browser", "hours") is for people.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PAGES = [ROOT / "docs" / "doors" / "batch.md"]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', flags=re.S | re.M)


def commands_of(block: str) -> list[str]:
    """The commands of a console block, each with the lines that continue it."""
    commands = re.split(r"^\$ ", block, flags=re.M)[1:]
    return [command.strip() for command in commands]


def changed(text: str, diff: str) -> str:
    """The text of a file with a diff's hunks, which "@@" lines separate, made in it."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.M):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def run(command: str, folder: Path) -> None:
    """A shell's line in the folder, with this Python's programs and the folder's own vtmr."""
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
    }
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What of the repository the tutorials use, to be changed at will."""
    for name in ("src", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.egg-info"))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", [*TUTORIALS, *PAGES], ids=lambda path: path.stem)
def test_the_tutorial_works_word_for_word(tutorial: Path, clone: Path) -> None:
    ran = 0
    for language, title, block in BLOCK.findall(tutorial.read_text()):
        path = clone / title
        if language == "diff":
            path.write_text(changed(path.read_text(), block))
        elif "." in title:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
        elif language == "console" and not title:
            for command in commands_of(block):
                run(command, clone)
                ran += 1
    assert ran


def test_every_tutorial_is_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    for page in (*TUTORIALS, *PAGES):
        assert f"{page.parent.name}/{page.name}" in site
