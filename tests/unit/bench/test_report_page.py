"""A report's files, from runs whose outcome is known: what they say equals what the records say."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from players import Player, columns, oracle, sample

from vtmr.bench import ModelInfo, Protocol, Shard, evaluate, read_records, summarise
from vtmr.bench.document import write_report
from vtmr.bench.labelled_runs import labels_of, open_runs, sections_of
from vtmr.data import EvalSample
from vtmr.errors import ConfigError, DataError, InputError

SAMPLES = [sample(str(i)) for i in range(6)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking the repository for its commit, and without as many resamples."""
    monkeypatch.setattr("vtmr.provenance.commit", lambda: "")
    monkeypatch.setattr("vtmr.bench.metrics.RESAMPLES", 50)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtmr.bench.document.draw_pictures", lambda *_: ({}, []))


def play(
    out: Path, player: Player, samples: list[EvalSample] = SAMPLES, protocol: Protocol | None = None
) -> Path:
    evaluate(samples, player, protocol or Protocol(), out, model=ModelInfo(player.name, threads=1))
    return out


def report(folders: list[Path], out: Path, **how: Any) -> tuple[str, list[str]]:
    notes = write_report(open_runs(labels_of(folders)), out, **how)
    return (out / "report.md").read_text(), notes


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text())))


@pytest.mark.usefixtures("undrawn")
def test_two_runs_side_by_side(tmp_path: Path) -> None:
    """The oracle needs 1 click, the other 3 for .9 and 2 for .85, for each of six objects."""
    slow, quick = (
        play(tmp_path / "slow", columns(0.5, 0.86, 1.0)),
        play(tmp_path / "quick", oracle()),
    )
    page, notes = report([slow, quick], tmp_path / "out")
    assert notes == []
    assert page.startswith(
        "# slow · quick\n\n| run | model | commit | processor | objects | clicks |\n"
    )
    assert "| slow | player (1 thread) | unknown |" in page
    assert (
        "| slow | 6 | 2.00 [2.00, 2.00] | 0 [0, 0] | 3.00 [3.00, 3.00] | 0 [0, 0] | 0.500 [0.500, "
        "0.500] |" in page
    )
    assert "| minus slow | objects | NoC@85 | NoF@85 | NoC@90 | NoF@90 |" in page
    assert (
        "| quick | 6 | **−1.00** [−1.00, −1.00] better | = | **−2.00** [−2.00, −2.00] better | = |"
        in page
    )
    assert "Settings that differ" not in page
    assert "fewer than 6 objects" in page  # what isn't resolved is explained


@pytest.mark.usefixtures("undrawn")
def test_the_files_hold_what_the_records_say(tmp_path: Path) -> None:
    slow, quick = (
        play(tmp_path / "slow", columns(0.5, 0.86, 1.0)),
        play(tmp_path / "quick", oracle()),
    )
    report([slow, quick], tmp_path / "out")
    expected = summarise(read_records(slow), Protocol())["pairs"]
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["data"]["pairs"]["runs"]["slow"] == json.loads(json.dumps(expected))
    assert content["data"]["pairs"]["curves"]["slow"]["IoU"]["mean"] == pytest.approx(
        [0.5, 0.86, *[1.0] * 18]
    )
    assert [run["label"] for run in content["runs"]] == ["slow", "quick"]
    assert content["runs"][0]["settings"]["protocol"]["max_clicks"] == 20
    figures = {
        row["figure"]: row for row in rows(tmp_path / "out" / "figures.csv") if row["run"] == "slow"
    }
    assert set(figures) == set(expected) - {"n", "ci"}
    assert float(figures["NoC@90"]["value"]) == float(figures["NoC@90"]["high"]) == 3
    assert figures["SPC_p50_ms"]["low"] == ""
    differences = {row["figure"]: row for row in rows(tmp_path / "out" / "differences.csv")}
    assert [differences["NoC@90"][name] for name in ("run", "n", "difference", "reading")] == [
        "quick",
        "6",
        "-2.0",
        "better",
    ]


@pytest.mark.usefixtures("undrawn")
def test_what_limits_a_report_is_said(tmp_path: Path) -> None:
    """Another protocol, two objects less, an interrupted run, and a data set that the first run
    lacks."""
    one = play(tmp_path / "one", oracle())
    few = play(tmp_path / "few", oracle(), SAMPLES[:4], Protocol(max_clicks=10))
    cut = play(tmp_path / "cut", oracle(), [*SAMPLES, sample("x", dataset="grabcut")])
    lines = (cut / "records.jsonl").read_text().splitlines(keepends=True)
    (cut / "records.jsonl").write_text("".join([*lines[:3], lines[-1]]))
    page, notes = report([one, few, cut], tmp_path / "out")
    assert notes == [
        "cut is unfinished: it lacks 3 of 7 runs of objects.",
        "pairs: few has 4 objects, one 6; their difference is over the 4 that both have.",
        "pairs: cut has 3 objects, one 6; their difference is over the 3 that both have.",
    ]
    assert all(f"* {note}\n" in page for note in notes)
    assert "| protocol.max_clicks | `20` | `10` | `20` |" in page
    grabcut = page.partition("## grabcut")[2].partition("##")[0]
    assert "| cut | 1 |" in grabcut
    assert "minus" not in grabcut


