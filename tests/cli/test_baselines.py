"""Baselines on the command line, and docs/baselines.md's own example, word for word, played against
a tiny data set."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from running import Command

from vtmr.bench.baselines import BASELINES, ClassicalBaseline
from vtmr.cli.oldnames import by_present_names
from vtmr.errors import VtmrWarning

DOCUMENT = Path(__file__).parents[2] / "docs" / "baselines.md"


def test_the_documents_example_plays(
    command: Command, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the one red shape with its first click; the command is the document's but for the
    data set."""
    text = DOCUMENT.read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)
    assert len([line for line in code.splitlines() if line.strip() and "import" not in line]) == 5
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith("vtmr evaluate") and "my_baselines" in line
    ]
    arguments = line.split()[1:]
    arguments[arguments.index("--data") + 1] = f"pairs={pairs}"
    (tmp_path / "my_baselines.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_baselines", raising=False)
    result = command(*arguments)
    assert result.code == 0, result.err
    out = tmp_path / arguments[arguments.index("--out") + 1]
    assert json.loads((out / "summary.json").read_text())["pairs"]["IoU@1"] > 0.9
    assert json.loads((out / "run.json").read_text())["settings"]["model"]["name"] == "near colours"


def test_a_baselines_run_is_continued_and_its_settings_are_stored(
    command: Command, pairs: Path, tmp_path: Path
) -> None:
    flags = (
        "--data",
        f"pairs={pairs}",
        "--model",
        "baseline:grabcut-opencv",
        "--out",
        tmp_path / "out",
    )
    assert command("evaluate", *flags).code == 0
    model = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["model"]
    assert {key: model[key] for key in ("name", "sha256", "threshold", "threads", "zoom")} == {
        "name": "grabcut-opencv",
        "sha256": "",
        "threshold": None,
        "threads": None,
        "zoom": None,
    }
    records = (tmp_path / "out" / "records.jsonl").read_bytes()
    assert command("evaluate", *flags).code == 0
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == records


@pytest.mark.parametrize(
    ("flags", "fragments"),
    [
        (
            ["--model", "baseline:grabcut"],
            ("'grabcut'", "known are", "grabcut-opencv", "MODULE:FUNCTION"),
        ),
        (["--model", "baseline:"], ("''", "known are")),
        (["--model", "baseline:no_such_module:make"], ("no_such_module:make", "can't be had")),
        (
            ["--model", "baseline:geodesic", "--device", "cpu"],
            ("device is cpu", "baseline:geodesic"),
        ),
        (["--model", "baseline:geodesic", "--zoom", "off"], ("zoom is off", "baseline:geodesic")),
    ],
)
def test_what_is_no_baseline_or_not_for_baselines_is_refused(
    command: Command, pairs: Path, tmp_path: Path, flags: list[str], fragments: tuple[str, ...]
) -> None:
    command("evaluate", "--data", f"pairs={pairs}", "--out", tmp_path / "o", *flags).assert_refused(
        *fragments
    )
    assert not (tmp_path / "o").exists()


def test_a_missing_package_is_named_with_its_extra(
    command: Command, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("vtmr.bench.baselines.registry.metadata.version", missing)
    result = command(
        "evaluate",
        "--data",
        f"pairs={pairs}",
        "--out",
        tmp_path / "o",
        "--model",
        "baseline:random-walker",
    )
    result.assert_refused("scikit-image", "[bench]")


def test_the_baselines_are_listed(command: Command) -> None:
    lines = command("models", "--baselines").out.splitlines()
    assert [line.split()[0] for line in lines] == [f"baseline:{name}" for name in BASELINES]
    assert all(
        baseline.description in line
        for baseline, line in zip(BASELINES.values(), lines, strict=True)
    )
    listed = json.loads(command("models", "--baselines", "--json").out)
    assert listed == [
        {"name": f"baseline:{name}", "description": baseline.description}
        for name, baseline in BASELINES.items()
    ]


def test_the_names_of_earlier_versions_are_read_with_a_note(command: Command) -> None:
    with pytest.warns(VtmrWarning, match="--peers is --baselines now: the old name is still read"):
        listed = command("models", "--peers")
    assert listed.out == command("models", "--baselines").out


@pytest.mark.parametrize(
    ("given", "present"),
    [
        (["--model", "peer:geodesic"], ["--model", "baseline:geodesic"]),
        (["--model=peer:geodesic"], ["--model=baseline:geodesic"]),
        (["--variant", "G=peer:geodesic"], ["--variant", "G=baseline:geodesic"]),
        (["--variant=G=peer:my:own"], ["--variant=G=baseline:my:own"]),
    ],
)
def test_a_baseline_by_its_old_name_is_that_baseline(given: list[str], present: list[str]) -> None:
    with pytest.warns(VtmrWarning, match="peer: is baseline: now"):
        assert by_present_names(given) == present


def test_a_flag_by_its_old_name_keeps_its_value() -> None:
    with pytest.warns(VtmrWarning, match="--second-look is --recrop-share now"):
        assert by_present_names(["export", "--second-look=0.5"]) == ["export", "--recrop-share=0.5"]
    with pytest.warns(VtmrWarning, match="--second-look is --recrop-share now"):
        assert by_present_names(["--second-look", "0.5"]) == ["--recrop-share", "0.5"]


def test_what_only_looks_like_an_old_name_stays() -> None:
    """A data set's folder, a model's file, and what stands behind `--`, which is no flag."""
    arguments = ["--data", "peer:=peer:x", "--model", "my=peer", "--", "--peers"]
    assert by_present_names(arguments) == arguments


def test_every_baseline_is_documented_with_the_size_it_works_at() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `baseline:")]
    for name, baseline in BASELINES.items():
        (row,) = [row for row in rows if f"`baseline:{name}`" in row]
        opened = baseline.open()
        assert isinstance(opened, ClassicalBaseline)
        assert f"| long side {opened.side} |" in row
