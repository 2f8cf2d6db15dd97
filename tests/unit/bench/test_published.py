"""The systems of Table 1, and the table beside published figures; expected values are the paper's
Table 1 and its authors' pages (docs/method.md §J, docs/experiments.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from players import Player, columns, sample

from vtmr.bench import ModelInfo
from vtmr.bench.experiments import Condition, Contender, find_experiment, run_experiment
from vtmr.bench.systems import SETS, SYSTEMS
from vtmr.data import EvalSample


def test_every_system_of_table_1_is_there() -> None:
    titles = {system.title.split(",")[0] for system in SYSTEMS}
    assert titles == {
        *("RIS-Net", "LD", "CAG", "BRS", "FCA", "f-BRS-B", "CDNet"),
        *("RITM", "EdgeFlow", "FCFI", "FocalClick", "VTMR"),
    }
    for system in SYSTEMS:
        assert system.licence and system.where
        assert set(system.own) | set(system.quoted) <= set(SETS)
        for figures in (system.own, system.quoted):
            assert all(1 <= v < 20 for pair in figures.values() for v in pair if v is not None)
            assert all(a <= b for a, b in figures.values() if a is not None and b is not None)
    names = [system.name for system in SYSTEMS if system.name]
    assert len(names) == len(set(names))


def test_each_importable_network_says_how_its_file_is_checked() -> None:
    from vtmr.models import BUILDERS

    known = {system.name: system for system in SYSTEMS if system.check}
    theirs = {name for name in BUILDERS if not name.startswith(("lite0", "vtmr"))}
    assert theirs - known.keys() <= {"cdnet-resnet101"}  # whose file was never released
    assert known["brs-densenet"].check == (
        "vtmr import BRS_DenseNet.caffemodel -o brs-densenet.safetensors"
    )
    assert "--vgg imagenet-vgg-verydeep-19.mat" in known["ld-vgg19"].check


def named(data: str, stem: str) -> EvalSample:
    from dataclasses import replace

    return replace(sample(stem), dataset=data)


def test_the_page_has_published_figures_and_differences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a player that takes 2 clicks to .85 and 3 to .90, beside RITM's 1.54 and 1.68."""
    monkeypatch.setattr("vtmr.provenance.commit", lambda: "")
    monkeypatch.setattr("vtmr.bench.metrics.RESAMPLES", 20)
    monkeypatch.setattr("vtmr.bench.document.draw_pictures", lambda *_: ({}, []))
    player = columns(*[0.5, 0.86, 0.95] + [0.96] * 17)

    def opened(model: str) -> object:
        def opener(condition: Condition) -> Contender:
            return Contender(Player(player.answer, model), ModelInfo(model))

        return opener

    samples = [named("grabcut", "a"), named("grabcut", "b")]
    models = {"ritm": opened("ritm-hrnet18s"), "ours": opened("lite0")}
    page = run_experiment(find_experiment("table1"), models, samples, tmp_path).read_text()  # type: ignore[arg-type]
    assert "| ritm | grabcut | 2 | NoC@85 | 2.00 | 1.54 | +0.46 |" in page
    assert "| ritm | grabcut | 2 | NoC@90 | 3.00 | 1.68 | +1.32 |" in page
    assert "| ours | grabcut |" not in page
    alone = page.split("## Published figures alone")[1]
    assert "| RIS-Net | – / 5.00* | – / 6.03* | – | – | neither code nor weights exist" in alone
    assert "RITM, HRNet18s" not in alone
    assert "| RITM, HRNet32 | 1.46 / 1.56 | – / 2.10 | 3.59 / 5.71 | 4.11 / 5.34 |" in alone
    other = run_experiment(find_experiment("robots"), models, samples, tmp_path / "other")  # type: ignore[arg-type]
    assert "Published figures" not in other.read_text()
