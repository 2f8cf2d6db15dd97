"""The Dockerfile as its instructions, and its steps done in a folder: there is no Docker where the
tests run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Instruction:
    """word: RUN, COPY …; text: what follows, on one line."""

    word: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of the exec form a JSON array's, else the shell's."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)


def instructions(text: str) -> list[Instruction]:
    """Comments gone, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages(steps: list[Instruction]) -> list[list[Instruction]]:
    """What follows each FROM, with it."""
    found: list[list[Instruction]] = []
    for step in steps:
        if step.word == "FROM":
            found.append([])
        found[-1].append(step)
    return found


def copy(step: Instruction, folder: Path) -> None:
    """A COPY from the build's context, without what .dockerignore leaves out."""
    *sources, target = step.words
    for source in sources:
        assert is_sent(source), f"{source} isn't sent to the build: see .dockerignore"
        place = ROOT / source
        if place.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")
            shutil.copytree(place, folder / target, ignore=ignored)
        else:
            shutil.copy(place, folder / target)


def is_sent(name: str) -> bool:
    """Whether .dockerignore, which leaves out all that it doesn't name, lets it through."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return "*" in lines and f"!{name}" in lines
