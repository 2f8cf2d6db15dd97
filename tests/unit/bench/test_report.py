"""Summaries of records written by hand; the expected figures are worked out in the comments."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from vtmr.bench import ModelInfo, Protocol, Record, print_table, summarise
from vtmr.bench.report import markdown_table
from vtmr.errors import ConfigError, DataError
from vtmr.spec import ZoomSchedule

PROTOCOL = Protocol()


def run_of(
    name: str, ious: list[float], source: str = "s", dataset: str = "d", ms: float = 10.0
) -> list[Record]:
    """One object's records; BIoU is half of the IoU."""
    return [
        Record(
            dataset,
            source,
            name,
            "0",
            k,
            1.5,
            2.5,
            True,
            iou,
            iou / 2,
            ms / 1000,
            last=k == len(ious),
        )
        for k, iou in enumerate(ious, start=1)
    ]


def test_figures_by_hand() -> None:
    records = [
        *run_of("a", [0.4, 0.86, 0.5, 0.92, 0.9]),  # NoC@85 2, NoC@90 4
        *run_of("b", [0.5] * 19 + [0.95]),  # 20 and 20, reached on the last click
        *run_of("c", [0.6] * 20, ms=30.0),  # never: 20 and 20
        *run_of("d", [0.5, 1.0]),  # 2 and 2, nothing left to click
    ]
    row = summarise(records, PROTOCOL)["d"]
    assert row["n"] == 4
    assert row["NoC@85"] == (2 + 20 + 20 + 2) / 4
    assert row["NoC@90"] == (4 + 20 + 20 + 2) / 4
    assert (row["NoF@90"], row["NoF@90_ritm"]) == (1, 2)
    assert row["IoU@1"] == pytest.approx((0.4 + 0.5 + 0.6 + 0.5) / 4)
    assert row["IoU@5"] == pytest.approx((0.9 + 0.5 + 0.6 + 1.0) / 4)
    assert row["BIoU@5"] == pytest.approx((0.9 + 0.5 + 0.6 + 1.0) / 8)
    # 27 clicks of 10 ms, 20 of 30 ms.
    assert (row["SPC_p50_ms"], row["SPC_p95_ms"]) == pytest.approx((10.0, 30.0))
    low, high = row["ci"]["NoC@90"]
    assert 2 <= low < row["NoC@90"] < high <= 20
    assert 0 <= row["ci"]["NoF@90"][0] <= 1 <= row["ci"]["NoF@90"][1] <= 4


def test_repeats_are_averaged_within_an_object() -> None:
    """Clicks to .85 and .9 in two repeats: 1 and 3 for a, 5 and 20 (never) for b."""
    first = [*run_of("a", [0.9]), *run_of("b", [0.5] * 4 + [0.9])]
    second = [*run_of("a", [0.5, 0.5, 0.9]), *run_of("b", [0.5] * 20)]
    records = [*first, *(replace(record, repeat=1) for record in second)]
    row = summarise(records, Protocol(robot="random", repeats=2))["d"]
    assert (row["n"], row["repeats"]) == (2, 2)
    assert row["NoC@90"] == ((1 + 3) / 2 + (5 + 20) / 2) / 2
    assert row["NoF@90"] == 0.5
    assert row["NoC@90_worst"] == (3 + 20) / 2
    assert row["NoC@90_std"] == pytest.approx(8.5 / 2**0.5)  # the repeats' means are 3 and 11.5
    # The two objects' means: an object is drawn with all its repeats.
    assert row["ci"]["NoC@90"] == [
        2.0,
        12.5,
    ]
    unfinished = summarise(records[:-20], Protocol(robot="random", repeats=2))["d"]
    assert unfinished["NoC@90_worst"] == 3  # b lacks a repeat


def test_a_perfect_and_a_hopeless_predictor() -> None:
    perfect = summarise([r for name in "abc" for r in run_of(name, [1.0])], PROTOCOL)["d"]
    assert (perfect["NoC@90"], perfect["IoU@1"], perfect["IoU@5"], perfect["NoF@90"]) == (
        1.0,
        1.0,
        1.0,
        0,
    )
    hopeless = summarise([r for name in "abc" for r in run_of(name, [0.0] * 20)], PROTOCOL)["d"]
    assert (hopeless["NoC@90"], hopeless["NoF@90"], hopeless["NoF@90_ritm"], hopeless["n"]) == (
        20.0,
        3,
        3,
        3,
    )


