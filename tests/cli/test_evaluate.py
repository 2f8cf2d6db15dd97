"""`vtmr evaluate` and `vtmr evaluate merge`: what they hand on, what they refuse, and whole runs on
tiny folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import shapes_image
from running import Command

from vtmr.bench import Protocol, Shard, read_records
from vtmr.runtime import default_threads


@pytest.mark.usefixtures("colour_network")
@pytest.mark.parametrize(
    ("flags", "fragments"),
    [
        (["--data", "grabcut"], ("'grabcut'", "NAME=PATH")),
        (["--data", "=x"], ("'=x'", "NAME=PATH")),
        (["--data", "grabcut=nowhere"], ("nowhere", "doesn't exist")),
        (["--data", "grabcut=.", "--data", "grabcut=."], ("named twice",)),
        (["--data", "grabcut=.", "--limit", "0"], ("--limit", "'0'")),
        (["--data", "grabcut=.", "--zoom", "late"], ("'late'", "paper, eager, off")),
        (["--data", "grabcut=.", "--zoom", "paper=0.5"], ("'paper=0.5'", "eager=WEIGHT")),
        (["--data", "grabcut=.", "--zoom", "eager=much"], ("'eager=much'", "eager=0.5")),
        (["--data", "grabcut=.", "--zoom", "eager=1.5"], ("'eager=1.5'", "up to 1")),
        (["--data", "grabcut=.", "--zoom", "eager@-1"], ("'eager@-1'", "eager=0.3@1.2")),
        (["--data", "grabcut=.", "--zoom", "eager:200"], ("'eager:200'", "a multiple of 32")),
        (["--data", "grabcut=.", "--views", "far"], ("'far'", "narrow or wide")),
        ([], ("--data", "needed")),
        (
            ["--data", "grabcut=.", "--protocol", "defalt"],
            ("defalt", "all-clicks, default, perturbed, random"),
        ),
        (["--data", "grabcut=.", "--shard", "2"], ("'2'", "I/N")),
        (["--data", "grabcut=.", "--shard", "3/2"], ("3/2", "1/4")),
        (["--data", "grabcut=.", "--jobs", "0"], ("--jobs", "'0'")),
        (["--data", "grabcut=.", "--jobs", "2", "--ray", "auto"], ("--jobs 2", "--ray auto")),
    ],
)
def test_evaluate_refuses_data_it_cannot_read(
    command: Command, tmp_path: Path, flags: list[str], fragments: tuple[str, ...]
) -> None:
    command("evaluate", *flags, "--out", tmp_path / "out").assert_refused(*fragments)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def benchmark_call(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments that the benchmark is called with."""
    calls: list[Any] = []
    monkeypatch.setattr(
        "vtmr.cli.evaluate.run_benchmark",
        lambda *positional, **named: calls.append((positional, named)),
    )
    return calls


