"""What each object of a run is worth: figures and curves per object, read from its clicks'
records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtmr.bench.metrics import clicks_to_reach, fails, mean_band, noc, value_at_click
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import ObjectKey, Record

Values = NDArray[np.float64]
REACHED = "IoU ≥ {:g}"
Run = list[Record]  # one object, clicked once from the first click to the last


@dataclass(frozen=True, slots=True)
class Objects:
    """The N objects of one row of a table, in the order of their records; an object's repeats are
    averaged.

    values: {figure: N values}: for each target q NoC@q, NoF@q (strict) and NoF@q_ritm as shares of
    failed repeats, for each reported click k IoU@k and BIoU@k, and where the records say so cut@k,
    the share of masks that are cut, and the mean of passes a click. iou, biou: N x K, after each
    click
    up to the protocol's most; where a run ended its last value goes on. reached: {q: N x K}, the
    share of repeats that had reached IoU q by then. clicks: N x (K + 1), the share that needed 1,
    2, … K clicks for the highest target and, last, that never reached it.
    """

    keys: tuple[ObjectKey, ...]
    values: dict[str, Values]
    iou: Values
    biou: Values
    reached: dict[float, Values]
    clicks: Values

    def of(self, keys: Sequence[ObjectKey], figures: Sequence[str]) -> Values:
        """Some figures of some of the objects: a row for each of `keys`, a column for each of
        `figures`."""
        place = {key: i for i, key in enumerate(self.keys)}
        return np.stack([self.values[figure] for figure in figures], axis=1)[
            [place[key] for key in keys]
        ]


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean over objects after each of K clicks, and its 95 % bootstrap interval: three arrays of
    K values."""

    mean: Values
    low: Values
    high: Values


def curves_of(objects: Objects, seed: int) -> dict[str, Curve]:
    """{name: curve}: IoU, BIoU, and for each target q, as REACHED names it, the share of objects
    that had reached q."""
    rows = {"IoU": objects.iou, "BIoU": objects.biou}
    rows |= {REACHED.format(q): values for q, values in objects.reached.items()}
    return {
        name: Curve(values.mean(axis=0), *mean_band(values, seed)) for name, values in rows.items()
    }


def rows_of(records: Sequence[Record]) -> dict[str, list[Record]]:
    """{row's name: its records}: one for each data set and, where that mixes several sources, each
    DATASET/SOURCE."""
    sources: dict[str, set[str]] = {}
    for record in records:
        sources.setdefault(record.dataset, set()).add(record.source)
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(record.dataset, []).append(record)
        if len(sources[record.dataset]) > 1:
            rows.setdefault(f"{record.dataset}/{record.source}", []).append(record)
    return rows


def runs_of(records: Iterable[Record]) -> dict[ObjectKey, list[Run]]:
    """{object: its repeats, in their order}, each from its first click to its last."""
    runs: dict[ObjectKey, dict[int, Run]] = {}
    for record in records:
        runs.setdefault(record.object_key, {}).setdefault(record.repeat, []).append(record)
    return {key: [repeats[number] for number in sorted(repeats)] for key, repeats in runs.items()}


def objects_of(records: Iterable[Record], protocol: Protocol) -> Objects:
    """The figures of each object in `records`, which are whole runs."""
    runs = runs_of(records)
    most = protocol.max_clicks
    ious = [[[record.iou for record in run] for run in repeats] for repeats in runs.values()]
    bious = [[[record.biou for record in run] for run in repeats] for repeats in runs.values()]
    values: dict[str, Values] = {}
    for target in protocol.targets:
        name = f"{100 * target:g}"
        values[f"NoC@{name}"] = _averaged(
            [[noc(run, target, most) for run in repeats] for repeats in ious]
        )
        values[f"NoF@{name}"] = _averaged(
            [[fails(run, target, most) for run in repeats] for repeats in ious]
        )
        values[f"NoF@{name}_ritm"] = _averaged(
            [
                [fails(run, target, most, ritm_compatible=True) for run in repeats]
                for repeats in ious
            ]
        )
    for k in protocol.report_at:
        values[f"IoU@{k}"] = _averaged(
            [[value_at_click(run, k) for run in repeats] for repeats in ious]
        )
        values[f"BIoU@{k}"] = _averaged(
            [[value_at_click(run, k) for run in repeats] for repeats in bious]
        )
    values |= _views(list(runs.values()), protocol)
    needed = {
        target: [[clicks_to_reach(run, target) or most + 1 for run in repeats] for repeats in ious]
        for target in protocol.targets
    }
    return Objects(
        tuple(runs),
        values,
        _averaged([[_filled(run, most) for run in repeats] for repeats in ious]),
        _averaged([[_filled(run, most) for run in repeats] for repeats in bious]),
        {
            target: _averaged(
                [[np.arange(1, most + 1) >= k for k in repeats] for repeats in clicks]
            )
            for target, clicks in needed.items()
        },
        _averaged(
            [[np.arange(1, most + 2) == k for k in repeats] for repeats in needed[max(needed)]]
        ),
    )


def _views(objects: Sequence[Sequence[Run]], protocol: Protocol) -> dict[str, Values]:
    """cut@k for each reported click, and passes; without what some record doesn't say."""
    cuts = _told(objects, lambda record: record.cut)
    passes = _told(objects, lambda record: record.passes)
    values = {
        f"cut@{k}": _averaged([[value_at_click(run, k) for run in repeats] for repeats in cuts])
        for k in (protocol.report_at if cuts else ())
    }
    if passes:
        values["passes"] = _averaged([[np.mean(run) for run in repeats] for repeats in passes])
    return values


def _told(
    objects: Sequence[Sequence[Run]], read: Callable[[Record], float | None]
) -> list[list[list[float]]]:
    """A value of every record, by object and repeat; empty where one of them is None."""
    values = [[[read(record) for record in run] for run in repeats] for repeats in objects]
    told = [
        [[value for value in run if value is not None] for run in repeats] for repeats in values
    ]
    return told if told == values else []


def over_repeats(records: Iterable[Record], protocol: Protocol) -> dict[str, float]:
    """What clicking the same objects again changes, for each target q, over the objects that have
    all their repeats.

    NoC@q_std: standard deviation, over the repeats, of their mean NoC. NoC@q_worst: the mean over
    objects of the repeat that took most clicks. Empty where there are no repeats.
    """
    runs = [
        repeats for repeats in runs_of(records).values() if len(repeats) == protocol.repeats > 1
    ]
    figures = {}
    for target in protocol.targets if runs else ():
        counts = np.array(
            [
                [
                    noc([record.iou for record in run], target, protocol.max_clicks)
                    for run in repeats
                ]
                for repeats in runs
            ]
        )
        figures[f"NoC@{100 * target:g}_std"] = float(counts.mean(axis=0).std(ddof=1))
        figures[f"NoC@{100 * target:g}_worst"] = float(counts.max(axis=1).mean())
    return figures


def _filled(values: list[float], length: int) -> list[float]:
    """With the last value repeated up to the length."""
    return values + values[-1:] * (length - len(values))


def _averaged(objects: Sequence[Sequence[object]]) -> Values:
    """The mean over each object's repeats, which may be numbers or rows of them."""
    return np.array([np.mean(np.asarray(repeats, np.float64), axis=0) for repeats in objects])