def test_a_data_set_of_several_sources_gets_a_row_for_each() -> None:
    records = [
        *run_of("a", [1.0], "duts", "validation"),
        # The same image name in another source is another object.
        *run_of("a", [0.0] * 20, "coco", "validation"),
        *run_of("x", [1.0], "grabcut", "grabcut"),
    ]
    summary = summarise(records, PROTOCOL)
    assert {name: (row["n"], row["NoC@90"]) for name, row in summary.items()} == {
        "validation": (2, 10.5),
        "validation/duts": (1, 1.0),
        "validation/coco": (1, 20.0),
        "grabcut": (1, 1.0),
    }


def test_tables_show_figures_intervals_and_rules() -> None:
    summary = summarise(run_of("a", [0.5] * 19 + [0.95]), PROTOCOL)
    model = ModelInfo(
        "lite0", "0123456789abcdef", 0.5, 2, ZoomSchedule(schedule="eager", eager_weight=0.5)
    )
    text = markdown_table(summary, PROTOCOL, model)
    assert (
        "| d | 1 | 20.00 [20.00, 20.00] | 20.00 [20.00, 20.00] | 0 [0, 0] | 0.500 [0.500, 0.500] |"
        in text
    )
    assert text.startswith("lite0 (sha256 0123456789ab, threshold 0.5, 2 threads, zoom eager=0.5)")
    assert "stops at IoU 0.85/0.9, never before click 5" in text


@pytest.mark.parametrize(("width", "intervals"), [(80, False), (140, True)])
def test_the_table_fits_its_terminal(width: int, intervals: bool) -> None:
    records = run_of("a", [0.5] * 19 + [0.95], "grabcut", "validation") + run_of(
        "a", [1.0], "duts", "validation"
    )
    output = StringIO()
    console = Console(file=output, width=width)
    print_table(summarise(records, PROTOCOL), PROTOCOL, ModelInfo("lite0"), console)
    printed = output.getvalue()
    assert max(len(line) for line in printed.splitlines()) <= width
    for whole in (
        "NoC@85",
        "NoF@90",
        "BIoU@5",
        "p95 ms",
        "validation ",
        "  grabcut ",
        "10.50",
        "0.750",
    ):
        assert whole in printed
    assert ("[20.00, 20.00]" in printed) is intervals


@pytest.mark.parametrize(
    ("protocol", "columns"),
    [
        (
            Protocol(stop="never", report_at=(1, 5, 10, 20)),
            [
                "data",
                "n",
                "NoC@85",
                "NoC@90",
                "NoF@90",
                "IoU@1",
                "IoU@20",
                "BIoU@20",
                "p50",
                "ms",
                "p95",
                "ms",
            ],
        ),
        (
            Protocol(robot="random", repeats=2),
            [
                "data",
                "n",
                "NoC@85",
                "NoC@90",
                "NoC@90",
                "std",
                "NoC@90",
                "worst",
                "IoU@5",
                "p50",
                "ms",
                "p95",
                "ms",
            ],
        ),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns(protocol: Protocol, columns: list[str]) -> None:
    """No name in the header is broken; table.md and a wide terminal have them all."""
    runs = [
        replace(record, repeat=repeat)
        for repeat in (0, 1)
        for record in run_of("a", [0.5, 0.95], "s", "validation")
    ]
    summary = summarise(runs if protocol.repeats > 1 else runs[:2], protocol)
    output = StringIO()
    console = Console(file=output, width=80)
    print_table(summary, protocol, ModelInfo("lite0"), console)
    header = next(line for line in output.getvalue().splitlines() if "NoC@85" in line)
    assert header.split() == columns
    assert "IoU@5" in markdown_table(summary, protocol, ModelInfo("lite0"))


def test_no_records_are_refused() -> None:
    with pytest.raises(DataError, match="no records"):
        summarise([], PROTOCOL)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"max_clicks": 0}, "min_clicks is 5: expected 1 to max_clicks .0."),
        ({"min_clicks": 21}, "min_clicks is 21"),
        ({"targets": ()}, "targets are"),
        ({"targets": (90.0,)}, r"targets are \(90.0,\)"),
        ({"report_at": (1, 6)}, "may stop after that"),
    ],
)
def test_contradicting_rules_are_refused(rules: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Protocol(**rules)
