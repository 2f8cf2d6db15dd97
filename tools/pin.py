"""Renews requirements.txt and requirements-serve.txt: the runtime's packages, and those of `vtmr
serve`, at the versions of constraints.txt, with hashes.

    python tools/pin.py

Needs `uv` (`pip install uv`), which asks the package index for the hashes of every file of a
release, so that the pins hold on other systems too. `make locked` and docs/cli.md install from the
first, the Dockerfile from the second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = {"requirements.txt": (), "requirements-serve.txt": ("serve",)}  # the extras of each
# What builds vtmr itself: without it, pip would fetch it anew and unchecked.
BUILDS_WITH = "setuptools>=77"
HEAD = """\
# {what}, exact versions with the hashes of their files; made by tools/pin.py.
#   pip install --require-hashes -r {name}
#   pip install --no-deps --no-build-isolation .
"""


def pinned(extras: Sequence[str]) -> str:
    """The requirements with hashes, for all systems."""
    with tempfile.TemporaryDirectory() as folder:
        builds_with = Path(folder, "build.in")
        builds_with.write_text(BUILDS_WITH + "\n")
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--python-version", "3.11"]
        command += [f"--extra={extra}" for extra in extras]
        command += ["--constraint", "constraints.txt", "pyproject.toml", str(builds_with)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"uv could not resolve the runtime: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Writes the files."""
    for name, extras in FILES.items():
        what = " with ".join(["vtmr's runtime", *extras])
        (ROOT / name).write_text(HEAD.format(what=what, name=name) + pinned(extras))
        print(f"{name}: {(ROOT / name).read_text().count('==')} packages")


if __name__ == "__main__":
    sys.exit(main())
