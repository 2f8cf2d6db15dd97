"""Provenance against git and the packages themselves, asked directly."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

import vtmr
from vtmr import provenance


def make_tree(root: Path) -> Path:
    """A source tree as vtmr's with one commit; returns where provenance.py would be."""
    module = root / "src" / "vtmr" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("one\n")
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "m"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    return module


def test_commit_of_a_source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = make_tree(tmp_path)
    monkeypatch.setattr(provenance, "__file__", str(module))
    command = ["git", "-C", str(tmp_path), "rev-parse", "HEAD"]
    head = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert provenance.commit() == head
    module.write_text("two\n")
    assert provenance.commit() == head + "-dirty"


def test_an_installed_copy_inside_another_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path)
    installed = tmp_path / ".venv" / "lib" / "site-packages" / "vtmr" / "provenance.py"
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.commit() == ""


def test_an_installed_copy_knows_the_commit_that_pip_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """direct_url.json as PEP 610 has it."""
    record = tmp_path / "vtmr-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: vtmr\nVersion: 1.0\n")
    (record / "direct_url.json").write_text(
        '{"url": "https://example.org/vtmr.git", "vcs_info": {"vcs": "git", "commit_id": "4a5f"}}'
    )
    monkeypatch.setattr(
        provenance, "__file__", str(tmp_path / "a" / "b" / "vtmr" / "provenance.py")
    )
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert provenance.commit() == "4a5f"


def test_versions_are_those_imported() -> None:
    versions = provenance.versions()
    assert versions["vtmr"] == vtmr.__version__
    assert versions["numpy"] == np.__version__
    assert versions["onnxruntime"] == onnxruntime.__version__
    assert versions["opencv-python-headless"].startswith(cv2.__version__)


def test_the_processor_has_a_name() -> None:
    assert provenance.processor().strip()
