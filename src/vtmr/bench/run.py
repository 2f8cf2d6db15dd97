"""Plays the robot user against a predictor, through the same `Session` that the annotation app uses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vtmr.bench.folder import open_folder, settings_of
from vtmr.bench.protocol import ModelInfo, Protocol
from vtmr.bench.records import Key, Record, append_records, read_records
from vtmr.bench.report import print_table, summarise, write_summary
from vtmr.data import EvalSample, open_benchmark
from vtmr.errors import ConfigError, DataError, InputError
from vtmr.masks import Mask, iou
from vtmr.metrics import boundary_iou
from vtmr.robot import next_click
from vtmr.session import Session
from vtmr.types import Click, Image, Predictor


def run_benchmark(
    data: Sequence[tuple[str, Path]],
    predictor: Predictor,
    model: ModelInfo,
    out: Path,
    limit: int | None = None,
    protocol: Protocol | None = None,
    console: Console | None = None,
) -> dict[str, Any]:
    """Evaluates a predictor on data sets, given as (name, path), and returns what summary.json then holds.

    limit: only the first so many objects of each. Writes records.jsonl, run.json, summary.json and table.md into
    `out`, continues an interrupted run there, prints the table. Raises ConfigError, DataError and InputError.
    """
    protocol, console = protocol or Protocol(), console or Console()
    counts = Counter(name for name, _ in data)
    if not counts or max(counts.values()) > 1:
        raise ConfigError(f"The data sets are {', '.join(counts.elements()) or 'none'}: expected each of them once.")
    samples = [sample for name, path in data for sample in open_benchmark(name, path, limit)]
    records = evaluate(samples, predictor, protocol, out, model=model, console=console)
    summary = summarise(records, protocol)
    write_summary(out, summary, protocol, model)
    print_table(summary, protocol, model, console)
    return summary


def evaluate(
    samples: Sequence[EvalSample],
    predictor: Predictor,
    protocol: Protocol,
    out: Path,
    *,
    model: ModelInfo | None = None,
    console: Console | None = None,
) -> list[Record]:
    """Plays all samples and returns their records, read again from `out`/records.jsonl.

    An object's records are appended when it ends; objects that a former, interrupted run finished in this folder
    are not played again. console: where progress is shown, None for none. Raises ConfigError when the folder holds
    a run with other settings, DataError for an unusable sample, InputError when the folder can't be written.
    """
    counts = Counter(_key(sample) for sample in samples)
    if doubled := next((key for key, count in counts.items() if count > 1), None):
        raise DataError(f"The object {'/'.join(doubled)} occurs {counts[doubled]} times: expected each object once.")
    settings = settings_of(protocol, model or ModelInfo(predictor.name), list(counts))
    done = {record.key for record in open_folder(out, settings)}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=console is None, transient=True) as progress:
        task = progress.add_task("", total=len(samples), completed=len(done))
        for sample in samples:
            if _key(sample) not in done:
                progress.update(task, description=sample.dataset)
                append_records(out, play(sample, predictor, protocol))
                progress.advance(task)
    return read_records(out)


def play(sample: EvalSample, predictor: Predictor, protocol: Protocol) -> list[Record]:
    """One object from the first click to the last, in memory: one record per click.

    Raises DataError for an unusable sample, InputError for a predictor whose mask has another size.
    """
    image, gt_mask, ignore_mask = _checked(sample)
    session = Session(predictor, image)
    mask: Mask = np.zeros_like(gt_mask)
    clicks: list[Click] = []
    rows: list[tuple[float, float, float]] = []  # IoU, BIoU, seconds after each click
    click = next_click(mask, gt_mask, ignore_mask)
    while click is not None:
        start = time.perf_counter()
        session = session.add(click)
        mask = session.mask
        seconds = time.perf_counter() - start
        if mask.shape != gt_mask.shape:
            raise InputError(f"{predictor.name} answered with a mask of {mask.shape}: expected {gt_mask.shape}.")
        clicks.append(click)
        rows.append((iou(mask, gt_mask, ignore_mask), boundary_iou(mask, gt_mask, ignore_mask), seconds))
        over = protocol.is_over([row[0] for row in rows])
        click = None if over else next_click(mask, gt_mask, ignore_mask, clicks)
    return [
        Record(*_key(sample), k, c.x, c.y, c.positive, *row, last=k == len(clicks))
        for k, (c, row) in enumerate(zip(clicks, rows, strict=True), start=1)
    ]


def _key(sample: EvalSample) -> Key:
    return sample.dataset, sample.source, sample.image_id, sample.object_id


def _checked(sample: EvalSample) -> tuple[Image, Mask, Mask | None]:
    """The sample's arrays. Raises DataError when they don't fit together or hold nothing to click."""
    image, gt_mask, ignore_mask = sample.load()
    name = "/".join(_key(sample))
    for what, mask in (("mask", gt_mask), ("ignore mask", ignore_mask)):
        if mask is not None and mask.shape != image.shape[:2]:
            raise DataError(f"The {what} of {name} is {mask.shape}, its image {image.shape[:2]}: expected one size.")
    if not (gt_mask if ignore_mask is None else gt_mask & ~ignore_mask).any():
        raise DataError(f"The object {name} has no pixel that counts: expected a mask with some; mend or leave it out.")
    return image, gt_mask, ignore_mask
