"""`vtmr models`, `demo`, `export` and `train`: what they hand on, what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import shapes_image
from PIL import Image
from running import Command

from vtmr.cli.train import validation
from vtmr.data import EvalSample
from vtmr.runtime import BundledModel, bundled_models, load_network
from vtmr.segmenter import segmenter_for
from vtmr.spec import WIDE


@pytest.fixture
def two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [
        BundledModel("lite0", Path("lite0.onnx"), "ab" * 32, 15_000_000, {"GrabCut NoC@90": 1.9}),
        BundledModel("lite0-old", Path("old.onnx"), "cd" * 32, 9_900_000, {"GrabCut NoC@85": 2.5}),
    ]
    monkeypatch.setattr("vtmr.cli.model_table.bundled_models", lambda: models)


@pytest.mark.usefixtures("two_models")
def test_models_are_a_table_with_a_dash_for_an_unknown_figure(command: Command) -> None:
    lines = [line.split("  ") for line in command("models").out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["name", "MB", "GrabCut NoC@90", "GrabCut NoC@85"],
        ["lite0", "15.0", "1.9", "–"],
        ["lite0-old", "9.9", "–", "2.5"],
    ]


@pytest.mark.usefixtures("two_models")
def test_models_as_json(command: Command) -> None:
    records = json.loads(command("models", "--json").out)
    assert [record["name"] for record in records] == ["lite0", "lite0-old"]
    assert records[0]["figures"] == {"GrabCut NoC@90": 1.9}


@pytest.fixture
def one_photo(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's folder with the shapes alone."""
    entries = [
        {"file": photo.name, "title": "Shapes", "clicks": [[56, 54, True], [124, 66, False]]}
    ]
    (photo.parent / "photos.json").write_text(json.dumps(entries))
    monkeypatch.setattr("vtmr.cli.demo.PHOTOS", photo.parent)
    return photo


