"""A report's plots as PNG: values against clicks with bands, clicks needed, share of objects that
got there.

One colour is one run in every plot, from a palette that colour-blind readers can tell apart.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vtmr.bench.figures import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# After Okabe and Ito.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5f5f5f", "#a0522d")
INK, FAINT = "#333333", "#d9d9d9"
# Of the highest target, the next, and the others.
# One for each target; more than three aren't told apart.
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1, 1.2)))
MOST_BARS = 3  # runs whose bars fit side by side; more are drawn as steps
DPI = 140  # two panels are as wide as a page of text
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """A run's colour in all plots of a report."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}


def plot_quality(
    title: str,
    iou: Mapping[str, Curve],
    biou: Mapping[str, Curve],
    colours: Mapping[str, str],
    stops_after: int | None = None,
) -> bytes:
    """IoU and BIoU against clicks, a line with a band for each run; a PNG.

    iou, biou: {run's label: curve}, the same labels in both. colours: of every label. stops_after:
    the click from which on objects may have stopped at their target, where their last value goes
    on; marked by a line. None where all clicks were played.
    """
    with styled():
        figure = new_figure(title, _inches(len(iou)))
        panels = figure.subplots(1, 2)
        low = min(float(curve.low.min()) for curve in (*iou.values(), *biou.values()))
        clicks = max(len(curve.mean) for curve in iou.values())
        for axes, name, curves in zip(panels, ("IoU", "BIoU"), (iou, biou), strict=True):
            for label, curve in curves.items():
                _draw(axes, curve, colours[label], "-", label)
            axes.set(title=f"{name} after each click", xlabel="clicks")
            _span(axes, clicks)
            # From the tenth below, and a further one where the lowest band would touch it.
            axes.set_ylim(max(0.0, np.floor(low * 10 - 0.2) / 10), 1.005)
            if stops_after is not None and stops_after < clicks:
                _mark_stops(axes, stops_after)
        _legend(figure, panels[0], runs=len(iou))
        return as_png(figure)


def plot_clicks(
    title: str,
    target: str,
    needed: Mapping[str, NDArray[np.float64]],
    reached: Mapping[str, Mapping[str, Curve]],
    colours: Mapping[str, str],
) -> bytes:
    """How many clicks the highest target took, and the share of objects that had reached each
    target; a PNG.

    target: what the highest one is called. needed: {run's label: K + 1 shares of objects}, that
    took 1, 2, … K clicks and, last, that never got there. reached: {label: {target's name: curve}},
    the same targets for all runs, the highest first, whose band alone is drawn. colours: of every
    label.
    """
    targets = list(next(iter(reached.values())))
    with styled():
        figure = new_figure(title, _inches(len(needed)))
        histogram, success = figure.subplots(1, 2)
        _draw_needed(histogram, needed, colours)
        histogram.set(title=f"Clicks to {target}", xlabel="clicks", ylabel="objects")
        _as_percent(histogram)
        for label, curves in reached.items():
            for i, curve in enumerate(curves.values()):
                _draw(success, curve, colours[label], DASHES[min(i, 2)], None, band=i == 0)
        success.set(title="Objects that got there", xlabel="clicks", ylim=(0, 1.02))
        _span(success, max(len(shares) - 1 for shares in needed.values()))
        _as_percent(success)
        _legend(figure, histogram, runs=len(needed))
        _name_dashes(success, targets)
        return as_png(figure)


def _draw_needed(
    axes: Axes, needed: Mapping[str, NDArray[np.float64]], colours: Mapping[str, str]
) -> None:
    """Bars side by side, or steps where there are too many runs for that; the last place is for
    never."""
    count = max(len(shares) for shares in needed.values())
    places = np.arange(1, count + 1, dtype=np.float64)
    places[-1] += 1  # never stands apart from the clicks
    width = 0.8 / len(needed)
    for i, (label, shares) in enumerate(needed.items()):
        filled = np.concatenate([shares[:-1], np.zeros(count - len(shares)), shares[-1:]])
        if len(needed) <= MOST_BARS:
            axes.bar(
                places - 0.4 + (i + 0.5) * width,
                filled,
                width * 0.94,
                color=colours[label],
                label=label,
            )
        else:
            edges = np.append(places - 0.5, places[-1] + 0.5)
            axes.stairs(filled, edges, color=colours[label], linewidth=1.6, label=label)
    ticks = _ticks(count - 1)
    axes.set_xticks([*ticks, places[-1]], [*map(str, ticks), "never"])
    axes.grid(visible=False, axis="x")


def _draw(
    axes: Axes, curve: Curve, colour: str, dashes: Any, label: str | None, *, band: bool = True
) -> None:
    clicks = np.arange(1, len(curve.mean) + 1)
    if band:
        axes.fill_between(clicks, curve.low, curve.high, color=colour, alpha=0.12, linewidth=0)
        # Bands that lie on each other are told apart by their edges.
        for edge in (curve.low, curve.high):
            axes.plot(clicks, edge, color=colour, alpha=0.35, linewidth=0.7)
    marker = None
    if len(clicks) == 1:
        marker = "o"  # a line of one point isn't seen
    axes.plot(
        clicks,
        curve.mean,
        color=colour,
        linestyle=dashes,
        linewidth=1.8,
        marker=marker,
        label=label,
    )


def _span(axes: Axes, clicks: int) -> None:
    axes.set_xticks(_ticks(clicks))
    axes.set_xlim(0.6, clicks + 0.4)


def _ticks(clicks: int) -> list[int]:
    """1 and the multiples of 5, or every click where there are few."""
    if clicks <= 10:
        return list(range(1, clicks + 1))
    return [1, *range(5, clicks + 1, 5)]


def _mark_stops(axes: Axes, click: int) -> None:
    axes.axvline(click, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    note = "from here on objects stop at their\ntarget and keep their last value"
    axes.text(click + 0.25, 0.03, note, transform=axes.get_xaxis_transform(), fontsize=8)


def _name_dashes(axes: Axes, targets: Sequence[str]) -> None:
    """A second legend, in the axes, that says which dash is which target."""
    from matplotlib.lines import Line2D

    lines = []
    for i in range(len(targets)):
        lines.append(Line2D([], [], color=INK, linestyle=DASHES[min(i, 2)], linewidth=1.8))
    axes.legend(lines, targets, loc="lower right")


def _as_percent(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _legend(figure: Figure, axes: Axes, runs: int) -> None:
    """The runs' names under the panels; none for a single run, which the title names."""
    if runs > 1:
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=min(4, runs))


def _inches(runs: int) -> tuple[float, float]:
    """The size of two panels with a legend of so many runs below."""
    legend_rows = 0
    if runs > 1:
        legend_rows = math.ceil(runs / 4)
    return 10.5, 4.3 + 0.25 * legend_rows


def styled() -> Any:
    """A context in which figures look like the house's."""
    import matplotlib

    return matplotlib.rc_context(STYLE)


def new_figure(title: str, inches: tuple[float, float]) -> Figure:
    """An empty figure that no window knows of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    figure.suptitle(title, x=0.008, ha="left", fontsize=13)
    return figure


def as_png(figure: Figure) -> bytes:
    """The bytes of a PNG file."""
    return _saved(figure, format="png", dpi=DPI)


def as_jpeg(figure: Figure) -> bytes:
    """The bytes of a JPEG file: a fifth of a PNG's where most of the figure is photos."""
    return _saved(figure, format="jpeg", dpi=DPI, pil_kwargs={"quality": 88})


def _saved(figure: Figure, **how: Any) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, **how)
    return picture.getvalue()
