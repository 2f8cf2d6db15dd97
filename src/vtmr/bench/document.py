"""`vtmr report`: runs side by side as Markdown, JSON, CSV and pictures, all re-read from the
clicks' records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vtmr.atomic import make_folder, write_atomically
from vtmr.bench.compare import FEWEST, Difference, differing_settings
from vtmr.bench.figures import Curve
from vtmr.bench.labelled_runs import LabelledRun, Section, sections_of
from vtmr.bench.pictures import Picture, draw_pictures
from vtmr.bench.protocol import Protocol
from vtmr.bench.report import describe, digits_of, markdown_lines, table_cells
from vtmr.types import Predictor

PAGE, CONTENT, FIGURES, DIFFERENCES = "report.md", "report.json", "figures.csv", "differences.csv"
MINUS, UNRESOLVED = "−", "~"


def write_report(
    runs: Sequence[LabelledRun],
    out: Path,
    *,
    sections: Sequence[Section] | None = None,
    data: Mapping[str, Path] | None = None,
    predictors: Mapping[str, Predictor] | None = None,
) -> list[str]:
    """Writes report.md, report.json, two CSV files and the pictures into `out`; the first run is
    the reference.

    sections: of these runs, where they are at hand. data: folders of data sets in place of those
    in the runs' notes, for the contact sheets. predictors: {run's label: what answered its clicks},
    to draw its masks too. Returns what a reader has to know of the report's limits, a sentence
    each. Needs matplotlib. Raises InputError when `out` can't be written.
    """
    if sections is None:
        sections = sections_of(runs)
    pictures, lacking = draw_pictures(runs, sections, data or {}, predictors or {})
    notes = [*_unfinished(runs), *_not_shared(runs, sections), *lacking]
    content = json.dumps(_content(runs, sections, notes), indent=1, ensure_ascii=False)
    columns = ("data", "run", "figure", "n", "value", "low", "high")
    compared = ("data", "run", *Difference.__slots__, "reading")
    files: dict[str, bytes] = {
        PAGE: _page(runs, sections, pictures, notes).encode(),
        CONTENT: f"{content}\n".encode(),
        FIGURES: _csv(columns, _figure_rows(sections)),
        DIFFERENCES: _csv(compared, _difference_rows(sections)),
    }
    for drawn in pictures.values():
        for picture in drawn:
            files[picture.name] = picture.content
    # Everything is worked out before the first file is written: an error leaves the former report.
    make_folder(out)
    for name, data_of_file in files.items():
        write_atomically(out / name, data_of_file)
    return notes


def _unfinished(runs: Iterable[LabelledRun]) -> list[str]:
    """A sentence for each run that isn't played to its end."""
    notes = []
    for run in runs:
        if run.missing > 0:
            lacking = f"it lacks {run.missing} of {run.whole} runs of objects"
            notes.append(f"{run.label} is unfinished: {lacking}.")
    return notes


def _not_shared(runs: Sequence[LabelledRun], sections: Iterable[Section]) -> list[str]:
    """A sentence for each run that has other objects than the reference."""
    first, notes = runs[0].label, []
    for section in sections:
        if not section.is_whole or first not in section.objects:
            continue
        reference = section.objects[first].keys
        for label, objects in section.objects.items():
            common = len(set(reference) & set(objects.keys))
            if not common == len(reference) == len(objects.keys):
                notes.append(
                    f"{section.name}: {label} has {len(objects.keys)} objects, {first} "
                    f"{len(reference)}; their difference is over the {common} that both have."
                )
    return notes


def _content(
    runs: Sequence[LabelledRun], sections: Sequence[Section], notes: Sequence[str]
) -> dict[str, Any]:
    """report.json: everything that the page shows as numbers."""
    return {
        "runs": [_run_content(run) for run in runs],
        "notes": list(notes),
        "differing_settings": _differing(runs),
        "data": {section.name: _section_content(section) for section in sections},
    }


def _run_content(run: LabelledRun) -> dict[str, Any]:
    """What report.json says of one run."""
    return {
        "label": run.label,
        "folder": str(run.folder),
        "settings": run.stored.settings,
        "sittings": run.stored.sittings,
    }


def _section_content(section: Section) -> dict[str, Any]:
    """What report.json says of one row of the tables: every run's figures, curves, differences."""
    curves: dict[str, Any] = {}
    for label, drawn in section.curves.items():
        curves[label] = {name: _curve_content(curve) for name, curve in drawn.items()}
    differences: dict[str, Any] = {}
    for label, found in section.differences.items():
        differences[label] = [asdict(one) | {"reading": one.reading} for one in found]
    return {"runs": section.summary, "curves": curves, "differences": differences}


def _curve_content(curve: Curve) -> dict[str, list[float]]:
    return {"mean": curve.mean.tolist(), "low": curve.low.tolist(), "high": curve.high.tolist()}


def _differing(runs: Sequence[LabelledRun]) -> dict[str, dict[str, str]]:
    return differing_settings({run.label: run.stored.settings for run in runs})


def _figure_rows(sections: Iterable[Section]) -> Iterable[Sequence[object]]:
    for section in sections:
        for label, row in section.summary.items():
            for figure, value in row.items():
                if figure not in ("n", "ci"):
                    interval = row["ci"].get(figure, ("", ""))
                    yield (section.name, label, figure, row["n"], value, *interval)


