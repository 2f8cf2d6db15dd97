"""The paper's experiments on tiny data with a predictor that knows the truth or clicks' places:
what is played, and the table, which must be what the records say."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from players import Discs, Player, columns, ellipses, oracle, sample
from rich.console import Console

from vtmr.bench import ModelInfo, read_records, summarise
from vtmr.bench.experiments import (
    EXPERIMENTS,
    Condition,
    Contender,
    find_experiment,
    run_experiment,
)
from vtmr.bench.folder import read_run
from vtmr.errors import ConfigError

SAMPLES = [sample(str(i)) for i in range(2)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the repository's commit, many resamples and pictures, which test_report_page.py looks
    at."""
    monkeypatch.setattr("vtmr.provenance.commit", lambda: "")
    monkeypatch.setattr("vtmr.bench.metrics.RESAMPLES", 20)
    monkeypatch.setattr("vtmr.bench.document.draw_pictures", lambda *_: ({}, []))


@dataclass
class Opener:
    """Hands out one predictor, and keeps the conditions that it was asked for."""

    predictor: Player | Discs
    asked: list[Condition] = field(default_factory=list)

    def __call__(self, condition: Condition) -> Contender:
        self.asked.append(condition)
        return Contender(self.predictor, ModelInfo(self.predictor.name))


def lines(table: Path) -> list[list[str]]:
    """The cells of the page's first table, without its header."""
    rows = table.read_text().split("\n\n")[2].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


CONDITIONS = {"table3": 2, "table6": 3, "robots": 2, "correction": 2, "people": 4, "boxes": 5}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_plays_and_reports_from_its_records(name: str, tmp_path: Path) -> None:
    experiment = find_experiment(name)
    models = {"one": Opener(columns(*[0.5, 0.86, 0.95] + [0.96] * 17)), "two": Opener(oracle())}
    table = run_experiment(experiment, models, SAMPLES, tmp_path)
    count = CONDITIONS.get(name, 1)
    folders = sorted((tmp_path / "runs").iterdir())
    assert len(folders) == 2 * count
    cells = lines(table)
    assert len(cells) == 2 * count
    for label, *values in cells:
        (folder,) = [
            folder
            for folder in folders
            if folder.name == label.replace(", ", "-").replace(" ", "-")
        ]
        row = summarise(read_records(folder), read_run(folder).protocol)["pairs"]
        told = [figure for figure in experiment.figures if figure in row]  # players have no crops
        assert [value for value in values if value == "–"] == ["–"] * (
            len(experiment.figures) - len(told)
        )
        expected = [f"{row[figure]:.1f}" if "SPC" in figure else row[figure] for figure in told]
        shown = [float(value.split(" ")[0]) for value in values if value != "–"]
        assert shown[: len(told)] == pytest.approx([float(e) for e in expected], abs=6e-3)
        assert len(shown) == len(told) + bool(experiment.ratio)
    assert [condition.name for condition in models["one"].asked] == [
        each.name for each in experiment.conditions
    ]
    assert (tmp_path / "report" / "report.md").exists()


def test_an_experiment_goes_on_where_it_was_left(tmp_path: Path) -> None:
    discs = Opener(Discs())
    first = run_experiment(
        find_experiment("table1"), {"discs": discs}, ellipses()[:3], tmp_path
    ).read_text()
    player = Opener(Player(lambda *_: pytest.fail("an object was played again"), name="discs"))
    again = run_experiment(
        find_experiment("table1"), {"discs": player}, ellipses()[:3], tmp_path
    ).read_text()
    assert again == first


def test_table1_compares_models_on_the_same_objects(tmp_path: Path) -> None:
    """Six objects: 3 clicks to .9 against 1."""
    models = {"slow": Opener(columns(0.5, 0.86, 1.0)), "quick": Opener(oracle())}
    page = run_experiment(
        find_experiment("table1"), models, [sample(str(i)) for i in range(6)], tmp_path
    ).read_text()
    assert "| slow | 2.00 [2.00, 2.00] | 3.00 [3.00, 3.00] |" in page
    assert "| quick | **−1.00** [−1.00, −1.00] better | **−2.00** [−2.00, −2.00] better |" in page


