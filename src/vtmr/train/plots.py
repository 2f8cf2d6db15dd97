"""The loss curve of a run as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vtmr.atomic import write_atomically

PARTS = ("coarse", "refined", "edge", "match")


def plot_losses(rows: Sequence[Mapping[str, float]], out: Path) -> None:
    """Draws each part's loss against samples, raw and smoothed, to a PNG. rows: as in log.jsonl, at least one.

    Raises InputError when it can't be written; what was there stays then.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    samples = np.array([row["samples"] for row in rows])
    for part in [part for part in PARTS if part in rows[0]]:
        values = np.array([row[part] for row in rows])
        (line,) = axes.plot(samples, values, alpha=0.25, linewidth=0.8)
        window = max(1, len(values) // 30)
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        axes.plot(samples[window - 1 :], smooth, color=line.get_color(), label=part)
    axes.set(xlabel="samples", ylabel="loss", title="Training loss (mean of each log interval)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    plt.close(figure)
    write_atomically(out, picture.getvalue())
