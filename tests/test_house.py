"""The rules of the house: sizes, names, imports, and that documents speak of what exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import pytest

import vtmr
from vtmr.cli import oldnames

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "vtmr"
FILES = sorted(SOURCE.rglob("*.py"))
TORCH_ROOMS = {"models", "losses", "train"}
NOT_AT_RUNTIME = (
    "torch",
    "safetensors",
    "onnx",
    "lightning_fabric",
    "matplotlib",
    "skimage",
    "scipy",
    "prometheus_client",
    "python_multipart",
    "ray",
)


def python(code: str, *arguments: str) -> str:
    """What the code prints in a fresh process that is in no folder of ours."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- names and sizes; `make test` asks import-linter about the layers


@pytest.mark.parametrize("name", ["utils", "util", "misc", "common", "helpers", "helper"])
def test_no_file_for_things_without_a_home(name: str) -> None:
    assert not [path for path in FILES if path.stem == name or path.parent.name == name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_readable(path: Path) -> None:
    """Files are split by subject; one that is longer than this holds more than one."""
    assert len(path.read_text().splitlines()) <= 550


def test_the_browsers_tests_lie_where_make_looks_for_them() -> None:
    """The Makefile's part `browser` has one folder, and its other parts leave them out."""
    tests = ROOT / "tests"
    driving = [path for path in tests.rglob("test_*.py") if "mark.browser" in path.read_text()]
    elsewhere = [path for path in driving if path.parent != tests / "app" / "browser"]
    assert len(driving) > 10
    assert all("mark.proof" in path.read_text() for path in elsewhere if path != Path(__file__))


# --- imports


def test_importing_vtmr_is_quick_and_brings_nothing() -> None:
    code = """
import sys, time
start = time.process_time()
import vtmr
heavy = ("torch", "cv2", "numpy", "onnxruntime")
print(time.process_time() - start, *(name for name in heavy if name in sys.modules))
"""
    seconds, *brought = python(code).split()
    assert float(seconds) < 0.5
    assert not brought


def test_every_public_name_can_be_had() -> None:
    for name in vtmr.__all__:
        assert getattr(vtmr, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = vtmr.nonsense


def runtime_modules() -> list[str]:
    """All modules outside the rooms that may import torch."""
    names = []
    for path in FILES:
        parts = ("vtmr", *path.relative_to(SOURCE).with_suffix("").parts)
        room = parts[1] if len(parts) > 1 else ""
        if room not in TORCH_ROOMS and parts[-1] != "__main__":
            names.append(".".join(parts).removesuffix(".__init__"))
    return names


def test_the_runtime_imports_without_the_training_extra() -> None:
    """Every runtime module, in one process where importing torch and its like fails."""
    code = """
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"{name} is not in the base install", name=name)

sys.meta_path.insert(0, Refuse())
for name in sys.argv[2:]:
    importlib.import_module(name)
print("imported", len(sys.argv) - 2)
"""
    names = runtime_modules()
    assert {"vtmr", "vtmr.segmenter", "vtmr.session", "vtmr.runtime", "vtmr.cli"} <= set(names)
    assert python(code, ",".join(NOT_AT_RUNTIME), *names).strip() == f"imported {len(names)}"


# --- package data


def test_photos_are_there_with_licence_and_clicks_inside() -> None:
    from vtmr.images import read_image

    folder = resources.files("vtmr") / "assets" / "photos"
    photos = json.loads((folder / "photos.json").read_text())
    stored = {path.name for path in folder.iterdir() if path.name.endswith((".jpg", ".png"))}
    assert {photo["file"] for photo in photos} == stored
    for photo in photos:
        assert set(photo) == {"file", "title", "author", "licence", "source", "statement", "clicks"}
        assert photo["licence"] in ("CC0-1.0", "public domain")
        assert re.search("public domain|CC0", photo["statement"])
        path = Path(str(folder / photo["file"]))
        assert path.stat().st_size <= 150 * 1024
        height, width, _ = read_image(path).shape
        assert 3 <= len(photo["clicks"]) <= 5
        assert all(0 <= x < width and 0 <= y < height for x, y, _ in photo["clicks"])
        assert photo["clicks"][0][2] is True


def test_the_package_says_that_it_is_typed() -> None:
    assert (resources.files("vtmr") / "py.typed").is_file()


def test_the_base_install_has_no_torch() -> None:
    base = [line for line in metadata.requires("vtmr") or [] if "extra ==" not in line]
    names = {re.match(r"[\w-]+", line)[0] for line in base}  # type: ignore[index]
    assert {"numpy", "onnxruntime"} <= names
    assert not names & set(NOT_AT_RUNTIME)


# --- documents


@cache
def commands() -> dict[str, set[str]]:
    """Every command's flags, --help apart; under "" those of `vtmr` itself.

    A group's are those of its commands.
    """
    import typer

    from vtmr.cli import app

    root = typer.main.get_command(app)
    found = {name: command for name, command in root.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    return {
        name: {
            flag
            for part in (command, *(getattr(command, "commands", {}).values() if name else ()))
            for parameter in part.params
            for flag in (*parameter.opts, *parameter.secondary_opts)
            if flag.startswith("--")
        }
        - {"--help"}
        for name, command in {"": root, **found}.items()
    }


DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def code_of(document: Path) -> list[str]:
    """Lines of code blocks, and code in the text."""
    text = document.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.S | re.M)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    return [
        line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()
    ] + spans


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documented_commands_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for line in code_of(document):
        if match := re.match(r"vtmr ([a-z][a-z-]*)", line):
            assert match[1] in commands(), line
            flags = set(re.findall(r"(?<= )--[a-z-]+", line)) - {"--help"}
            if document.name == "log.md":
                flags -= set(oldnames.FLAGS)  # as they were typed then; they are still read
            assert flags <= commands()[match[1]], line
        if match := re.match(r"make ([a-z]+)", line):
            assert match[1] in targets, line


def test_the_readme_shows_commands_at_all() -> None:
    lines = code_of(ROOT / "README.md")
    assert any(line.startswith("vtmr segment") for line in lines)
    assert any(line.startswith("make demo") for line in lines)


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, on a photo, with the colour network in place of the bundled weights."""
    from fakes import ColourNetwork

    from vtmr.segmenter import segmenter_for

    shutil.copy(SOURCE / "assets" / "photos" / "rocket.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(vtmr, "load", lambda: segmenter_for(ColourNetwork()), raising=False)
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.S | re.M
    )
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["image"].shape == (427, 640, 3)
    assert names["s"].mask.shape == (427, 640)
    assert names["s"].mask[240, 320]
    assert not names["s"].mask[250, 400]


def test_every_command_and_flag_is_documented() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "cli.md").read_text()
    for command, flags in commands().items():
        assert f"vtmr {command}".strip() in text
        missing = {flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", text)}
        assert not missing, f"vtmr {command}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_prose_is_wrapped(document: Path) -> None:
    """At 100 characters: `python tools/wrap_markdown.py FILE` does it."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.S | re.M)
    whole = ("|", "#", "![")  # tables, headings and pictures: a break would change what they mean
    prose = [line for line in text.splitlines() if not line.startswith(whole)]
    assert not [line for line in prose if len(line) > 100]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        assert "://" in target or (document.parent / target).exists(), target


def test_the_version_is_said_once_more_and_rightly() -> None:
    assert f"\nversion: {vtmr.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {vtmr.__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_results_card_and_manifest_give_the_same_figures() -> None:
    """All are written by tools/release.py; a table mended by hand in one of them would show
    here."""
    card = (SOURCE / "assets" / "models" / "lite0.md").read_text()
    results = (ROOT / "docs" / "results.md").read_text()
    rows = re.findall(r"^\| (?:validation|grabcut).*\|$", card, flags=re.M)
    assert len(rows) >= 7
    assert all(row in results for row in rows)
    manifest = json.loads((SOURCE / "assets" / "models" / "manifest.json").read_text())
    assert list(manifest) == ["lite0", "lite0-fast"]
    starts = {"lite0": "| validation | 536 |", "lite0-fast": "| validation | lite0-fast | 536 |"}
    for name, entry in manifest.items():
        assert f"sha256 `{entry['sha256']}`" in card
        figures = {
            key.removeprefix("validation "): value for key, value in entry["figures"].items()
        }
        assert figures["n"] == 536
        (row,) = (row for row in rows if row.startswith(starts[name]))
        values = [float(cell.split()[0]) for cell in row.removeprefix(starts[name]).split("|")[:4]]
        told = dict(zip(("NoC@85", "NoC@90", "IoU@1", "IoU@5"), values, strict=True))
        assert all(abs(told[key] - figures[key]) <= 0.0051 for key in told)