def test_two_data_sets_are_named_in_the_header(tmp_path: Path) -> None:
    samples = [sample("a"), sample("b", dataset="grabcut")]
    page = run_experiment(
        find_experiment("table1"), {"m": Opener(oracle())}, samples, tmp_path
    ).read_text()
    assert "| run | pairs NoC@85 | pairs NoC@90 | grabcut NoC@85 | grabcut NoC@90 |" in page
    assert "Objects: pairs: 1, grabcut: 1." in page


def test_table2_plays_all_clicks(tmp_path: Path) -> None:
    shares = [0.5, 0.94] + [0.96] * 18
    run_experiment(
        find_experiment("table2"), {"m": Opener(columns(*shares))}, SAMPLES[:1], tmp_path
    )
    assert [record.iou for record in read_records(tmp_path / "runs" / "m")] == shares


def test_table3_begins_with_ten_masks_of_iou_8(tmp_path: Path) -> None:
    """The oracle is right at once where its answer isn't merged; merged, a click mends one part of
    the error."""
    run_experiment(find_experiment("table3"), {"m": Opener(oracle())}, SAMPLES[:1], tmp_path)
    merged, unmerged = (
        read_records(tmp_path / "runs" / name) for name in ("m-merged", "m-not-merged")
    )
    assert {record.repeat for record in merged} == set(range(10))
    assert [record.iou for record in unmerged] == [1.0] * 10
    # No click on a mask of .8 ± .02 makes it worse.
    assert all(record.iou > 0.78 for record in merged)
    assert len(merged) > 10
    (protocol,) = {read_run(tmp_path / "runs" / "m-merged").protocol}
    assert (protocol.initial_mask, protocol.initial_iou, protocol.repeats, protocol.merge) == (
        "perturbed",
        0.8,
        10,
        True,
    )


def test_table6_asks_for_each_guidance(tmp_path: Path) -> None:
    opener = Opener(oracle())
    run_experiment(find_experiment("table6"), {"m": opener}, SAMPLES[:1], tmp_path)
    assert [condition.guidance for condition in opener.asked] == ["mask", "clicks", "both"]


@pytest.mark.parametrize("name", ["table4", "table5"])
def test_ablations_need_variants(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=f"{name} compares variants, and has 1: expected at least 2"
    ):
        run_experiment(find_experiment(name), {"m": Opener(oracle())}, SAMPLES, tmp_path)
    assert not list(tmp_path.iterdir())


def test_labels_that_share_a_folder_are_refused(tmp_path: Path) -> None:
    models = {"no zoom": Opener(oracle()), "No-Zoom": Opener(oracle())}
    with pytest.raises(ConfigError, match="no zoom and No-Zoom are too much alike"):
        run_experiment(find_experiment("table4"), models, SAMPLES, tmp_path)


def test_an_unknown_experiment_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"'tabel3': known are table1, .*correction\. Did you mean 'table3'\?"
    ):
        find_experiment("tabel3")


def test_clicks_of_people_are_given_as_multiples_of_the_robot_s(tmp_path: Path) -> None:
    """Discs grow around clicks: one in the middle covers what several at an edge do. The ratio is
    that of the two NoC@90 in the same table."""
    experiment = find_experiment("people")
    shapes = ellipses()[:3]
    models = {"one": Opener(oracle()), "two": Opener(Discs())}
    table = run_experiment(experiment, models, shapes, tmp_path)
    header = table.read_text().split("\n\n")[2].splitlines()[0]
    names = [cell.strip() for cell in header.strip("|").split("|")]
    assert names[-1] == "pairs × NoC@90"
    rows = {label: values for label, *values in lines(table)}
    column = names.index("NoC@90") - 1
    for model in models:
        first = float(rows[f"{model}, deterministic robot"][column].split(" ")[0])
        assert rows[f"{model}, deterministic robot"][-1] == "1.00"
        for robot in ("random", "parts", "edge"):
            values = rows[f"{model}, {robot} robot"]
            expected = float(values[column].split(" ")[0]) / first
            assert float(values[-1]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("width", "intervals"), [(100, False), (160, True)])
def test_many_figures_are_printed_in_a_table_for_each_data_set(
    width: int, intervals: bool, tmp_path: Path
) -> None:
    """Two data sets of nine figures would be a table of twenty columns."""
    out = Console(width=width, record=True, file=io.StringIO())
    run_experiment(
        find_experiment("people"), {"one": Opener(Discs())}, ellipses()[2:6], tmp_path, console=out
    )
    text = out.export_text()
    assert text.count("minus one") == 2
    assert ("[" in text) is intervals
