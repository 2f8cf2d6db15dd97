"""What a figure was made with: the commit, the versions and the processor, for runs and records."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import vtmr

LIBRARIES = ("numpy", "opencv-python-headless", "onnxruntime")  # a mask may differ by


def commit() -> str:
    """The commit of the source tree that this package runs from, ending in -dirty when files differ
    from it.

    Of an installed copy, the commit that pip took from a repository. Empty where neither is known.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # a repository further up belongs to something else
        return _installed_commit()
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _installed_commit() -> str:
    """What pip wrote down of an installation from a repository (PEP 610)."""
    try:
        origin = json.loads(metadata.distribution("vtmr").read_text("direct_url.json") or "{}")
        return str(origin.get("vcs_info", {}).get("commit_id", ""))
    except (metadata.PackageNotFoundError, ValueError):
        return ""


def versions() -> dict[str, str]:
    """The versions that decide a mask's last bit: vtmr's and its numeric libraries'; "" for one
    that is absent."""
    return {"vtmr": vtmr.__version__} | {name: _version(name) for name in LIBRARIES}


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    # All processors of a machine have one name.
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
