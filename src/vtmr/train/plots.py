"""The loss curve of a run as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtmr.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = ("coarse", "refined", "edge", "match")


def plot_losses(rows: Sequence[Mapping[str, float]], out: Path) -> None:
    """Draws each part's loss and, to an axis of its own, the IoU against samples, raw and smoothed,
    to a PNG.

    rows: as in log.jsonl, at least one; those of older runs have no IoU.
    Raises InputError when it can't be written; what was there stays then.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    drawn = [part for part in PARTS if part in rows[0]]
    for number, part in enumerate(drawn):
        _curve(axes, rows, part, f"C{number}")
    axes.set(xlabel="samples", ylabel="loss", title="Training: means of each log interval")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    lines = axes.get_lines()[1::2]  # the smoothed ones
    with_iou = [row for row in rows if "iou" in row]
    if with_iou:
        overlaps = axes.twinx()
        _curve(overlaps, with_iou, "iou", "black")
        overlaps.set(ylabel="IoU of the coarse masks", ylim=(0, 1))
        lines = [*lines, overlaps.get_lines()[1]]
    axes.legend(handles=lines, loc="lower left")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    plt.close(figure)
    write_atomically(out, picture.getvalue())


def _curve(axes: Axes, rows: Sequence[Mapping[str, float]], part: str, colour: str) -> None:
    """One column against samples: a faint line of its values, then a line of their running mean,
    which has a label."""
    samples = np.array([row["samples"] for row in rows])
    values = np.array([row[part] for row in rows])
    axes.plot(samples, values, color=colour, alpha=0.25, linewidth=0.8)
    window = max(1, len(values) // 30)  # wide enough that runs of any length look alike
    smooth = np.convolve(values, np.ones(window) / window, mode="valid")
    axes.plot(samples[window - 1 :], smooth, color=colour, label=part)
