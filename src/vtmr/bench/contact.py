"""The objects that went worst as one picture: truth, mask and clicks of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vtmr.bench.figures import Run, runs_of
from vtmr.bench.metrics import noc
from vtmr.bench.playing import events_of, load_arrays
from vtmr.bench.plots import as_jpeg, new_figure, styled
from vtmr.bench.protocol import Protocol
from vtmr.bench.records import Record
from vtmr.data import EvalSample
from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box, iou
from vtmr.session import Session
from vtmr.types import Click, Image, Predictor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COUNT, COLUMNS = 20, 5  # objects of a sheet, and how many of them side by side
MARGIN_RATIO = 1.5  # of the box around object, mask and clicks: what of the image is shown
LONGEST_PX = 480  # of a drawn image
MISSED, WRONG = (64, 160, 255), (255, 176, 0)  # two colours that the colour-blind tell apart
TINT = 0.6  # share of these in a pixel
SHAPE, PAPER = 4 / 3, "#f0f0f0"  # width to height of a picture, and what fills it up
POSITIVE, NEGATIVE = "#009e5a", "#d53c28"
SAME_IOU = 1e-6  # a mask drawn anew is the recorded one up to this


@dataclass(frozen=True, slots=True)
class Cell:
    """One object. image: uint8 H x W x 3; gt_mask, mask: bool H x W, mask None where only the
    clicks are known."""

    image: Image
    gt_mask: Mask
    mask: Mask | None
    clicks: tuple[Click, ...]
    caption: str


def worst_runs(records: Iterable[Record], protocol: Protocol, count: int = COUNT) -> list[Run]:
    """The runs of objects with most clicks to the highest target, among equals with the lowest IoU
    at their end.

    Of an object's repeats only the worst.
    """
    target = max(protocol.targets)

    def badness(run: Run) -> tuple[int, float]:
        return noc([record.iou for record in run], target, protocol.max_clicks), -run[-1].iou

    worst = [max(repeats, key=badness) for repeats in runs_of(records).values()]
    return sorted(worst, key=badness, reverse=True)[:count]


def cell_of(run: Run, sample: EvalSample, protocol: Protocol, predictor: Predictor | None) -> Cell:
    """The run drawn anew: its clicks on the sample's image, with `predictor` the mask that they
    make.

    Raises DataError for an unusable sample.
    """
    image, gt_mask, ignore_mask, initial = load_arrays(sample, protocol, run[0].repeat)
    events = events_of(run, gt_mask, ignore_mask, protocol)
    clicks = tuple(event for event in events if isinstance(event, Click))
    last = run[-1]
    # The only object of an image is called 0.
    name = _short(f"{last.image} {last.object}".removesuffix(" 0"))
    caption = f"{name}\nIoU {last.iou:.3f} after {last.k} click{'s' * (last.k > 1)}"
    if predictor is None:
        return Cell(image, gt_mask, None, clicks, caption)
    session = Session(predictor, image, initial_mask=initial, correction=protocol.correction)
    for event in events:
        session = session.add(event)
    replayed = iou(session.mask, gt_mask, ignore_mask)
    if abs(replayed - last.iou) > SAME_IOU:
        caption += f"; replayed: {replayed:.3f}"
    return Cell(image, gt_mask, session.mask, clicks, caption)


def draw_sheet(title: str, cells: Sequence[Cell]) -> bytes:
    """The cells in rows of five, with a key to their colours; a JPEG. cells: at least one."""
    columns = min(COLUMNS, len(cells))
    # Rounded up.
    rows = -(-len(cells) // columns)
    with styled():
        figure = new_figure(title, (max(2.9 * columns, 7.0), 2.75 * rows + 0.7))
        # A single panel comes without an array around it.
        panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axes, cell in zip(panels, cells, strict=False):
            _draw(axes, cell)
        for axes in panels[len(cells) :]:
            axes.set_axis_off()
        drawn = [cell for cell in cells if cell.mask is not None]
        _draw_key(figure, masks=bool(drawn))
        return as_jpeg(figure)


def _draw(axes: Axes, cell: Cell) -> None:
    """The part of the image around the object, in the house's coordinates: a pixel is a square."""
    box = _shown(cell)
    image = np.ascontiguousarray(cell.image[box.slices])
    truth = cell.gt_mask[box.slices]
    if cell.mask is not None:
        mask = cell.mask[box.slices]
        for area, colour in ((truth & ~mask, MISSED), (mask & ~truth, WRONG)):
            image[area] = (TINT * np.array(colour) + (1 - TINT) * image[area]).astype(np.uint8)
    scale = min(1.0, LONGEST_PX / max(box.width, box.height))
    size = max(1, round(scale * box.width)), max(1, round(scale * box.height))
    axes.imshow(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        extent=(box.x0, box.x1, box.y1, box.y0),
    )
    contours, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        # Closed, and moved to the pixels' middles: OpenCV's 0 is the first one's middle.
        outline = np.vstack([contour[:, 0], contour[:1, 0]]) + (box.x0 + 0.5, box.y0 + 0.5)
        # White on wider black can be seen on any photo.
        axes.plot(*outline.T, color="black", linewidth=2.2, alpha=0.7)
        axes.plot(*outline.T, color="white", linewidth=1.0)
    for click in cell.clicks:
        _draw_click(axes, click)
    _letterbox(axes, box)
    axes.set_title(cell.caption, fontsize=8.5, fontweight="normal", pad=3)