@pytest.mark.usefixtures("colour_network", "one_photo")
def test_the_demo_draws_an_overlay_and_a_strip_and_says_where(
    command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "pictures"
    result = command("demo", "--out", out)
    assert result.code == 0, result.err
    title, overlay_path, strip_path = (line.strip() for line in result.out.splitlines())
    assert title.startswith("Shapes: 2 clicks, ")
    assert title.endswith(" ms")
    assert (overlay_path, strip_path) == (
        str(out / "shapes.overlay.png"),
        str(out / "shapes.clicks.png"),
    )
    with Image.open(overlay_path) as image:
        assert image.size == (160, 120)
    with Image.open(strip_path) as image:
        assert image.width == 3 * (480 + 12)  # the photo and two clicks


@pytest.mark.usefixtures("colour_network", "one_photo")
def test_the_demo_refuses_a_file_as_folder(command: Command, photo: Path) -> None:
    command("demo", "--out", photo).assert_refused("shapes.png", "folder")


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("none.onnx", None, ("none.onnx",)),
        ("empty.onnx", b"", ("empty.onnx", "empty")),
        ("text.onnx", b"no weights at all", ("text.onnx", "vtmr export")),
        ("w.safetensors", b"x", ("w.safetensors", "vtmr export")),
    ],
)
def test_files_that_are_no_model(
    command: Command,
    photo: Path,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    fragments: tuple[str, ...],
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    command("segment", photo, "--click", "5,5", "--model", tmp_path / name).assert_refused(
        *fragments
    )
    assert not (tmp_path / "shapes.mask.png").exists()


def test_train_refuses_a_recipe_that_is_not_there(command: Command, tmp_path: Path) -> None:
    command("train", tmp_path / "no.toml", "--out", tmp_path / "run").assert_refused(
        "no.toml", "No such file"
    )
    assert not (tmp_path / "run").exists()


def test_a_mistake_in_a_recipe_is_told_without_torch(tmp_path: Path) -> None:
    """Importing torch takes seconds."""
    (tmp_path / "r.toml").write_text("stepz = 3")
    code = """
import sys
from vtmr.cli.entry import main
try:
    main(sys.argv[1:])
finally:
    print(*{"torch", "lightning_fabric"} & sys.modules.keys())
"""
    words = ["train", str(tmp_path / "r.toml"), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert "unknown key 'stepz'" in done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "command_line",
    [["train", "r.toml", "--out", "run"], ["export", "w.safetensors", "-o", "w.onnx"]],
)
def test_without_torch_train_and_export_name_the_extra(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: list[str]
) -> None:
    for name in [
        name
        for name in sys.modules
        if name.startswith(("vtmr.train", "vtmr.models", "vtmr.train.losses"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.toml").write_text("")
    (tmp_path / "w.safetensors").write_bytes(b"")
    command(*command_line).assert_refused('-e ".[train]"')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.toml", "w.safetensors"]


def test_export_refuses_what_is_no_checkpoint(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    command("export", tmp_path / "w.safetensors", "-o", tmp_path / "w.onnx").assert_refused(
        "w.safetensors"
    )
    assert not (tmp_path / "w.onnx").exists()


def test_a_name_for_a_smaller_input_answers_by_that_name(command: Command, photo: Path) -> None:
    answers = [
        json.loads(
            command(
                "segment",
                photo,
                "--click",
                "56,54",
                "--click",
                "60,50,-",
                "--model",
                name,
                "--json",
            ).out
        )
        for name in ("lite0", "lite0-fast")
    ]
    assert [answer["model"] for answer in answers] == ["lite0", "lite0-fast"]
    assert answers[0]["mask"] != answers[1]["mask"]  # it works on other grids


def test_export_changes_how_a_network_is_used(command: Command, tmp_path: Path) -> None:
    """The bundled file again, as it is but for what the flags say."""
    pytest.importorskip("torch")
    bundled = load_network("lite0")
    flags = (
        "--zoom",
        "eager=0.5@1.2",
        "--views",
        "wide",
        "--recrop-share",
        "0.25",
        "--target-ratio",
        "1.2",
        "--focus-ratio",
        "3",
        "--box-prompt",
    )
    result = command("export", bundled_models()[0].path, "-o", tmp_path / "other.onnx", *flags)
    assert result.code == 0, result.err
    other = load_network(tmp_path / "other.onnx")
    zoom = replace(bundled.spec.zoom, schedule="eager", eager_weight=0.5, min_shrink=1.2)
    how = {"zoom": zoom, "views": WIDE, "recrop_share": 0.25, "target_ratio": 1.2}
    assert other.spec == replace(bundled.spec, **how, focus_ratio=3.0, box_prompt=True)
    command("export", bundled_models()[0].path, "-o", tmp_path / "clicked.onnx", "--no-box-prompt")
    assert bundled.spec.box_prompt
    assert load_network(tmp_path / "clicked.onnx").spec == replace(bundled.spec, box_prompt=False)
    for flag, value in (
        ("--zoom", "late"),
        ("--zoom", "eager=0.5@much"),
        ("--views", "everywhere"),
        ("--recrop-share", "2"),
        ("--target-ratio", "0.9"),
        ("--focus-ratio", "nan"),
    ):
        command(
            "export", tmp_path / "other.onnx", "-o", tmp_path / "x.onnx", flag, value
        ).assert_refused(value)
    assert not (tmp_path / "x.onnx").exists()


def test_a_model_file_that_is_used_otherwise_keeps_its_graphs(
    command: Command, tmp_path: Path
) -> None:
    """Bit for bit: only the metadata's spec, and with it the digest, are others."""
    onnx = pytest.importorskip("onnx")
    bundled, other = bundled_models()[0].path, tmp_path / "other.onnx"
    assert command("export", bundled, "-o", other, "--recrop-share", "0.125").code == 0
    before, after = onnx.load(bundled), onnx.load(other)
    assert after.graph.SerializeToString() == before.graph.SerializeToString()
    (was, is_now) = (
        {entry.key: entry.value for entry in model.metadata_props} for model in (before, after)
    )
    changed = {key for key in was if was[key] != is_now[key]}
    assert changed == {"vtmr.spec", "vtmr.sha256"}
    command("export", tmp_path / "none.onnx", "-o", other).assert_refused("none.onnx")
    (tmp_path / "bad.onnx").write_bytes(bundled.read_bytes()[:-100])
    command("export", tmp_path / "bad.onnx", "-o", other).assert_refused("bad.onnx")


RECIPE = Path(__file__).parents[2] / "recipes" / "lite0-cpu.toml"


def test_train_hands_everything_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(
        "vtmr.train.run", lambda *positional, **named: calls.append((positional, named))
    )
    flags = ("--init", "w.onnx", "--resume", "--set", "steps=5", "--set", "optimiser.lr=1e-3")
    result = command("train", RECIPE, "--out", tmp_path / "run", *flags)
    assert result.code == 0, result.err
    ((positional, named),) = calls
    assert positional == (RECIPE, tmp_path / "run")
    assert callable(named.pop("validate"))
    assert named == {
        "init": Path("w.onnx"),
        "resume": True,
        "overrides": ["steps=5", "optimiser.lr=1e-3"],
    }


def test_ctrl_c_in_train_names_resume(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vtmr.train.run", interrupt)
    early = command("train", RECIPE, "--out", tmp_path / "run")
    assert early.code == 130
    assert "nothing was saved" in early.err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.safetensors").touch()
    later = command("train", RECIPE, "--out", tmp_path / "run")
    assert later.code == 130
    assert "--resume" in later.err


def test_an_unknown_recipe_key_is_refused_with_the_nearest(
    command: Command, tmp_path: Path
) -> None:
    command("train", RECIPE, "--out", tmp_path / "run", "--set", "stepps=5").assert_refused(
        "'stepps'", "'steps'"
    )
    assert not (tmp_path / "run").exists()


def test_validation_during_training_is_the_benchmark_on_the_runs_weights(
    tmp_path: Path, colour_network: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The colour network finds the ellipse with its first click: NoC 1 for both targets."""
    asked: list[Any] = []
    network = segmenter_for(colour_network)  # type: ignore[arg-type]
    monkeypatch.setattr(
        "vtmr.cli.predictors.load",
        lambda model, options: (
            asked.append((model, options.device)) or SimpleNamespace(predictor=network)
        ),
    )
    rows, cols = np.mgrid[:120, :160]
    ellipse = ((rows - 54) / 36) ** 2 + ((cols - 56) / 32) ** 2 < 1
    sample = EvalSample(
        "validation", "shapes", "0", "drawn", lambda: (shapes_image(), ellipse, None)
    )
    monkeypatch.setattr(
        "vtmr.cli.train.open_benchmark", lambda name, root: asked.append((name, root)) or [sample]
    )
    figures = validation(tmp_path / "data")(tmp_path / "run")
    assert asked == [
        (str(tmp_path / "run" / "weights.safetensors"), "cpu"),
        ("validation", tmp_path / "data"),
    ]
    assert figures["validation NoC@85"] == figures["validation NoC@90"] == 1
    assert 0.9 < figures["validation IoU@1"] <= 1
