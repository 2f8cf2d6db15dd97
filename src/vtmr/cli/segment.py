"""`vtmr segment`: clicks on one image, one after the other as in the annotator, and the mask that
they make."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from vtmr.atomic import exists, is_folder, true_path
from vtmr.drawing import overlay
from vtmr.errors import InputError
from vtmr.images import read_image, write_png
from vtmr.maskfiles import read_mask_file
from vtmr.masks import Mask, RunLengths
from vtmr.session import NOTHING_TO_TAKE, Session
from vtmr.types import (
    BoxPrompt,
    Click,
    Correction,
    Image,
    Predictor,
    places_of,
    require_correction,
    takes_from_nothing,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one click brought: the mask, bool H x W, and the seconds from the click to the mask
    array."""

    mask: Mask
    seconds: float


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files to write; None is left out."""

    mask_path: Path | None
    overlay_path: Path | None


def parse_click(text: str) -> Click:
    """`X,Y`, `X,Y,+` or `X,Y,-`, in pixels of the image: the flag's value as a Click.

    Raises InputError for anything else, with the text.
    """
    unreadable = InputError(
        f"The click {text!r} can't be read: expected X,Y or X,Y,- in pixels, for example 320,240 "
        "or 15.5,80,-."
    )
    parts = list(map(str.strip, text.split(",")))
    if "_" in text or not text.isascii():  # float would read 1_0 as ten
        raise unreadable
    sign = "+"
    if len(parts) == 3:
        sign = parts.pop()
    if sign not in ("+", "-"):
        raise unreadable
    try:
        x, y = map(float, parts)
    except ValueError as error:
        raise unreadable from error
    return Click(x, y, positive=sign == "+")


def parse_clicks(texts: Sequence[str]) -> list[Click]:
    """All --click values in order.

    Raises InputError when there are none, when one can't be read, and when two lie in the same
    pixel: the second would say nothing new, or the opposite of the first.
    """
    if not texts:
        raise InputError("There is no click: expected at least one --click X,Y on the object.")
    clicks: dict[tuple[int, int], tuple[str, Click]] = {}
    for text in texts:
        click = parse_click(text)
        if click.pixel in clicks:
            raise InputError(
                f"The click {text!r} lies in the same pixel as the click "
                f"{clicks[click.pixel][0]!r}: expected one click a pixel, remove one of them."
            )
        clicks[click.pixel] = text, click
    return [click for _, click in clicks.values()]


def parse_box(text: str) -> BoxPrompt:
    """`X0,Y0,X1,Y1`, in pixels of the image. Raises InputError for anything else, with the text."""
    unreadable = InputError(
        f"The box {text!r} can't be read: expected X0,Y0,X1,Y1 in pixels, left, top, right and "
        "bottom, for example 40,30,120,95."
    )
    if "_" in text or not text.isascii():  # float would read 1_0 as ten
        raise unreadable
    try:
        x0, y0, x1, y1 = map(float, text.split(","))
    except ValueError as error:
        raise unreadable from error
    return BoxPrompt(x0, y0, x1, y1)


def parse_prompts(
    box: str | None, clicks: Sequence[str], initial_mask: Path | None
) -> list[Click | BoxPrompt]:
    """The box, if there is one, and the clicks, in order.

    Raises InputError for what can't be read, when there are neither, and for a box on a mask to
    correct: it would start the object anew.
    """
    if box is None:
        return list(parse_clicks(clicks))
    if initial_mask is not None:
        raise InputError(
            f"--box {box} and --initial-mask {initial_mask} are given: a box starts the object "
            "anew, expected one of them."
        )
    prompts: list[Click | BoxPrompt] = [parse_box(box)]
    if clicks:
        prompts += parse_clicks(clicks)
    return prompts


def choose_outputs(
    image_path: Path, mask_path: Path | None, overlay_path: Path | None, quiet: bool
) -> Outputs:
    """Where results go: as asked, or into `<image>.mask.png` beside the image when nothing was
    asked.

    quiet: the caller prints the mask (--json), so that no file is needed. Raises InputError for a
    name that isn't .png, for a folder that doesn't exist, for one name twice, for the image itself,
    and for a mask beside the image that is there already: only a file that was named is replaced.
    """
    if mask_path is None and overlay_path is None and not quiet:
        mask_path = image_path.with_name(f"{image_path.stem}.mask.png")
        if exists(mask_path):
            raise InputError(
                f"{mask_path} exists already: name a file with -o, the same one to replace it."
            )
    # True paths: through a link, too, the image would be overwritten.
    taken = {true_path(image_path): "the image"}
    for path, what in ((mask_path, "the mask"), (overlay_path, "the overlay")):
        if path is None:
            continue
        if path.suffix.lower() != ".png":
            raise InputError(
                f"{what.capitalize()} can't be written to {path}: expected a name that ends in "
                ".png."
            )
        if not is_folder(path.parent):
            raise InputError(
                f"{what.capitalize()} can't be written to {path}: the folder {path.parent} doesn't "
                "exist."
            )
        if true_path(path) in taken:
            raise InputError(
                f"{path} would hold both {taken[true_path(path)]} and {what}: expected different "
                "names."
            )
        taken[true_path(path)] = what
    return Outputs(mask_path, overlay_path)


def session_on(
    predictor: Predictor, image: Image, initial_mask: Mask | None, correction: str
) -> Session:
    """A session on the image, or on the mask to correct.

    correction: "here" or "refit", see `Session`. Raises InputError for another one and for an
    initial mask of another size.
    """
    require_correction(correction)
    return Session(
        predictor, image, initial_mask=initial_mask, correction=cast(Correction, correction)
    )


def each_click(session: Session, prompts: Sequence[Click | BoxPrompt]) -> Iterator[Answer]:
    """Adds the box and the clicks one by one and yields each answer.

    Raises InputError for one outside the image.
    """
    for prompt in prompts:
        start = time.perf_counter()
        session = session.add(prompt)
        # Within the time: the mask is painted only when it is asked for, and a user waits for that.
        mask = session.mask
        yield Answer(mask, time.perf_counter() - start)


def final_mask(session: Session, prompts: Sequence[Click | BoxPrompt]) -> tuple[Mask, list[float]]:
    """The mask after the last of them and the seconds of each; raises as `each_click`."""
    seconds = []
    for answer in each_click(session, prompts):
        mask = answer.mask
        seconds.append(answer.seconds)
    return mask, seconds


def read_inputs(image_path: Path, initial_mask_path: Path | None) -> tuple[Image, Mask | None]:
    """The image and the mask to start from, all objects of its file as one.

    What the file was taken for is said on stderr where it could mean something else. Raises
    InputError when either can't be read or the sizes differ.
    """
    image = read_image(image_path)
    if initial_mask_path is None:
        return image, None
    file = read_mask_file(initial_mask_path, (image.shape[0], image.shape[1]))
    for note in file.notes:
        print(f"vtmr: {initial_mask_path}: {note}", file=sys.stderr)
    if len(file.objects) > 1:
        print(f"vtmr: {initial_mask_path}: All objects count as one here.", file=sys.stderr)
    return image, file.everything


def write_outputs(
    outputs: Outputs, image: Image, mask: Mask, prompts: Sequence[Click | BoxPrompt]
) -> list[Path]:
    """Writes what was asked for, each file whole or not at all; the paths written."""
    if outputs.mask_path is not None:
        write_png(outputs.mask_path, mask)
    if outputs.overlay_path is not None:
        write_png(outputs.overlay_path, draw(image, mask, clicks_of(prompts)))
    return [path for path in (outputs.mask_path, outputs.overlay_path) if path is not None]


def clicks_of(prompts: Sequence[Click | BoxPrompt]) -> list[Click]:
    """The clicks among them."""
    return [prompt for prompt in prompts if isinstance(prompt, Click)]


def draw(image: Image, mask: Mask, clicks: Sequence[Click]) -> Image:
    """The overlay of a mask and its clicks, H x W x 3."""
    return overlay(image, mask, *places_of(clicks))


def as_record(
    model: str, prompts: Sequence[Click | BoxPrompt], mask: Mask, seconds: Sequence[float]
) -> dict[str, Any]:
    """What --json prints: the mask as COCO run lengths (column-major), its area, and the seconds of
    the box and of each click."""
    height, width = mask.shape
    box = None
    for prompt in prompts:
        if isinstance(prompt, BoxPrompt):  # there is one at most
            box = [prompt.x0, prompt.y0, prompt.x1, prompt.y1]
    return {
        "model": model,
        "width": width,
        "height": height,
        "box": box,
        "clicks": [
            {"x": click.x, "y": click.y, "positive": click.positive} for click in clicks_of(prompts)
        ],
        "seconds": [round(value, 6) for value in seconds],
        "area": int(np.count_nonzero(mask)),
        "mask": {"size": [height, width], "counts": RunLengths.encode(mask).counts.decode("ascii")},
    }


def note_on(prompts: Sequence[Click | BoxPrompt], start_mask: Mask | None) -> str:
    """What the mask doesn't tell: that all clicks took away from nothing; else empty."""
    clicks = clicks_of(prompts)
    # With a box there is something to take away from.
    nothing = len(clicks) == len(prompts) and takes_from_nothing(clicks, start_mask)
    if nothing:
        return NOTHING_TO_TAKE
    return ""


def in_words(
    model: str, prompts: Sequence[Click | BoxPrompt], mask: Mask, seconds: Sequence[float]
) -> str:
    """One line on the result for a terminal."""
    area = int(np.count_nonzero(mask))
    count = len(clicks_of(prompts))
    asked = []
    if len(prompts) > count:
        asked.append("a box")
    if count:
        asked.append(f"{count} click{'s' * (count > 1)}")
    return (
        f"{model}: {' and '.join(asked)}, {1000 * sum(seconds):.0f} ms, {area} pixels "
        f"({area / mask.size:.1%} of the image)"
    )
