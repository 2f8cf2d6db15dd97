"""`vtmr demo`: the bundled photos, clicked as a person would, as overlays and click-by-click
strips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtmr.atomic import is_file, make_folder
from vtmr.cli.segment import draw, each_click
from vtmr.drawing import Panel, strip
from vtmr.errors import InputError
from vtmr.images import read_image, write_png
from vtmr.session import Session
from vtmr.types import Click, Predictor

PHOTOS = Path(__file__).parents[1] / "assets" / "photos"


@dataclass(frozen=True, slots=True)
class Photo:
    """A bundled photo and the clicks of the demo."""

    path: Path
    title: str
    clicks: tuple[Click, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo made of one photo: two PNG files, and the milliseconds of each click."""

    photo: Photo
    overlay_path: Path
    strip_path: Path
    click_ms: tuple[float, ...]


def bundled_photos(folder: Path | None = None) -> list[Photo]:
    """The photos that come with the package and their clicks, or those of another folder with a
    `photos.json`."""
    if folder is None:
        folder = PHOTOS
    photos = []
    for entry in json.loads((folder / "photos.json").read_text("utf-8")):
        clicks = tuple(Click(x, y, sign) for x, y, sign in entry["clicks"])
        photos.append(Photo(folder / entry["file"], entry["title"], clicks))
    return photos


def show(predictor: Predictor, photos: Sequence[Photo], out: Path) -> list[Shown]:
    """Clicks through the photos and writes NAME.overlay.png and NAME.clicks.png into `out`, which
    is made.

    Raises InputError when `out` is a file or can't be made.
    """
    if is_file(out):
        raise InputError(
            f"--out {out} is a file: expected a folder, which is made when it is missing."
        )
    make_folder(out)
    return [_show_one(predictor, photo, out) for photo in photos]


def _show_one(predictor: Predictor, photo: Photo, out: Path) -> Shown:
    """One photo's overlay after the last click, and the strip of all clicks."""
    image = read_image(photo.path)
    panels = [Panel(image, photo.title)]
    click_ms = []
    for number, answer in enumerate(each_click(Session(predictor, image), photo.clicks), start=1):
        click_ms.append(answer.seconds * 1000)
        sign = "background"
        if photo.clicks[number - 1].positive:
            sign = "object"
        covered = np.count_nonzero(answer.mask) / answer.mask.size
        picture = draw(image, answer.mask, photo.clicks[:number])
        panels.append(Panel(picture, f"click {number}: {sign}, {covered:.0%} of the image"))
    overlay_path = out / f"{photo.path.stem}.overlay.png"
    strip_path = out / f"{photo.path.stem}.clicks.png"
    write_png(overlay_path, panels[-1].image)
    write_png(strip_path, strip(panels))
    return Shown(photo, overlay_path, strip_path, tuple(click_ms))