@pytest.mark.usefixtures("colour_network")
def test_evaluate_hands_data_model_and_limit_to_the_benchmark(
    command: Command, tmp_path: Path, benchmark_call: list[Any]
) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    flags = ("--data", f"grabcut={tmp_path}", "--data", "pairs=.", "--model", model, "--limit", 3)
    result = command("evaluate", *flags, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    (((data, predictor, info, out, limit, protocol), named),) = benchmark_call
    assert data == [("grabcut", tmp_path), ("pairs", Path())]
    assert predictor.name == info.name == "colour"
    # printf weights | sha256sum
    assert info.sha256 == "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    assert (info.threshold, info.threads, out, limit) == (0.5, 1, tmp_path / "out", 3)
    assert (protocol, named) == (Protocol(), {"shard": None, "team": None})


@pytest.mark.parametrize(
    ("flags", "zoom"),
    [
        ([], "paper"),
        (["--zoom", "off"], "off"),
        (["--zoom", "eager"], "eager"),
        (["--zoom", "eager=0.25"], "eager=0.25"),
    ],
)
@pytest.mark.usefixtures("colour_network")
def test_evaluate_measures_with_another_zoom(
    command: Command, tmp_path: Path, benchmark_call: list[Any], flags: list[str], zoom: str
) -> None:
    """Without the flag, the model's own, which is the paper's by default."""
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    result = command(
        "evaluate", "--data", "pairs=.", "--model", model, "--out", tmp_path / "out", *flags
    )
    assert result.code == 0, result.err
    (((_, predictor, info, *_), _),) = benchmark_call
    assert str(info.zoom) == zoom
    assert info.zoom == predictor.zoom


@pytest.fixture
def two_clicks(tmp_path: Path) -> Path:
    """Rules under which an object gets two clicks: random weights would need all twenty."""
    rules = tmp_path / "two-clicks.toml"
    rules.write_text("max_clicks = 2\nmin_clicks = 2\nreport_at = [1, 2]\n")
    return rules


@pytest.mark.slow
def test_evaluate_measures_at_another_input_size(
    command: Command, tmp_path: Path, pairs: Path, two_clicks: Path
) -> None:
    from vtmr.models import build
    from vtmr.models.export import model_bytes

    network = build("lite0")
    model, out = tmp_path / "m.onnx", tmp_path / "out"
    model.write_bytes(model_bytes(network, network.spec))
    common = ("--data", f"pairs={pairs}", "--model", model, "--protocol", two_clicks)
    flags = (*common, "--out", out)
    result = command("evaluate", *flags, "--input-size", 96)
    assert result.code == 0, result.err
    assert json.loads((out / "run.json").read_text())["settings"]["model"]["input_size"] == 96
    assert "input 96" in result.out
    own = (*common, "--out", tmp_path / "own")
    assert command("evaluate", *own, "--input-size", network.spec.input_size).code == 0
    assert command("evaluate", *own).code == 0  # the file's own size is no other size
    command("evaluate", *flags).assert_refused("input_size")  # another input size is another run
    command("evaluate", *flags, "--input-size", 100).assert_refused(
        "input_size is 100", "multiple of 32"
    )
    command("evaluate", *flags, "--input-size", 96, "--device", "cpu").assert_refused(
        "--input-size", "--device"
    )
    baseline = (
        "--data",
        f"pairs={pairs}",
        "--out",
        out,
        "--model",
        "baseline:grabcut-opencv",
        "--input-size",
        96,
    )
    command("evaluate", *baseline).assert_refused("The input size is 96", "has none")


@pytest.mark.slow
def test_ritms_mode_of_evaluation_is_named_and_chosen(
    command: Command, tmp_path: Path, pairs: Path, two_clicks: Path
) -> None:
    from vtmr.models import build
    from vtmr.models.export import model_bytes

    network = build("ritm-hrnet18s")
    model = tmp_path / "ritm.onnx"
    model.write_bytes(model_bytes(network, network.spec))
    flags = ("--data", f"pairs={pairs}", "--model", model, "--protocol", two_clicks)
    for given, mode in (((), "cvpr400"), (("--eval-mode", "fixed96"), "fixed96")):
        result = command("evaluate", *flags, "--out", tmp_path / mode, *given)
        assert result.code == 0, result.err
        assert f"mode {mode}" in result.out
        run = json.loads((tmp_path / mode / "run.json").read_text())
        assert run["settings"]["model"]["eval_mode"] == mode
    others = ("--out", tmp_path / "out", "--eval-mode")
    command("evaluate", *flags, *others, "iccv").assert_refused("'iccv'", "cvpr600 or fixed400")
    command("evaluate", *flags, *others, "cvpr20").assert_refused("input_size is 20")
    command("evaluate", *flags, *others, "cvpr", "--input-size", 96).assert_refused("cvpr600")
    house = ("--data", f"pairs={pairs}", "--model", "lite0", *others, "cvpr")
    command("evaluate", *house).assert_refused("eval_mode is 'cvpr'", "'vtmr'")


@pytest.mark.usefixtures("colour_network")
def test_ctrl_c_in_evaluate_says_that_it_can_go_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vtmr.cli.evaluate.run_benchmark", interrupt)
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    result = command("evaluate", "--data", f"grabcut={tmp_path}", "--model", model, "--out", "o")
    assert result.code == 130
    assert "run the same command again" in result.err


def test_a_device_asks_for_a_file(command: Command, tmp_path: Path) -> None:
    flags = (
        "--data",
        f"grabcut={tmp_path}",
        "--model",
        "no.safetensors",
        "--device",
        "cpu",
        "--out",
        tmp_path / "o",
    )
    command("evaluate", *flags).assert_refused("no.safetensors")


def test_evaluate_needs_a_folder_to_write_into(command: Command) -> None:
    command("evaluate", "--data", "grabcut=.").assert_refused("--out", "needed")


@pytest.mark.usefixtures("colour_network")
def test_rules_shard_and_jobs_are_handed_on(
    command: Command, tmp_path: Path, benchmark_call: list[Any]
) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text("max_clicks = 9\nrobot = 'random'\nthreshold = 0.25\n")
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    flags = (
        "--protocol",
        rules,
        "--shard",
        "2/3",
        "--jobs",
        2,
        "--model",
        model,
        "--out",
        tmp_path / "out",
    )
    assert command("evaluate", "--data", "pairs=.", *flags).code == 0
    ((positional, named),) = benchmark_call
    assert positional[5] == Protocol(max_clicks=9, robot="random", threshold=0.25)
    assert positional[2].threshold == positional[1].spec.threshold == 0.25
    assert named["shard"] == Shard(2, 3)
    assert callable(named["team"])


@pytest.mark.parametrize(
    ("flags", "threads"),
    [
        ([], None),
        (["--threads", "3"], 3),
        (["--jobs", "2"], default_threads(2)),
        (["--jobs", "2", "--threads", "3"], 3),
    ],
)
@pytest.mark.usefixtures("benchmark_call")
def test_jobs_share_the_cores_out(
    command: Command,
    tmp_path: Path,
    colour_network: object,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    threads: int | None,
) -> None:
    asked: list[int | None] = []

    def load_network(
        name: str, threads: int | None = None, input_size: int | None = None
    ) -> object:
        asked.append(threads)
        return colour_network

    monkeypatch.setattr("vtmr.segmenter.loading.load_network", load_network)
    (tmp_path / "m.onnx").write_bytes(b"weights")
    arguments = ("--data", "pairs=.", "--model", tmp_path / "m.onnx", "--out", tmp_path / "out")
    assert command("evaluate", *arguments, *flags).code == 0
    assert asked == [threads]


def test_ray_is_asked_for_by_its_extra(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    refused = command("evaluate", "--data", "pairs=.", "--ray", "auto", "--out", tmp_path / "out")
    refused.assert_refused("the package ray", "[cluster]")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Five pictures of a red ellipse and its mask."""
    rows, cols = np.mgrid[:120, :160]
    ellipse = ((rows - 54) / 36) ** 2 + ((cols - 56) / 32) ** 2 < 1
    for folder in ("images", "masks"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
    for name in "abcde":
        picture = shapes_image(seed=ord(name))
        cv2.imwrite(str(tmp_path / "pairs" / "images" / f"{name}.png"), picture[..., ::-1])
        cv2.imwrite(
            str(tmp_path / "pairs" / "masks" / f"{name}.png"),
            np.where(ellipse, 255, 0).astype(np.uint8),
        )
    return tmp_path / "pairs"


def clicks_of(folder: Path) -> list[tuple[Any, ...]]:
    """The records without their times."""
    return [
        (*r.key, r.k, r.x, r.y, r.positive, r.iou, r.biou, r.last) for r in read_records(folder)
    ]


@pytest.mark.usefixtures("colour_network")
def test_shards_merge_into_the_run_that_one_command_makes(
    command: Command, pairs: Path, tmp_path: Path
) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    common = ("evaluate", "--data", f"pairs={pairs}", "--model", model, "--protocol", "random")
    assert command(*common, "--out", tmp_path / "whole").code == 0
    for part in (1, 2):
        said = command(*common, "--shard", f"{part}/2", "--out", tmp_path / f"{part}")
        assert f"This is shard {part}/2 alone" in said.out
    command("evaluate", "merge", tmp_path / "1", "--out", tmp_path / "m").assert_refused(
        "10 of 25", "shard 2/2"
    )
    merged = command("evaluate", "merge", tmp_path / "1", tmp_path / "2", "--out", tmp_path / "m")
    assert merged.code == 0, merged.err
    assert "random pixel of the largest error; 5 runs an object" in " ".join(merged.out.split())
    assert clicks_of(tmp_path / "m") == clicks_of(tmp_path / "whole")
    figures = [
        json.loads((tmp_path / name / "summary.json").read_text())["pairs"]
        for name in ("m", "whole")
    ]
    assert figures[0]["NoC@90"] == figures[1]["NoC@90"]
    assert figures[0]["n"] == 5


def black(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((120, 160), np.uint8))


def smaller(path: Path) -> None:
    cv2.imwrite(str(path), np.full((60, 80), 255, np.uint8))


@pytest.mark.usefixtures("colour_network")
@pytest.mark.parametrize(
    ("folder", "spoil", "fragments", "kept"),
    [
        # Told before anything is played.
        (
            "masks",
            Path.unlink,
            ("without a mask", "first 'c'"),
            None,
        ),
        ("masks", black, ("pairs/pairs/c/0 has no pixel that counts", "leave it out"), 2),
        ("masks", smaller, ("The mask of pairs/c is 80x60", "160x120"), 2),
        (
            "images",
            lambda path: path.write_bytes(path.read_bytes()[:3000]),
            ("c.png", "damaged"),
            2,
        ),
    ],
)
def test_an_object_that_cant_be_played_ends_the_run_and_is_named(
    command: Command,
    pairs: Path,
    tmp_path: Path,
    folder: str,
    spoil: Callable[[Path], Any],
    fragments: tuple[str, ...],
    kept: int | None,
) -> None:
    """The third of five: the two before it are kept, and there is no table of fewer objects than
    were asked for."""
    model, out = tmp_path / "m.onnx", tmp_path / "out"
    model.write_bytes(b"weights")
    spoil(pairs / folder / "c.png")
    command("evaluate", "--data", f"pairs={pairs}", "--model", model, "--out", out).assert_refused(
        *fragments
    )
    assert not (out / "summary.json").exists()
    assert (len({r.key for r in read_records(out)}) if out.exists() else None) == kept


@pytest.mark.slow
def test_jobs_and_one_process_click_alike_with_the_bundled_model(
    command: Command, pairs: Path, tmp_path: Path
) -> None:
    common = ("evaluate", "--data", f"pairs={pairs}", "--limit", 3, "--threads", 1)
    for name, jobs in (("one", 1), ("two", 2)):
        done = command(*common, "--jobs", jobs, "--out", tmp_path / name)
        assert done.code == 0, done.err
    assert clicks_of(tmp_path / "one") == clicks_of(tmp_path / "two")


@pytest.mark.slow
def test_a_network_on_torch_with_its_threads(
    command: Command, pairs: Path, tmp_path: Path, two_clicks: Path
) -> None:
    """The bundled weights on torch find what they find on ONNX Runtime."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        common = ("evaluate", "--data", f"pairs={pairs}", "--protocol", two_clicks, "--threads", 1)
        for name, flags in (("torch", ("--device", "cpu")), ("onnx", ())):
            done = command(*common, *flags, "--out", tmp_path / name)
            assert done.code == 0, done.err
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    model = json.loads((tmp_path / "torch" / "run.json").read_text())["settings"]["model"]
    assert (model["threads"], model["device"]) == (1, "cpu")
    (first, *_), (same, *_) = read_records(tmp_path / "torch"), read_records(tmp_path / "onnx")
    assert first.iou == pytest.approx(same.iou, abs=0.01)
