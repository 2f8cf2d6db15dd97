"""`vtmr models --known` and `vtmr experiment table1 --zoo`: a folder of checkpoints, sound ones and
others."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import official
import pytest
from running import Command
from tiny import model_bytes

from vtmr.bench.folder import read_run
from vtmr.bench.systems import SYSTEMS

ZOO = Path(__file__).parents[2] / "docs" / "zoo.md"


def written(path: Path) -> Path:
    path.write_bytes(model_bytes())
    return path


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtmr.bench.document.draw_pictures", lambda *_: ({}, []))


def test_known_systems_are_listed_as_text_and_as_json(command: Command) -> None:
    listed = json.loads(command("models", "--known", "--json").out)
    assert len(listed) == len(SYSTEMS)
    ld = next(each for each in listed if each["name"] == "ld-vgg19")
    assert ld["own"] == {} and ld["quoted"]["grabcut"] == [3.2, 4.79]
    assert ld["quoted"]["davis"] == [5.95, 9.57]
    risnet = next(each for each in listed if each["title"] == "RIS-Net")
    assert (risnet["name"], risnet["file"], risnet["check"]) == (None, None, None)
    text = command("models", "--known").out
    assert "FCFI, HRNet18s (fcfi-hrnet18s)\n" in text
    assert "licence   none stated: not to be passed on\n" in text
    assert "its own   NoC@85/90 grabcut 1.42/1.68, berkeley –/2.03, sbd 3.64/5.92, " in text
    assert "check by  vtmr import BRS_DenseNet.caffemodel -o brs-densenet.safetensors\n" in text


def test_the_zoos_page_names_every_network() -> None:
    text = ZOO.read_text()
    for system in SYSTEMS:
        if system.check and system.name != "edgeflow":
            assert f"`{system.name}`" in text, system.name


def test_a_folder_of_checkpoints_plays_beside_the_model(
    command: Command, pairs: Path, tmp_path: Path
) -> None:
    """Whatever can't be played costs itself alone."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    model = written(tmp_path / "ours.onnx")
    shutil.copy(model, zoo / "ritm.onnx")
    shutil.copy(model, zoo / "ours.onnx")
    (zoo / "damaged.pth").write_bytes(b"no weights")
    (zoo / "damaged.caffemodel").write_bytes(b"no weights")
    (zoo / "EdgeFlow.onnx").write_bytes(b"no graph")
    (zoo / "notes.txt").write_text("not a checkpoint")
    out = tmp_path / "out"
    result = command(
        *("experiment", "table1", "--data", f"pairs={pairs}", "--model", model),
        *("--zoo", zoo, "--out", out),
    )
    assert result.code == 0, result.err
    left_out = [line for line in result.err.splitlines() if "is left out" in line]
    names = [line.split()[1] for line in left_out]
    assert names == ["EdgeFlow.onnx", "damaged.caffemodel", "damaged.pth"]
    page = (out / "table.md").read_text()
    for label in ("ours", "ritm", "ours, zoo"):
        assert f"| {label} | " in page
    assert "## Published figures alone" in page


def test_a_folder_without_any_is_refused(command: Command, pairs: Path, tmp_path: Path) -> None:
    arguments = ("experiment", "table1", "--data", f"pairs={pairs}", "--out", tmp_path / "out")
    command(*arguments, "--zoo", tmp_path / "none").assert_refused("There is no folder", "--zoo")
    command(*arguments, "--zoo", pairs).assert_refused("holds no checkpoint that can be played")


@pytest.mark.slow
def test_an_authors_file_is_imported_and_played(
    command: Command, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtmr.segmenter.fcfi.LONGER_SIDE", 64)
    zoo, out = tmp_path / "zoo", tmp_path / "out"
    zoo.mkdir()
    official.write("fcfi-hrnet18s", zoo / "released.pth", ".stage")
    model = written(tmp_path / "ours.onnx")
    result = command(
        *("experiment", "table1", "--data", f"pairs={pairs}", "--model", model),
        *("--zoo", zoo, "--threads", 1, "--out", out),
    )
    assert result.code == 0, result.err
    assert "torch" in sys.modules
    assert (out / "imports" / "released.safetensors").is_file()
    assert read_run(out / "runs" / "fcfi-hrnet18s").model.name == "fcfi-hrnet18s"
    assert "| fcfi-hrnet18s | " in (out / "table.md").read_text()
