"""What is published: the wheel holds everything, says what it should, and works where nothing else
is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import vtmr

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str | Path) -> str:
    """What the command prints, where nothing leads it to this repository."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd="/", env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a wheel is made of, as in a fresh clone: no earlier build can lend it any."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(copy: Path) -> Path:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", copy / "dist", copy)
    (path,) = (copy / "dist").glob("vtmr-*.whl")
    return path


def test_the_wheel_holds_every_module_and_asset(wheel: Path, copy: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path for path in (copy / "src").rglob("*") if path.is_file()}
    wanted = {path.relative_to(copy / "src") for path in files if ".egg-info" not in str(path)}
    assert inside == {path.as_posix() for path in wanted}


def test_an_index_would_take_it(wheel: Path) -> None:
    """`twine check` reads the description as an index does."""
    assert "PASSED" in run(sys.executable, "-m", "twine", "check", "--strict", wheel)


def test_its_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
    assert told["Version"] == vtmr.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told.get_all("Project-URL")
    classifiers = told.get_all("Classifier") or []
    for minor in (11, 12, 13, 14):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers


def test_it_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    # Most modules of what comes with it are never imported here: Python compiles those that are.
    run(*install, "--no-compile", "--constraint", ROOT / "constraints.txt", wheel)
    assert run(programs / "vtmr", "--version") == f"vtmr {vtmr.__version__}\n"
    photo, mask = ROOT / "src/vtmr/assets/photos/coffee.jpg", tmp_path / "mask.png"
    run(programs / "vtmr", "segment", photo, "--click", "290,235", "-o", mask)
    assert (vtmr.read_image(mask)[235, 290] == 255).all()
    code = "import sys, vtmr; vtmr.load(); print(vtmr.__file__, *sys.modules)"
    place, *modules = run(programs / "python", "-c", code).split()
    assert Path(place).is_relative_to(tmp_path)
    assert not {"torch", "matplotlib", "scipy"} & set(modules)


def test_the_versions_that_are_tested_are_those_that_are_promised() -> None:
    """The workflow's matrix against the classifiers."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minors = [line.rpartition("3.")[2] for line in settings["classifiers"] if ":: 3." in line]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    matrix = "[" + ", ".join(f'"3.{minor}"' for minor in minors) + "]"
    assert f"python: {matrix}" in workflow
    assert settings["requires-python"] == f">=3.{minors[0]}"
