"""Masks and clicks drawn on photos: overlays and click-by-click strips, with OpenCV alone.

Images are uint8 H x W x 3, RGB; masks bool H x W; points N x 2 (x, y) in the image's coordinates.
Every function returns a new image. Lines and marks grow with the image, so that a 24-megapixel
overlay reads like a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.geometry import Box, Points
from vtmr.masks import Mask, bounding_box

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

OBJECT: Colour = (64, 160, 255)
LIGHT: Colour = (255, 255, 255)
DARK: Colour = (16, 16, 16)
POSITIVE: Colour = (0, 158, 90)
NEGATIVE: Colour = (213, 60, 40)

_TINT = 0.45  # share of OBJECT in the pixels of the mask
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SUBPIXEL_BITS = 4  # cv2 draws at 1/16 of a pixel with this `shift`


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a strip and the line of text under it."""

    image: Image
    caption: str


def overlay(image: Image, mask: Mask, points: Points, positive: NDArray[np.bool_]) -> Image:
    """The image with the mask tinted, its contour in two tones, and the clicks, numbered from 1.

    image: H x W x 3; mask: H x W; points: N x 2 (x, y); positive: N. Raises InputError when the
    sizes differ.
    """
    if image.shape[:2] != mask.shape:
        raise InputError(
            f"The mask is {mask.shape[1]}x{mask.shape[0]}, the image "
            f"{image.shape[1]}x{image.shape[0]}: expected the same size."
        )
    return draw_clicks(draw_mask(image, mask), points, positive)


def draw_mask(image: Image, mask: Mask) -> Image:
    """The image with the mask's pixels tinted and a contour that shows on any background.

    The contour is light just inside the mask and dark just outside it; where the object leaves the
    image there is no outer line.
    """
    drawn = image.copy()
    box = bounding_box(mask)
    if box is None:
        return drawn
    line_px = max(1, round(_unit(image)))
    height, width = mask.shape
    area = Box(box.x0 - line_px, box.y0 - line_px, box.x1 + line_px, box.y1 + line_px)
    visible = area.intersection(Box.whole(height, width)) or box
    inside = np.ascontiguousarray(mask[visible.slices])
    patch = drawn[visible.slices]
    tinted = cv2.addWeighted(patch, 1 - _TINT, np.full_like(patch, OBJECT), _TINT, 0)
    np.copyto(patch, tinted.astype(np.uint8, copy=False), where=inside[..., None])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line_px + 1, 2 * line_px + 1))
    patch[(cv2.dilate(inside.view(np.uint8), kernel) > 0) & ~inside] = DARK
    patch[inside & (cv2.erode(inside.view(np.uint8), kernel) == 0)] = LIGHT
    return drawn


def draw_clicks(image: Image, points: Points, positive: NDArray[np.bool_]) -> Image:
    """The image with a disc at every click: green with a plus for positive ones, red with a minus
    for negative ones.

    points: N x 2 (x, y); positive: N. A number from 1 stands beside each disc.
    """
    drawn = np.ascontiguousarray(image).copy()
    unit = _unit(image)
    for number, ((x, y), is_positive) in enumerate(
        zip(np.reshape(points, (-1, 2)), positive, strict=True), start=1
    ):
        _draw_click(drawn, float(x), float(y), bool(is_positive), number, unit)
    return drawn


def draw_grid(image: Image, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> Image:
    """The image with a thin line down at every x and one across at every y.

    xs, ys: in image coordinates, increasing; the lines end at each other's first and last.
    """
    drawn = image.copy()
    width_px = max(1, round(_unit(image)))

    def line(x0: float, y0: float, x1: float, y1: float) -> None:
        start, end = _for_cv2(x0, y0), _for_cv2(x1, y1)
        cv2.line(drawn, start, end, OBJECT, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)

    for x in xs:
        line(x, ys[0], x, ys[-1])
    for y in ys:
        line(xs[0], y, xs[-1], y)
    return drawn


def strip(panels: Sequence[Panel], *, panel_width: int = 480, columns: int = 3) -> Image:
    """The panels as a sheet, row by row, each scaled to `panel_width` pixels with its caption
    below.

    All images must have the same shape, or InputError is raised; so it is for no panels at all.
    """
    shapes = {panel.image.shape for panel in panels}
    if len(shapes) != 1:
        raise InputError(
            f"A strip was asked of images with the shapes {sorted(shapes)}: expected one common "
            "shape."
        )
    cells = [_cell(panel, panel_width) for panel in panels]
    columns = min(columns, len(cells))
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % columns)  # until the last row is full
    rows = []
    for start in range(0, len(cells), columns):
        rows.append(np.hstack(cells[start : start + columns]))
    return np.vstack(rows)


def _for_cv2(x: float, y: float) -> tuple[int, int]:
    """A point of the image as cv2 takes it with `shift`, in sixteenths of a pixel."""
    # cv2 counts from the centre of pixel (0, 0), the house from its corner.
    return round((x - 0.5) * 2**_SUBPIXEL_BITS), round((y - 0.5) * 2**_SUBPIXEL_BITS)


def _unit(image: Image) -> float:
    """Pixels of the image for one pixel of a picture 640 wide or high."""
    longest: int = max(image.shape[:2])
    return max(1.0, longest / 640)


def _draw_click(drawn: Image, x: float, y: float, positive: bool, number: int, unit: float) -> None:
    """Draws one click into the image, in place."""

    def disc(radius: float, colour: Colour) -> None:
        centre, length = _for_cv2(x, y), round(radius * unit * 2**_SUBPIXEL_BITS)
        cv2.circle(drawn, centre, length, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)

    def line(dx: float, dy: float) -> None:
        start = _for_cv2(x - dx * unit, y - dy * unit)
        end = _for_cv2(x + dx * unit, y + dy * unit)
        cv2.line(drawn, start, end, LIGHT, max(1, round(1.6 * unit)), cv2.LINE_AA, _SUBPIXEL_BITS)

    # Two rims of opposite tones: one of them shows on any background.
    disc(7.5, DARK)
    disc(6.5, LIGHT)
    if positive:
        disc(5.0, POSITIVE)
        line(3, 0)
        line(0, 3)
    else:
        disc(5.0, NEGATIVE)
        line(3, 0)
    label = (round(x + 9 * unit), round(y - 5 * unit))
    for colour, thickness in ((DARK, 3.0), (LIGHT, 1.0)):
        cv2.putText(
            drawn,
            str(number),
            label,
            _FONT,
            0.45 * unit,
            colour,
            max(1, round(thickness * unit)),
            cv2.LINE_AA,
        )


def _cell(panel: Panel, panel_width: int) -> Image:
    """A panel scaled to `panel_width`, with a white margin and its caption."""
    height, width = panel.image.shape[:2]
    panel_height = max(1, round(height * panel_width / width))
    scaled = cv2.resize(panel.image, (panel_width, panel_height), interpolation=cv2.INTER_AREA)
    margin, text_height = 6, 22
    cell = np.full(
        (panel_height + margin + text_height, panel_width + 2 * margin, 3), 255, np.uint8
    )
    cell[margin : margin + panel_height, margin : margin + panel_width] = scaled
    baseline = (margin, margin + panel_height + text_height - 8)
    cv2.putText(cell, panel.caption, baseline, _FONT, 0.45, DARK, 1, cv2.LINE_AA)
    return cell