def _letterbox(axes: Axes, box: Box) -> None:
    """Limits of one shape for all pictures, around the box, on grey."""
    width = max(box.width, box.height * SHAPE)
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    axes.set(
        xlim=(x - width / 2, x + width / 2), ylim=(y + width / SHAPE / 2, y - width / SHAPE / 2)
    )
    axes.set(xticks=[], yticks=[], facecolor=PAPER)
    axes.spines[:].set_visible(False)


def _draw_click(axes: Axes, click: Click) -> None:
    colour, sign = NEGATIVE, "_"
    if click.positive:
        colour, sign = POSITIVE, "+"
    axes.plot(
        click.x,
        click.y,
        "o",
        markersize=8,
        color=colour,
        markeredgecolor="white",
        markeredgewidth=1,
    )
    axes.plot(click.x, click.y, sign, markersize=5, color="white", markeredgewidth=1.2)


def _draw_key(figure: Figure, masks: bool) -> None:
    """What the colours mean, in one line under the pictures."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.patheffects import Normal, Stroke

    outline = Line2D(
        [], [], color="white", path_effects=[Stroke(linewidth=3.5, foreground="black"), Normal()]
    )
    dot = partial(Line2D, [], [], marker="o", linestyle="", markersize=8)
    dots = [dot(color=POSITIVE), dot(color=NEGATIVE)]
    areas = []
    if masks:
        areas = [Patch(color="#{:02x}{:02x}{:02x}".format(*colour)) for colour in (MISSED, WRONG)]
    names = [
        "outline of the truth",
        "positive click",
        "negative click",
        "missed",
        "wrongly covered",
    ]
    handles = [outline, *dots, *areas]
    figure.legend(handles, names[: len(handles)], loc="outside lower left", ncols=len(handles))


def _shown(cell: Cell) -> Box:
    """The part of the image to draw: around the object, the mask and the clicks."""
    whole = Box.whole(*cell.gt_mask.shape)
    covered = cell.gt_mask
    if cell.mask is not None:
        covered = covered | cell.mask
    box = bounding_box(covered) or whole
    for click in cell.clicks:
        row, col = click.pixel
        box = box.union(Box(col, row, col + 1, row + 1))
    return box.expanded(MARGIN_RATIO, whole)


def _short(name: str, most: int = 34) -> str:
    """With dots in place of the middle where it is too long for a picture's width."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"
