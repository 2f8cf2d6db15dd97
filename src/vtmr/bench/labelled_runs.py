"""The runs that a report is about, read from their folders: what was played, and each row's
objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr.bench.compare import Difference, differences
from vtmr.bench.figures import Curve, Objects, curves_of, objects_of, rows_of
from vtmr.bench.folder import StoredRun, read_run
from vtmr.bench.records import Record, read_records
from vtmr.bench.report import row_figures
from vtmr.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class LabelledRun:
    """One run of a report, under a label that no other has."""

    label: str
    folder: Path
    stored: StoredRun
    records: tuple[Record, ...]

    @property
    def whole(self) -> int:
        """How many runs of objects the folder is for, repeats counted; a shard's are its part."""
        shard = self.stored.shard
        count = len(self.stored.objects)
        if shard is not None:
            count = sum(map(shard.holds, range(count)))
        return count * self.stored.protocol.repeats

    @property
    def missing(self) -> int:
        """How many of them it lacks, as when it was interrupted; 0 where the folder doesn't say
        what it is for."""
        played = {record.key for record in self.records}
        return max(0, self.whole - len(played))

    def data_path(self, dataset: str) -> Path | None:
        """Where the data set lay when the run was last continued, where it says so."""
        for sitting in reversed(self.stored.sittings):
            folders = sitting.get("data", {})  # runs from before paths were noted lack it
            if dataset in folders:
                return Path(folders[dataset])
        return None


@dataclass(frozen=True, slots=True)
class Section:
    """One row of every run's table: a data set, or a source within one (then the name has a slash).

    objects, summary: {run's label: its objects, its row of figures}, where the run has them.
    differences: {label: figures against the first run's}, empty where the first run lacks the row
    or shares no object. curves: {label: see `curves_of`}, of whole data sets alone.
    """

    name: str
    objects: dict[str, Objects]
    summary: dict[str, dict[str, Any]]
    differences: dict[str, list[Difference]]
    curves: dict[str, dict[str, Curve]]

    @property
    def is_whole(self) -> bool:
        """Whether it is a data set rather than a part of one."""
        return "/" not in self.name


def open_runs(folders: Mapping[str, Path]) -> list[LabelledRun]:
    """The runs in the folders, given by their labels.

    Raises DataError for a folder without a sound, begun run.
    """
    runs = []
    for label, folder in folders.items():
        stored, records = read_run(folder), read_records(folder)
        if not records:
            raise DataError(
                f"{folder} holds no finished object: run vtmr evaluate to its end first."
            )
        runs.append(LabelledRun(label, folder, stored, tuple(records)))
    return runs


def labels_of(folders: Sequence[Path]) -> dict[str, Path]:
    """{label: folder}: the folders' names, with as much of the path before as tells them apart.

    Raises ConfigError for a folder that is given twice.
    """
    paths = [folder.resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"The folder {path} is given twice: expected each run once.")
    # One depth for all: labels that show as much of the path each are easier to tell apart.
    longest = max(len(path.parts) for path in paths)
    labels: list[str] = []
    for depth in range(1, longest + 1):
        labels = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(labels)) == len(paths):
            break
    return dict(zip(labels, folders, strict=True))


def sections_of(runs: Sequence[LabelledRun]) -> list[Section]:
    """Every row that a run has, in the order in which the runs bring them."""
    objects: dict[str, dict[str, Objects]] = {}
    summaries: dict[str, dict[str, dict[str, Any]]] = {}
    for run in runs:
        protocol = run.stored.protocol
        for name, records in rows_of(run.records).items():
            found = objects_of(records, protocol)
            objects.setdefault(name, {})[run.label] = found
            summaries.setdefault(name, {})[run.label] = row_figures(found, records, protocol)
    # One seed for all runs: intervals of the same objects are then of the same resamples.
    first, seed = runs[0].label, runs[0].stored.protocol.seed
    sections = []
    for name, of_runs in objects.items():
        curves: dict[str, dict[str, Curve]] = {}
        if "/" not in name:  # nothing draws the curves of a part
            for label, each in of_runs.items():
                curves[label] = curves_of(each, seed)
        against = _against(first, of_runs, seed)
        sections.append(Section(name, of_runs, summaries[name], against, curves))
    return sections


def _against(first: str, objects: Mapping[str, Objects], seed: int) -> dict[str, list[Difference]]:
    """The other runs' differences to the first; empty where the first has nothing here."""
    against: dict[str, list[Difference]] = {}
    if first not in objects:
        return against
    for label, found in objects.items():
        if label == first:
            continue
        if compared := differences(found, objects[first], seed):
            against[label] = compared
    return against