@pytest.mark.usefixtures("undrawn")
def test_folders_of_older_versions_are_read(tmp_path: Path) -> None:
    """Without the list of objects, the data's place, and the rules that the protocol has gained
    since."""
    old = play(tmp_path / "old", oracle())
    (old / "objects.json").unlink()
    run = json.loads((old / "run.json").read_text())
    for sitting in run["sittings"]:
        del sitting["data"]
    for rule in ("robot", "repeats", "initial_mask", "initial_iou", "merge", "stop", "threshold"):
        del run["settings"]["protocol"][rule]
    (old / "run.json").write_text(json.dumps(run))
    page, notes = report([old, play(tmp_path / "new", oracle())], tmp_path / "out")
    assert notes == []
    assert "Settings that differ" not in page


@pytest.mark.usefixtures("undrawn")
def test_a_shard_is_whole_when_its_part_is_there(tmp_path: Path) -> None:
    evaluate(SAMPLES[:5], oracle(), Protocol(), tmp_path / "part", shard=Shard(2, 2))
    _, notes = report([tmp_path / "part"], tmp_path / "out")
    assert notes == []


@pytest.mark.usefixtures("undrawn")
def test_runs_of_different_targets_and_clicks_share_a_table(tmp_path: Path) -> None:
    one = play(tmp_path / "one", oracle())
    other = play(
        tmp_path / "other", oracle(), protocol=Protocol(targets=(0.9, 0.95), report_at=(1,))
    )
    page, _ = report([one, other], tmp_path / "out")
    assert (
        "| run | n | NoC@85 | NoF@85 | NoC@90 | NoF@90 | IoU@1 | BIoU@1 | IoU@5 | BIoU@5 | NoC@95 "
        "| NoF@95 |" in page
    )
    assert "| other | 6 | – | – | 1.00 [1.00, 1.00] |" in page
    assert "| minus one | objects | NoC@90 | NoF@90 | IoU@1 | BIoU@1 |" in page


def test_labels_tell_folders_apart() -> None:
    assert list(labels_of([Path("a/x"), Path("a/y")])) == ["x", "y"]
    assert list(labels_of([Path("a/run"), Path("b/run"), Path("c/z")])) == ["a/run", "b/run", "c/z"]
    with pytest.raises(ConfigError, match="is given twice"):
        labels_of([Path("a/x"), Path("a/../a/x")])


def test_folders_without_a_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no run\.json"):
        open_runs({"none": tmp_path})
    begun = play(tmp_path / "begun", oracle())
    (begun / "records.jsonl").write_text("")
    with pytest.raises(DataError, match="holds no finished object"):
        open_runs({"begun": begun})


@pytest.mark.usefixtures("undrawn")
def test_a_folder_that_cant_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be made"):
        report([play(tmp_path / "one", oracle())], tmp_path / "file")


def test_sections_are_data_sets_and_their_sources(tmp_path: Path) -> None:
    samples = [
        sample("a", "validation", "duts"),
        sample("a", "validation", "coco"),
        sample("b", "validation", "coco"),
    ]
    found = sections_of(open_runs({"one": play(tmp_path / "one", oracle(), samples)}))
    assert [
        (section.name, section.is_whole, len(section.objects["one"].keys)) for section in found
    ] == [
        ("validation", True, 3),
        ("validation/duts", False, 1),
        ("validation/coco", False, 2),
    ]
    assert [bool(section.curves) for section in found] == [True, False, False]


@pytest.mark.slow
def test_pictures_are_drawn_where_the_images_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = play(tmp_path / "one", oracle()), play(tmp_path / "two words", columns(0.5, 1.0))
    monkeypatch.setattr("vtmr.bench.pictures.open_benchmark", lambda name, path: SAMPLES)
    page, notes = report(
        [one, two], tmp_path / "with", data={"pairs": tmp_path}, predictors={"one": oracle()}
    )
    assert notes == []
    names = [
        "pairs-clicks.png",
        "pairs-quality.png",
        "pairs-worst-one.jpg",
        "pairs-worst-two-words.jpg",
    ]
    assert (
        sorted(
            path.name for path in (tmp_path / "with").iterdir() if path.suffix in (".png", ".jpg")
        )
        == names
    )
    assert all(f"]({name})" in page for name in names)
    three = play(tmp_path / "three", oracle(), protocol=Protocol(targets=(0.9, 0.95)))
    _, notes = report([one, three], tmp_path / "without")
    assert notes == [
        "pairs: no sheet of the worst objects. No run says where its images are: give --data "
        "pairs=PATH."
    ]
    monkeypatch.setattr("vtmr.bench.pictures.open_benchmark", lambda name, path: SAMPLES[:3])
    _, notes = report([one], tmp_path / "other", data={"pairs": tmp_path})
    assert [note.partition(":")[2] for note in notes] == [
        " no sheet of the worst objects. The data set lacks pairs/pairs/3/0 of one: give another "
        "--data pairs=PATH."
    ]
