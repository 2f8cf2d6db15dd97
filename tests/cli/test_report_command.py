"""`vtmr report` and `vtmr experiment` from flags to files, with the colour network, which finds the
ellipse at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import shapes_image
from PIL import Image
from running import Command

from vtmr.bench.contact import Cell

ROWS, COLS = np.mgrid[:120, :160]
ELLIPSE = ((ROWS - 54) / 36) ** 2 + ((COLS - 56) / 32) ** 2 < 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtmr.provenance.commit", lambda: "")
    monkeypatch.setattr("vtmr.bench.metrics.RESAMPLES", 20)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """No plots; the cells of the contact sheets that would have been drawn."""
    cells: list[Cell] = []
    monkeypatch.setattr("vtmr.bench.pictures.plot_quality", lambda *_: b"")
    monkeypatch.setattr("vtmr.bench.pictures.plot_clicks", lambda *_: b"")
    monkeypatch.setattr(
        "vtmr.bench.pictures.draw_sheet", lambda _, found: cells.extend(found) or b""
    )
    return cells


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two noisy pictures of the shapes, with the ellipse as the object."""
    root = tmp_path / "pairs"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(2):
        Image.fromarray(shapes_image(seed=number)).save(root / "images" / f"{number}.png")
        Image.fromarray(ELLIPSE * np.uint8(255)).save(root / "masks" / f"{number}.png")
    return root


@pytest.fixture
def model(tmp_path: Path, colour_network: object) -> Path:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def run(command: Command, tmp_path: Path, pairs: Path, model: Path) -> Path:
    """A run of the benchmark."""
    out = tmp_path / "run"
    result = command(
        "evaluate",
        "--data",
        f"pairs={pairs}",
        "--model",
        model,
        "--out",
        out,
        "--zoom",
        "eager=0.5",
    )
    assert result.code == 0, result.err
    return out


def test_a_report_finds_the_images_again(command: Command, run: Path, undrawn: list[Cell]) -> None:
    result = command("report", run)
    assert result.code == 0, result.err
    assert result.out == f"{run / 'report' / 'report.md'}\n"
    assert result.err == ""
    assert len(undrawn) == 2
    assert all(cell.mask is None and (cell.gt_mask == ELLIPSE).all() for cell in undrawn)
    page = (run / "report" / "report.md").read_text()
    assert "| run | 2 | 1.00 [1.00, 1.00] |" in page


def test_the_masks_are_drawn_again_with_the_model(
    command: Command, run: Path, model: Path, undrawn: list[Cell]
) -> None:
    """With the run's own zoom: another one would give other masks, and the caption would say so."""
    result = command("report", run, "--model", model, "--out", run.parent / "new" / "report")
    assert result.code == 0, result.err
    assert len(undrawn) == 2
    assert all(cell.mask is not None and "replayed" not in cell.caption for cell in undrawn)


@pytest.mark.parametrize(("played", "given"), [("lite0", "lite0-fast"), ("lite0-fast", "lite0")])
def test_a_files_other_name_draws_the_masks_at_the_runs_own_size(
    command: Command, tmp_path: Path, pairs: Path, undrawn: list[Cell], played: str, given: str
) -> None:
    out = tmp_path / "run"
    flags = ("--data", f"pairs={pairs}", "--model", played, "--out", out, "--threads", 1)
    assert command("evaluate", *flags).code == 0
    assert command("report", out, "--model", given).code == 0
    assert len(undrawn) == 2
    assert all(cell.mask is not None and "replayed" not in cell.caption for cell in undrawn)


def test_images_that_are_gone_cost_the_sheet_alone(
    command: Command, run: Path, pairs: Path, tmp_path: Path, undrawn: list[Cell]
) -> None:
    pairs.rename(tmp_path / "moved")
    result = command("report", run)
    assert result.code == 0
    assert result.err.startswith("vtmr: pairs: no sheet of the worst objects.")
    assert undrawn == []
    assert "no sheet of the worst objects" in (run / "report" / "report.md").read_text()
    result = command("report", run, "--data", f"pairs={tmp_path / 'moved'}")
    assert (result.code, result.err, len(undrawn)) == (0, "", 2)


def test_reports_that_cannot_be(
    command: Command, run: Path, tmp_path: Path, undrawn: list[Cell]
) -> None:
    command("report", tmp_path / "pairs").assert_refused("holds no run.json")
    command("report", run, run).assert_refused("is given twice")
    command("report", run, "--data", "pairs").assert_refused("NAME=PATH")
    command("report", run, "--data", f"pears={tmp_path}").assert_refused(
        "No run has the data set 'pears'", "pairs"
    )
    (tmp_path / "other.onnx").write_bytes(b"other weights")
    command("report", run, "--model", tmp_path / "other.onnx").assert_refused(
        "other.onnx", "made none of the runs"
    )
    assert not (run / "report").exists()


