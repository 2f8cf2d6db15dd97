"""What comes with the runtime: every package pinned with hashes, and under a licence that we know.

`pip install .` brings no more than this; the extras are for whoever asks for them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements.txt"
BUILDS_WITH = "setuptools"

# SPDX identifiers that vtmr, under Apache-2.0, may be handed on together with.
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-CMU"),
    *("PSF-2.0", "Zlib"),
}
# What packages say that don't use SPDX's words.
OTHER_WORDS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "FreeBSD": "BSD-2-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
}


def runtime() -> dict[str, metadata.Distribution]:
    """vtmr's packages without extras, on this system, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = ["vtmr"]
    while waiting:
        distribution = metadata.distribution(waiting.pop())
        for line in distribution.requires or []:
            needed = Requirement(line)
            name = canonicalize_name(needed.name)
            if name in found or (needed.marker and not needed.marker.evaluate({"extra": ""})):
                continue
            found[name] = metadata.distribution(name)
            waiting.append(name)
    return found


RUNTIME = runtime()


def licence_of(distribution: metadata.Distribution) -> str:
    """As an SPDX expression where that can be told, else in the package's own words."""
    told: Any = distribution.metadata  # of email.message, though its type says less
    expression = told.get("License-Expression")
    if expression:
        return expression
    classifiers = [c for c in told.get_all("Classifier") or [] if c.startswith("License ::")]
    words = classifiers[0].rpartition(" :: ")[2] if classifiers else (told.get("License") or "")
    return OTHER_WORDS.get(words.strip(), words.strip())


def is_allowed(expression: str) -> bool:
    """Whether all that an expression asks for is; of alternatives one is enough."""
    parts = [part.strip(" ()") for part in expression.split(" AND ")]
    choices = [part.split(" OR ") for part in parts]
    return all(any(choice.strip(" ()") in ALLOWED for choice in part) for part in choices)


def test_the_runtime_is_small_and_known() -> None:
    assert {"numpy", "onnxruntime", "pillow", "starlette"} <= RUNTIME.keys()
    assert len(RUNTIME) < 40


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_every_package_of_the_runtime_has_a_licence_that_we_allow(name: str) -> None:
    """One that isn't in the list is to be read before it is added there."""
    licence = licence_of(RUNTIME[name])
    assert is_allowed(licence), f"{name} is under {licence!r}"


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("BSD-3-Clause AND Zlib", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("BSD-3-Clause AND (MIT OR LGPL-2.1-only)", True),
        ("AGPL-3.0-or-later", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_what_is_allowed(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def pins() -> dict[str, tuple[str, int]]:
    """Name -> version and number of hashes, as requirements.txt has them."""
    text = PINS.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = {}
    for line in lines:
        name, version = re.match(r"([\w.-]+)==([\w.]+)", line).groups()  # type: ignore[union-attr]
        found[canonicalize_name(name)] = (version, len(re.findall(r"sha256:[0-9a-f]{64}\b", line)))
    return found


def test_every_package_of_the_runtime_is_pinned_with_hashes() -> None:
    """Renewed by tools/pin.py when pyproject.toml or constraints.txt changes."""
    pinned = pins()
    assert RUNTIME.keys() <= pinned.keys()
    assert all(count >= 1 for _, count in pinned.values())
    elsewhere = {"colorama"}  # on Windows alone
    assert pinned.keys() - RUNTIME.keys() <= {BUILDS_WITH, *elsewhere}


def test_pins_and_constraints_name_the_same_versions() -> None:
    wanted = dict(
        line.strip().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    constraints = {canonicalize_name(name): version for name, version in wanted.items()}
    differing = {
        name: (version, constraints[name])
        for name, (version, _) in pins().items()
        if name in constraints and constraints[name] != version
    }
    assert not differing


@pytest.mark.proof
def test_the_locked_runtime_installs_into_an_empty_environment(tmp_path: Path) -> None:
    """Every file checked against its hash, then vtmr itself, which must run. Needs the network."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "--require-hashes", "-r", PINS], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", ROOT], check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {canonicalize_name(line.partition("==")[0]) for line in installed.stdout.splitlines()}
    assert RUNTIME.keys() <= names
    assert names - RUNTIME.keys() <= {"vtmr", "pip", BUILDS_WITH}
    models = subprocess.run(
        [venv / "bin" / "vtmr", "models"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "lite0" in models.stdout


@pytest.mark.proof
def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """The last digit of every hash of one package changed."""
    entry = re.search(r"^idna==.*?(?=^\S|\Z)", PINS.read_text(), flags=re.S | re.M)
    assert entry is not None
    wrong = re.sub(
        r"sha256:(.)", lambda digit: f"sha256:{'1' if digit[1] == '0' else '0'}", entry[0]
    )
    (tmp_path / "wrong.txt").write_text(wrong)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "-r", tmp_path / "wrong.txt", "-d", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
