"""A report's pictures: for each data set its plots, and for each run there a sheet of the objects
that went worst."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vtmr.bench.contact import cell_of, draw_sheet, worst_runs
from vtmr.bench.figures import REACHED, Curve
from vtmr.bench.labelled_runs import LabelledRun, Section
from vtmr.bench.playing import key_of
from vtmr.bench.plots import colours_of, plot_clicks, plot_quality
from vtmr.bench.protocol import Protocol
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
    runs: Sequence[LabelledRun],
    sections: Sequence[Section],
    data: Mapping[str, Path],
    predictors: Mapping[str, Predictor],
) -> tuple[dict[str, list[Picture]], list[str]]:
    """{section's name: its pictures}, for whole data sets, and a sentence for each sheet that can't
    be drawn.

    data, predictors: see `write_report`. Needs matplotlib.
    """
    samples = cache(_samples)  # a data set is listed once, however many runs it has
    colours = colours_of([run.label for run in runs])
    pictures: dict[str, list[Picture]] = {}
    lacking: dict[str, None] = {}  # a set that keeps its order: runs often lack the same thing
    for section in sections:
        if not section.is_whole:
            continue
        found = pictures.setdefault(section.name, [*_plots(section, runs, colours)])
        for run in _having(section, runs):
            # A sheet that can't be drawn costs itself alone: plots and figures need no images.
            try:
                path = data.get(section.name) or _path_of(section.name, [run, *runs])
                predictor = predictors.get(run.label)
                found.append(_sheet(run, section.name, samples(section.name, path), predictor))
            except (DataError, InputError) as error:
                lacking[f"{section.name}: no sheet of the worst objects. {error}"] = None
    return pictures, list(lacking)


def _having(section: Section, runs: Sequence[LabelledRun]) -> list[LabelledRun]:
    """The runs that have the section's row."""
    return [run for run in runs if run.label in section.objects]


def _plots(
    section: Section, runs: Sequence[LabelledRun], colours: Mapping[str, str]
) -> list[Picture]:
    """Values against clicks, and clicks needed; the targets that some runs lack are left out."""
    title = _title(section)
    protocols = [run.stored.protocol for run in _having(section, runs)]
    quality = _quality_plot(title, section, protocols, colours)
    clicks = _clicks_plot(title, section, protocols, colours)
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


def _title(section: Section) -> str:
    """The data set, and how many objects the runs have of it; a single run's label too."""
    counts = [len(objects.keys) for objects in section.objects.values()]
    fewest, most = min(counts), max(counts)
    title = f"{section.name}, {fewest} objects"
    if fewest < most:
        title = f"{section.name}, {fewest} to {most} objects"
    if len(section.objects) == 1:
        title += f", {next(iter(section.objects))}"
    return title


def _quality_plot(
    title: str, section: Section, protocols: Sequence[Protocol], colours: Mapping[str, str]
) -> bytes:
    """Of IoU and BIoU against clicks; a PNG."""
    iou: dict[str, Curve] = {}
    biou: dict[str, Curve] = {}
    for label, curves in section.curves.items():
        iou[label], biou[label] = curves["IoU"], curves["BIoU"]
    # Curves go on as constants where objects stopped: the mark stands where that first may happen.
    stops = [protocol.min_clicks for protocol in protocols if protocol.stop == "targets"]
    return plot_quality(title, iou, biou, colours, min(stops, default=None))


def _clicks_plot(
    title: str, section: Section, protocols: Sequence[Protocol], colours: Mapping[str, str]
) -> bytes:
    """Of the clicks needed, and the shares of objects that reached the targets; a PNG."""
    highest = {REACHED.format(max(protocol.targets)) for protocol in protocols}
    target = "each run's highest target"
    if len(highest) == 1:
        target = highest.pop()
    # A dash means one target in the whole plot, so only targets that every run has are drawn.
    shared = set(protocols[0].targets)
    for protocol in protocols[1:]:
        shared &= set(protocol.targets)
    names = list(map(REACHED.format, sorted(shared, reverse=True)))
    reached: dict[str, dict[str, Curve]] = {}
    for label, curves in section.curves.items():
        reached[label] = {name: curves[name] for name in names}
    needed = {label: objects.clicks.mean(axis=0) for label, objects in section.objects.items()}
    return plot_clicks(title, target, needed, reached, colours)


def _path_of(dataset: str, runs: Sequence[LabelledRun]) -> Path:
    """Where the first run that says so has found a data set. Raises DataError when none does."""
    for run in runs:
        if path := run.data_path(dataset):
            return path
    raise DataError(f"No run says where its images are: give --data {dataset}=PATH.")


def _sheet(
    run: LabelledRun,
    dataset: str,
    samples: Mapping[ObjectKey, EvalSample],
    predictor: Predictor | None,
) -> Picture:
    """The run's worst objects of a data set.

    Raises DataError when one of them isn't there or can't be read.
    """
    records = [record for record in run.records if record.dataset == dataset]
    worst = worst_runs(records, run.stored.protocol)
    # All are looked for before any is drawn: replaying a run's clicks takes seconds.
    for clicks in worst:
        key = clicks[0].object_key
        if key not in samples:
            raise DataError(
                f"The data set lacks {name_of(key)} of {run.label}: give another --data "
                f"{dataset}=PATH."
            )
    cells = []
    for clicks in worst:
        sample = samples[clicks[0].object_key]
        cells.append(cell_of(clicks, sample, run.stored.protocol, predictor))
    count = len({record.object_key for record in records})
    title = f"{dataset}, {run.label}: the {len(cells)} worst of {count} objects"
    name = _file_name("jpg", dataset, "worst", run.label)
    return Picture(name, title, draw_sheet(title, cells))


def _samples(dataset: str, path: Path) -> dict[ObjectKey, EvalSample]:
    """A data set's samples by what names them in records. Raises DataError."""
    return {key_of(sample): sample for sample in open_benchmark(dataset, path)}


def _file_name(suffix: str, *parts: str) -> str:
    """From words that may hold anything."""
    words = [re.sub(r"[^\w.]+", "-", part).strip("-.") for part in parts]
    return f"{'-'.join(words)}.{suffix}"