def test_an_experiment_with_variants(
    command: Command, tmp_path: Path, pairs: Path, model: Path, undrawn: object
) -> None:
    flags = (
        "--data",
        f"pairs={pairs}",
        "--variant",
        f"ours={model}",
        "--variant",
        f"theirs={model}",
        "--limit",
        1,
    )
    result = command("experiment", "table4", *flags, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == str(tmp_path / "out" / "table.md")
    assert "| ours | 1.00 [1.00, 1.00] |" in (tmp_path / "out" / "table.md").read_text()
    run = json.loads((tmp_path / "out" / "runs" / "theirs" / "run.json").read_text())
    assert run["sittings"][0]["data"] == {"pairs": str(pairs)}
    assert (tmp_path / "out" / "report" / "report.md").exists()


@pytest.mark.usefixtures("undrawn")
def test_table6_guides_the_models_own_zoom(
    command: Command, tmp_path: Path, pairs: Path, model: Path
) -> None:
    out = tmp_path / "out"
    result = command(
        "experiment", "table6", "--data", f"pairs={pairs}", "--model", model, "--out", out
    )
    assert result.code == 0, result.err
    zooms = {}
    for name in ("m-mask", "m-clicks", "m-mask-and-clicks"):
        zooms[name] = json.loads((out / "runs" / name / "run.json").read_text())["settings"][
            "model"
        ]["zoom"]
    assert [zoom["guidance"] for zoom in zooms.values()] == ["mask", "clicks", "both"]
    assert {zoom["schedule"] for zoom in zooms.values()} == {"paper"}


@pytest.mark.usefixtures("undrawn")
def test_table6_needs_a_zoom(command: Command, tmp_path: Path, pairs: Path) -> None:
    flags = (
        "--data",
        f"pairs={pairs}",
        "--model",
        "baseline:grabcut-opencv",
        "--out",
        tmp_path / "out",
    )
    command("experiment", "table6", *flags).assert_refused("grabcut-opencv", "no zoomed pass")


@pytest.mark.parametrize(
    ("name", "flags", "fragments"),
    [
        ("tabel1", (), ("'tabel1'", "'table1'")),
        ("table4", (), ("expected at least 2", "LABEL=MODEL")),
        ("table4", ("--variant", "m.onnx"), ("'m.onnx'", "LABEL=MODEL")),
        ("table4", ("--variant", "a=m.onnx", "--variant", "a=n.onnx"), ("given twice",)),
        ("table1", ("--jobs", "0"), ("--jobs", "'0'")),
    ],
)
def test_experiments_that_cannot_be(
    command: Command,
    tmp_path: Path,
    pairs: Path,
    name: str,
    flags: tuple[str, ...],
    fragments: tuple[str, ...],
) -> None:
    arguments = ("experiment", name, "--data", f"pairs={pairs}", *flags, "--out", tmp_path / "out")
    command(*arguments).assert_refused(*fragments)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_jobs_play_the_same(command: Command, tmp_path: Path, pairs: Path) -> None:
    """Further processes load the model themselves, so it is one that needs no stand-in: GrabCut on
    initial masks."""
    tables = []
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        flags = (
            "--data",
            f"pairs={pairs}",
            "--model",
            "baseline:grabcut-opencv",
            "--jobs",
            jobs,
            "--out",
            out,
        )
        result = command("experiment", "correction", *flags)
        assert result.code == 0, result.err
        tables.append((out / "table.md").read_text())
    assert tables[0] == tables[1]


def test_ctrl_c_in_an_experiment_says_that_it_can_go_on(
    command: Command, tmp_path: Path, pairs: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vtmr.cli.experiment.run_experiment", interrupt)
    result = command(
        "experiment",
        "table1",
        "--data",
        f"pairs={pairs}",
        "--model",
        model,
        "--out",
        tmp_path / "out",
    )
    assert result.code == 130
    assert "run the same command again" in result.err


def test_without_the_extra_nothing_is_played(
    command: Command, tmp_path: Path, pairs: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    flags = ("--data", f"pairs={pairs}", "--model", model, "--out", tmp_path / "out")
    command("experiment", "table1", *flags).assert_refused("matplotlib", "[bench]")
    assert not (tmp_path / "out").exists()
