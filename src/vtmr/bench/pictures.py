"""A report's pictures: for each data set its plots, and for each run there a sheet of the objects
that went worst."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vtmr.bench.contact import cell_of, draw_sheet, worst_runs
from vtmr.bench.entries import Entry, Section
from vtmr.bench.figures import REACHED
from vtmr.bench.playing import key_of
from vtmr.bench.plots import colours_of, plot_clicks, plot_quality
from vtmr.bench.records import ObjectKey, name_of
from vtmr.data import EvalSample, open_benchmark
from vtmr.errors import DataError, InputError
from vtmr.types import Predictor


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file of the report. name: of the file; title: what it shows."""

    name: str
    title: str
    content: bytes


def draw_pictures(
    entries: Sequence[Entry],
    sections: Sequence[Section],
    data: Mapping[str, Path],
    predictors: Mapping[str, Predictor],
) -> tuple[dict[str, list[Picture]], list[str]]:
    """{section's name: its pictures}, for whole data sets, and a sentence for each sheet that can't
    be drawn.

    data, predictors: see `write_report`. Needs matplotlib.
    """
    samples = cache(_samples)  # read once for all runs
    colours = colours_of([entry.label for entry in entries])
    pictures: dict[str, list[Picture]] = {}
    lacking: dict[str, None] = {}
    for section in [section for section in sections if section.is_whole]:
        found = pictures.setdefault(section.name, [*_plots(section, entries, colours)])
        for entry in [entry for entry in entries if entry.label in section.objects]:
            try:
                path = data.get(section.name) or _path_of(section.name, [entry, *entries])
                predictor = predictors.get(entry.label)
                found.append(_sheet(entry, section.name, samples(section.name, path), predictor))
            except (DataError, InputError) as error:
                lacking[f"{section.name}: no sheet of the worst objects. {error}"] = None
    return pictures, list(lacking)


def _plots(section: Section, entries: Sequence[Entry], colours: Mapping[str, str]) -> list[Picture]:
    """Values against clicks, and clicks needed; the targets that some runs lack are left out."""
    counts = {len(objects.keys) for objects in section.objects.values()}
    title = f"{section.name}, {' to '.join(map(str, sorted({min(counts), max(counts)})))} objects"
    if len(section.objects) == 1:
        title += f", {next(iter(section.objects))}"
    protocols = {
        entry.label: entry.run.protocol for entry in entries if entry.label in section.objects
    }
    stops = [protocol.min_clicks for protocol in protocols.values() if protocol.stop == "targets"]
    curves = section.curves
    quality = plot_quality(
        title,
        {label: found["IoU"] for label, found in curves.items()},
        {label: found["BIoU"] for label, found in curves.items()},
        colours,
        min(stops, default=None),
    )
    highest = {REACHED.format(max(protocol.targets)) for protocol in protocols.values()}
    target = highest.pop() if len(highest) == 1 else "each run's highest target"
    shared = set.intersection(*(set(protocol.targets) for protocol in protocols.values()))
    names = [REACHED.format(q) for q in sorted(shared, reverse=True)]
    reached = {label: {name: found[name] for name in names} for label, found in curves.items()}
    needed = {label: objects.clicks.mean(axis=0) for label, objects in section.objects.items()}
    clicks = plot_clicks(title, target, needed, reached, colours)
    return [
        Picture(
            _file_name("png", section.name, "quality"),
            "IoU and BIoU after each click, with 95 % intervals",
            quality,
        ),
        Picture(
            _file_name("png", section.name, "clicks"),
            "Clicks needed, and share of objects that got there",
            clicks,
        ),
    ]


def _path_of(dataset: str, entries: Sequence[Entry]) -> Path:
    """Where the first run that says so has found a data set. Raises DataError when none does."""
    path = next((path for path in (entry.data_path(dataset) for entry in entries) if path), None)
    if path is None:
        raise DataError(f"No run says where its images are: give --data {dataset}=PATH.")
    return path


def _sheet(
    entry: Entry, dataset: str, samples: Mapping[ObjectKey, EvalSample], predictor: Predictor | None
) -> Picture:
    """The entry's worst objects of a data set.

    Raises DataError when one of them isn't there or can't be read.
    """
    records = [record for record in entry.records if record.dataset == dataset]
    runs = worst_runs(records, entry.run.protocol)
    if gone := next((run[0].object_key for run in runs if run[0].object_key not in samples), None):
        raise DataError(
            f"The data set lacks {name_of(gone)} of {entry.label}: give another --data "
            f"{dataset}=PATH."
        )
    cells = [
        cell_of(run, samples[run[0].object_key], entry.run.protocol, predictor) for run in runs
    ]
    count = len({record.object_key for record in records})
    title = f"{dataset}, {entry.label}: the {len(cells)} worst of {count} objects"
    return Picture(
        _file_name("jpg", dataset, "worst", entry.label), title, draw_sheet(title, cells)
    )


def _samples(dataset: str, path: Path) -> dict[ObjectKey, EvalSample]:
    """A data set's samples by what names them in records. Raises DataError."""
    return {key_of(sample): sample for sample in open_benchmark(dataset, path)}


def _file_name(suffix: str, *parts: str) -> str:
    """From words that may hold anything."""
    return "-".join(re.sub(r"[^\w.]+", "-", part).strip("-.") for part in parts) + f".{suffix}"
