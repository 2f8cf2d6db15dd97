"""The plugin in the real napari, in an environment of its own: `make proof`.

`$VTMR_NAPARI_PYTHON` names a Python that has napari, Qt and vtmr's runtime; without it an
environment is made, which needs the network and minutes. Expected masks are those of a Session.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vtmr.images import read_image

ROOT = Path(__file__).parents[2]
WALK = Path(__file__).with_name("napari_walk.py")
pytestmark = pytest.mark.proof


def run(*command: str | Path, **environment: str) -> str:
    """What the command prints."""
    places = os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests")))
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd="/",
        env=os.environ | {"PYTHONPATH": places, "QT_QPA_PLATFORM": "offscreen"} | environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with napari, Qt and vtmr, the plugin's entry point among them."""
    given = os.environ.get("VTMR_NAPARI_PYTHON")
    if given:
        return Path(given)
    folder = tmp_path_factory.mktemp("napari") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    pinned = ["-c", ROOT / "constraints.txt"]
    subprocess.run([*pip, *pinned, "-e", f"{ROOT}[napari]", "napari[pyqt6]"], check=True)
    return folder / "bin" / "python"


def test_the_manifest_is_valid_and_found(python: Path) -> None:
    """By npe2, napari's own reader of manifests."""
    npe2 = python.with_name("npe2")
    manifest = ROOT / "src" / "vtmr" / "plugins" / "napari" / "napari.yaml"
    assert "valid" in run(npe2, "validate", manifest)
    code = (
        "from npe2 import PluginManager\n"
        "manager = PluginManager.instance()\n"
        "manager.discover()\n"
        "for widget in manager.get_manifest('vtmr').contributions.widgets:\n"
        "    print(widget.display_name, widget.get_callable().__name__)\n"
    )
    assert run(python, "-c", code) == "Clicks to labels DockWidget\n"


def test_what_users_do_in_napari(python: Path) -> None:
    """Layers, dimensions, threads and notifications are napari's own; see napari_walk.py."""
    names = re.findall(r"^def (\w+)\(application: Any\)", WALK.read_text(), flags=re.M)
    assert len(names) >= 10
    assert run(python, WALK).split() == names


def test_the_panel_in_a_whole_window(python: Path, tmp_path: Path) -> None:
    """From napari's menu, on a display without a screen."""
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        pytest.skip("xvfb-run isn't there (Debian: apt-get install xvfb): no window can be painted")
    picture = tmp_path / "window.png"
    screen = ("-a", "-s", "-screen 0 1400x900x24")
    assert run(xvfb, *screen, python, WALK, picture, QT_QPA_PLATFORM="xcb") == "window\n"
    assert read_image(picture).std() > 10
