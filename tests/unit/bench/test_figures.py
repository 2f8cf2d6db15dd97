"""Figures and curves per object, from records written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vtmr.bench import Protocol, Record
from vtmr.bench.figures import curves_of, objects_of, rows_of, runs_of

PROTOCOL = Protocol(max_clicks=4, min_clicks=2, report_at=(1, 2))


def run_of(name: str, ious: list[float], repeat: int = 0, source: str = "s") -> list[Record]:
    """One object's records; BIoU is half of the IoU."""
    return [
        Record(
            "d",
            source,
            name,
            "0",
            k,
            1.5,
            2.5,
            True,
            iou,
            iou / 2,
            0.01,
            last=k == len(ious),
            repeat=repeat,
        )
        for k, iou in enumerate(ious, start=1)
    ]


def test_values_go_on_after_an_object_stopped() -> None:
    objects = objects_of([*run_of("a", [0.5, 0.9]), *run_of("b", [0.1, 0.2, 0.3, 0.86])], PROTOCOL)
    assert objects.keys == (("d", "s", "a", "0"), ("d", "s", "b", "0"))
    assert objects.iou.tolist() == [[0.5, 0.9, 0.9, 0.9], [0.1, 0.2, 0.3, 0.86]]
    assert objects.biou.tolist() == (objects.iou / 2).tolist()
    assert objects.reached[0.85].tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]
    assert objects.clicks.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1]]  # b never reaches .9
    assert objects.values["NoC@90"].tolist() == [2, 4]
    assert objects.values["NoF@90"].tolist() == [0, 1]


def test_repeats_are_averaged() -> None:
    """a reaches .9 at click 1 or, in its other repeat, never; the repeats may come in any order."""
    objects = objects_of([*run_of("a", [0.2] * 4, repeat=1), *run_of("a", [0.9, 1.0])], PROTOCOL)
    assert objects.values["NoC@90"].tolist() == [2.5]
    assert objects.values["NoF@90"].tolist() == [0.5]
    assert objects.iou == pytest.approx(np.array([[0.55, 0.6, 0.6, 0.6]]))
    assert objects.clicks.tolist() == [[0.5, 0, 0, 0, 0.5]]


def test_objects_are_found_by_name() -> None:
    objects = objects_of([*run_of("a", [0.5, 0.9]), *run_of("b", [0.1, 0.2])], PROTOCOL)
    found = objects.of([("d", "s", "b", "0"), ("d", "s", "a", "0")], ["IoU@2", "IoU@1"])
    assert found.tolist() == [[0.2, 0.1], [0.9, 0.5]]


def test_curves_are_means_within_their_intervals() -> None:
    objects = objects_of([*run_of("a", [0.5, 0.9]), *run_of("b", [0.1, 0.2, 0.3, 0.86])], PROTOCOL)
    curves = curves_of(objects, seed=1)
    assert list(curves) == ["IoU", "BIoU", "IoU ≥ 0.85", "IoU ≥ 0.9"]
    assert curves["IoU"].mean == pytest.approx([0.3, 0.55, 0.6, 0.88])
    # Of two objects, a resample may hold one twice.
    assert curves["IoU"].low == pytest.approx([0.1, 0.2, 0.3, 0.86])
    assert curves["IoU"].high == pytest.approx([0.5, 0.9, 0.9, 0.9])
    assert curves["IoU ≥ 0.9"].mean.tolist() == [0, 0.5, 0.5, 0.5]


def test_rows_split_a_data_set_of_several_sources() -> None:
    one, other = run_of("a", [0.5]), run_of("a", [0.6], source="t")
    assert rows_of(one) == {"d": one}
    assert rows_of([*one, *other]) == {"d": [*one, *other], "d/s": one, "d/t": other}
    assert len(runs_of([*one, *(replace(record, repeat=1) for record in one)])) == 1
