"""What each object of a run is worth: figures and curves per object, read from its clicks'
records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtmr.bench.metrics import clicks_to_reach, fails, mean_band, noc, value_at_click
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import ObjectKey, Record

Values = NDArray[np.float64]
LATE_CLICKS = slice(3, 10)  # numbers 4 to 10: those on the rims that are left
REACHED = "IoU ≥ {:g}"
Run = list[Record]  # one object, clicked once from the first click to the last


@dataclass(frozen=True, slots=True)
class Objects:
    """The N objects of one row of a table, in the order of their records; an object's repeats are
    averaged.

    values: {figure: N values}: for each target q NoC@q, NoF@q (strict) and NoF@q_ritm as shares of
    failed repeats, for each reported click k IoU@k and BIoU@k, and where the records say so cut@k,
    the share of masks that are cut, the mean of passes a click, and of what remains after late
    clicks. iou, biou: N x K, after each
    click up to the protocol's most; where a run ended its last value goes on. reached: {q: N x K},
    the share of repeats that had reached IoU q by then. clicks: N x (K + 1), the share that needed
    1, 2, … K clicks for the highest target and, last, that never reached it.
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
        place = {key: row for row, key in enumerate(self.keys)}
        columns = np.stack([self.values[figure] for figure in figures], axis=1)
        return columns[[place[key] for key in keys]]


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
    for target, values in objects.reached.items():
        rows[REACHED.format(target)] = values
    curves: dict[str, Curve] = {}
    for name, values in rows.items():
        curves[name] = Curve(values.mean(axis=0), *mean_band(values, seed))
    return curves


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
    # An unfinished run of several processes has repeats in the order in which they ended.
    ordered: dict[ObjectKey, list[Run]] = {}
    for key, repeats in runs.items():
        ordered[key] = [repeats[number] for number in sorted(repeats)]
    return ordered


def objects_of(records: Iterable[Record], protocol: Protocol) -> Objects:
    """The figures of each object in `records`, which are whole runs."""
    runs = runs_of(records)
    most, values = protocol.max_clicks, dict[str, Values]()
    ious = _read(runs.values(), lambda record: record.iou)
    bious = _read(runs.values(), lambda record: record.biou)
    for target in protocol.targets:
        name = f"{100 * target:g}"
        failed = partial(fails, target=target, max_clicks=most)
        values[f"NoC@{name}"] = _measured(ious, partial(noc, target=target, max_clicks=most))
        values[f"NoF@{name}"] = _measured(ious, failed)
        values[f"NoF@{name}_ritm"] = _measured(ious, partial(failed, ritm_compatible=True))
    for k in protocol.report_at:
        values[f"IoU@{k}"] = _measured(ious, partial(value_at_click, click=k))
        values[f"BIoU@{k}"] = _measured(bious, partial(value_at_click, click=k))
    values |= _views(list(runs.values()), protocol)
    reached: dict[float, Values] = {}
    for target in protocol.targets:
        reached[target] = _measured(ious, partial(_has_reached, target=target, most=most))
    return Objects(
        tuple(runs),
        values,
        _measured(ious, partial(_filled, length=most)),
        _measured(bious, partial(_filled, length=most)),
        reached,
        _measured(ious, partial(_took, target=max(protocol.targets), most=most)),
    )


def _views(objects: Sequence[Sequence[Run]], protocol: Protocol) -> dict[str, Values]:
    """cut@k for each reported click, passes and what remains; without what some record doesn't
    say."""
    values: dict[str, Values] = {}
    cuts = _told(objects, lambda record: record.cut)
    if cuts:
        for k in protocol.report_at:
            values[f"cut@{k}"] = _measured(cuts, partial(value_at_click, click=k))
    passes = _told(objects, lambda record: record.passes)
    if passes:
        values["passes"] = _measured(passes, np.mean)
    remains = _told(objects, lambda record: record.remains)
    if remains:
        values["remains"] = _measured(remains, _after_late_clicks)
    return values


def _told(
    objects: Sequence[Sequence[Run]], read: Callable[[Record], float | None]
) -> list[list[list[float]]]:
    """A value of every record, by object and repeat; empty where one of them is None."""
    # Runs from before it was recorded lack it: a mean over the others' would be of other objects.
    for repeats in objects:
        for record in chain.from_iterable(repeats):
            if read(record) is None:
                return []
    # There is no None any more: `or` is for the type checker.
    return _read(objects, lambda record: read(record) or 0.0)


def _read(
    objects: Iterable[Sequence[Run]], read: Callable[[Record], float]
) -> list[list[list[float]]]:
    """A value of every record, by object and repeat."""
    found = []
    for repeats in objects:
        found.append([list(map(read, run)) for run in repeats])
    return found


def over_repeats(records: Iterable[Record], protocol: Protocol) -> dict[str, float]:
    """What clicking the same objects again changes, for each target q, over the objects that have
    all their repeats.

    NoC@q_std: standard deviation, over the repeats, of their mean NoC. NoC@q_worst: the mean over
    objects of the repeat that took most clicks. Empty where there are no repeats.
    """
    runs = [
        repeats for repeats in runs_of(records).values() if len(repeats) == protocol.repeats > 1
    ]
    figures: dict[str, float] = {}
    if not runs:
        return figures
    ious = _read(runs, lambda record: record.iou)
    for target in protocol.targets:  # objects are rows, their repeats columns
        needed = []
        for repeats in ious:
            needed.append([noc(run, target, protocol.max_clicks) for run in repeats])
        counts = np.array(needed)
        # ddof: the repeats are a sample of all that could have been played.
        figures[f"NoC@{100 * target:g}_std"] = float(counts.mean(axis=0).std(ddof=1))
        figures[f"NoC@{100 * target:g}_worst"] = float(counts.max(axis=1).mean())
    return figures


def _after_late_clicks(values: Sequence[float]) -> float:
    """What late clicks leave, on average; nothing where nothing was left to click on."""
    late = values[LATE_CLICKS]
    if not late:
        return 0.0
    return float(np.mean(late))


def _has_reached(values: Sequence[float], target: float, most: int) -> NDArray[np.bool_]:
    """Whether the run had reached the target by click 1, 2, … most."""
    # A target that is never reached lies behind the last click.
    needed = clicks_to_reach(values, target) or most + 1
    return np.asarray(np.arange(1, most + 1) >= needed)


def _took(values: Sequence[float], target: float, most: int) -> NDArray[np.bool_]:
    """Whether the run took 1, 2, … most clicks to the target and, last, whether it never got
    there."""
    needed = clicks_to_reach(values, target) or most + 1
    return np.asarray(np.arange(1, most + 2) == needed)


def _filled(values: Sequence[float], length: int) -> list[float]:
    """With the last value repeated up to the length."""
    missing = length - len(values)
    return [*values, *[values[-1]] * missing]


def _measured(
    objects: Sequence[Sequence[Sequence[float]]], measure: Callable[[Sequence[float]], Any]
) -> Values:
    """What `measure` makes of each run's values, a number or a row of them: the mean over each
    object's repeats."""
    rows = []
    for repeats in objects:
        measured = [measure(run) for run in repeats]
        rows.append(np.mean(np.asarray(measured, np.float64), axis=0))
    return np.array(rows)
