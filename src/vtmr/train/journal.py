"""What a run says of itself as it goes: rows of log.jsonl, and what of the data couldn't be
read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vtmr.atomic import append, is_file, write_atomically
from vtmr.train.checkpoint import Progress

REASONS_KEPT = 5  # a broken disk has a reason for every file


class Journal:
    """Collects steps and writes their means as a row; `rows` are those written, earlier parts of
    the run included.

    rank_zero: whether this process writes the file; the others only collect.
    """

    def __init__(self, path: Path, rows: Sequence[dict[str, Any]], rank_zero: bool) -> None:
        self.path, self.rows, self.rank_zero = path, list(rows), rank_zero
        self.reasons: list[str] = []
        for row in self.rows:
            self.reasons += row.get("reasons", ())
        del self.reasons[REASONS_KEPT:]
        self.losses: list[Mapping[str, float]] = []
        self.new_reasons: list[str] = []

    def add(self, losses: Mapping[str, float]) -> None:
        """One step's losses by part."""
        self.losses.append(losses)

    def complain(self, reasons: Sequence[str]) -> None:
        """Why something couldn't be read; the first few are kept."""
        self.reasons = [*self.reasons, *reasons][:REASONS_KEPT]
        self.new_reasons = [*self.new_reasons, *reasons][:REASONS_KEPT]

    def write(
        self, progress: Progress, samples: int, rate: float, spent: Mapping[str, float]
    ) -> str:
        """Adds a row of the steps since the last; returns it as a note for the bar.

        spent: CPU seconds of this process since the last row, by part.
        """
        if not self.losses:
            return ""
        steps = len(self.losses)
        means = self.means()
        earlier = 0.0
        if self.rows:
            earlier = self.rows[-1]["seconds"]
        batch = samples // progress.step
        # A coarse clock may say that no time has passed.
        speed = steps * batch / max(1e-9, progress.seconds - earlier)
        row = {
            "step": progress.step,
            "samples": samples,
            **means,
            "lr": rate,
            "seconds": round(progress.seconds, 2),
            "cpu_seconds": round(progress.cpu_seconds, 2),
            "samples_per_s": round(speed, 2),
            "unreadable": progress.unreadable,
            "spent": {part: round(seconds / steps, 4) for part, seconds in spent.items()},
        }
        if self.new_reasons:
            row["reasons"] = self.new_reasons
        self.rows.append(row)
        self.losses, self.new_reasons = [], []
        if self.rank_zero:
            self.store(row)
        notes = [f"{part} {mean:.3f}" for part, mean in means.items()]
        notes.append(f"{speed:.1f} samples/s")
        if progress.unreadable:
            notes.append(f"{progress.unreadable} unreadable")
        return "  ".join(notes)

    def means(self) -> dict[str, float]:
        """Over the steps since the last row, which all have the same parts."""
        means: dict[str, float] = {}
        for part in self.losses[0]:
            values = [row[part] for row in self.losses]
            means[part] = sum(values) / len(values)
        return means

    def store(self, row: Mapping[str, Any]) -> None:
        """Puts a row into the file; the first of a run replaces what another left there."""
        line = json.dumps(row) + "\n"
        if len(self.rows) == 1:
            write_atomically(self.path, line.encode())
        else:
            append(self.path, line)


def read_log(path: Path, steps: int) -> list[dict[str, Any]]:
    """The rows of an interrupted run up to its saved step; the file is cut there, so that no step
    is logged twice."""
    if not is_file(path):
        return []
    rows = []
    # A line that was cut when the run was killed may end within a letter.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        try:
            row = json.loads(line)
            over = row["step"] > steps
        except (ValueError, KeyError, TypeError):  # a line that was cut when the run was killed
            break
        if over:
            break
        rows.append(row)
    if len(rows) < len(lines):
        kept = [json.dumps(row) + "\n" for row in rows]
        write_atomically(path, "".join(kept).encode())
    return rows
