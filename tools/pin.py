"""Renews requirements.txt: the runtime's packages at the versions of constraints.txt, with hashes.

    python tools/pin.py

Needs `uv` (`pip install uv`), which asks the package index for the hashes of every file of a
release, so that the pins hold on other systems too. `make locked` and docs/cli.md install from it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "requirements.txt"
# What builds vtmr itself: without it, pip would fetch it anew and unchecked.
BUILDS_WITH = "setuptools>=77"
HEAD = """\
# vtmr's runtime, exact versions with the hashes of their files; made by tools/pin.py.
#   pip install --require-hashes -r requirements.txt
#   pip install --no-deps --no-build-isolation .
"""


def pinned() -> str:
    """The requirements with hashes, for all systems."""
    with tempfile.TemporaryDirectory() as folder:
        builds_with = Path(folder, "build.in")
        builds_with.write_text(BUILDS_WITH + "\n")
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--python-version", "3.11"]
        command += ["--constraint", "constraints.txt", "pyproject.toml", str(builds_with)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"uv could not resolve the runtime: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Writes the file."""
    OUT.write_text(HEAD + pinned())
    print(f"{OUT.name}: {OUT.read_text().count('==')} packages")


if __name__ == "__main__":
    sys.exit(main())