def _difference_rows(sections: Iterable[Section]) -> Iterable[Sequence[object]]:
    for section in sections:
        for label, differences in section.differences.items():
            for found in differences:
                yield (section.name, label, *asdict(found).values(), found.reading)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    # Python's csv would end lines as Windows does, and the files differ from those in git.
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _page(
    runs: Sequence[LabelledRun],
    sections: Sequence[Section],
    pictures: Mapping[str, Sequence[Picture]],
    notes: Sequence[str],
) -> str:
    """report.md."""
    first = runs[0]
    labels = [run.label for run in runs]
    parts = [f"# {' · '.join(labels)}", _runs_table(runs)]
    protocol = f"Protocol: {first.stored.protocol}."
    if differing := _differing(runs):
        protocol = f"Protocol of {first.label}: {first.stored.protocol}."
        parts += ["Settings that differ:", _settings_table(labels, differing)]
    parts.append(protocol)
    if notes:
        parts.append("\n".join(f"* {note}" for note in notes))
    compared = False
    for section in sections:
        parts += [f"## {section.name}", _figures_table(section, runs)]
        if section.differences:
            compared = True
            parts.append(_differences_table(section, first))
        for picture in pictures.get(section.name, ()):
            parts.append(f"![{picture.title}]({picture.name})")
    parts += ["## How to read this", how_to_read(compared)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _settings_table(labels: Sequence[str], differing: Mapping[str, Mapping[str, str]]) -> str:
    """A line for each setting that isn't the same in all runs."""
    header = ["setting", *labels]
    rows = []
    for name, values in differing.items():
        rows.append([name, *map("`{}`".format, values.values())])
    return markdown_lines(header, rows, names=len(header))


def _runs_table(runs: Sequence[LabelledRun]) -> str:
    rows = []
    for run in runs:
        # A run that was continued has several sittings, often of one commit and machine.
        sittings = run.stored.sittings
        commits = [sitting["commit"][:12] or "unknown" for sitting in sittings]
        processors = [sitting["cpu"] for sitting in sittings]
        objects = {record.object_key for record in run.records}
        rows.append(
            [
                run.label,
                describe(run.stored.model),
                ", ".join(dict.fromkeys(commits)),
                ", ".join(dict.fromkeys(processors)),
                str(len(objects)),
                str(len(run.records)),
            ]
        )
    return markdown_lines(
        ["run", "model", "commit", "processor", "objects", "clicks"], rows, names=4
    )


def _figures_table(section: Section, runs: Sequence[LabelledRun]) -> str:
    """All figures of a row but RITM's NoF, a line for each run."""
    protocols = [run.stored.protocol for run in runs if run.label in section.summary]
    # Not every run has every figure; a dict keeps the order in which they come up, as a set
    # doesn't.
    names: dict[str, None] = {}
    for row in section.summary.values():
        names |= dict.fromkeys(row)
    figures = [name for name in names if "@" in name and not name.endswith("_ritm")]
    return markdown_lines(*table_cells(section.summary, protocols[0], figures, corner="run"))


def _differences_table(section: Section, first: LabelledRun) -> str:
    """A line for each run against the first; what isn't resolved is marked."""
    figures = [name for name in _compared_figures(section) if not name.endswith("_ritm")]
    rows = []
    for label, found in section.differences.items():
        cells = dict.fromkeys(figures, "–")
        for difference in found:
            if difference.figure in cells:
                cells[difference.figure] = in_words(difference, first.stored.protocol)
        rows.append([label, str(found[0].n), *cells.values()])
    table = markdown_lines([f"minus {first.label}", "objects", *figures], rows)
    return f"Differences on the same objects:\n\n{table}"


def _compared_figures(section: Section) -> list[str]:
    """The figures that any difference of the section is about."""
    figures: dict[str, None] = {}
    for differences in section.differences.values():
        figures |= dict.fromkeys(found.figure for found in differences)
    return list(figures)


def in_words(found: Difference, protocol: Protocol) -> str:
    """`**−0.35** [−0.60, −0.10] better`, `−0.12 [−0.40, 0.16] ~`, or `=`."""
    digits = digits_of(found.figure, protocol)
    value = _signed(found.difference, digits)
    low, high = _signed(found.low, digits), _signed(found.high, digits)
    if found.is_nil:
        return "="
    if not found.resolved:
        return f"{value} [{low}, {high}] {UNRESOLVED}"
    return f"**{value}** [{low}, {high}] {found.reading}"


def _signed(number: float, digits: int) -> str:
    # The real minus sign is as wide as a plus, so that columns line up.
    return f"{number:.{digits}f}".replace("-", MINUS)


def how_to_read(compared: bool) -> str:
    """What the signs mean, and what a sample can't tell."""
    lines = [
        "A figure is a mean over objects, NoF a number of them; in brackets its 95 % bootstrap "
        "interval over objects. NoC counts clicks: fewer are better. What each figure is, and how "
        "it is measured: docs/protocol.md.",
    ]
    if compared:
        lines.append(
            "A difference is that of the objects which both runs have, each compared with itself. "
            f"`{UNRESOLVED}` marks one that this sample can't resolve: its interval includes 0, or "
            f"there are fewer than {FEWEST} objects. It may be there all the same: more objects "
            "would narrow the interval. Of twenty intervals about nothing, one leaves 0 out by "
            "chance. `=` stands where every object has the same value."
        )
    return "\n\n".join(lines)
