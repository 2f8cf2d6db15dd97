"""`vtmr.segment`: an image and some prompts in, a mask out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from vtmr.errors import InputError
from vtmr.images import read_image
from vtmr.masks import Mask
from vtmr.segmenter import Segmenter, load
from vtmr.session.history import Session
from vtmr.types import BoxPrompt, Click, Image, Predictor

_MODELS_KEPT = 2  # so that one call after another doesn't open the same file again


def segment(
    image: Image | str | Path,
    *,
    clicks: Sequence[Click | Sequence[float]] = (),
    box: BoxPrompt | Sequence[float] | None = None,
    mask: Mask | None = None,
    model: Predictor | str = "lite0",
) -> Mask:
    """The mask of one object, in one line.

    What `Session` answers to the box, or on the mask, and then to one click after another.

    Args:
        image: uint8 H x W x 3, RGB, or an image file.
        clicks: Each a Click or (x, y), (x, y, positive), in pixels; positive unless it says False.
        box: Around the object: a BoxPrompt or four numbers (x0, y0, x1, y1).
        mask: bool H x W, a mask that the clicks correct; each changes only the connected region
            that it lies in.
        model: What `vtmr.load` returned, or takes; the last two names are kept open.

    Returns:
        bool H x W, read-only.

    Raises:
        InputError: For an image, prompts or a mask that can't be, a box and a mask at once, and
            where there is nothing to go by.
        CheckpointError: For anything that isn't a sound model.
    """
    if box is not None and mask is not None:
        raise InputError(
            "A box and a mask are both given: a box begins an object anew, so give one of them."
        )
    prompts: list[Click | BoxPrompt] = list(map(_click, _several(clicks)))
    if box is not None:
        prompts.insert(0, _box(box))
    if not prompts:
        raise InputError("There is nothing to go by: give clicks=[(x, y)] or box=(x0, y0, x1, y1).")
    if isinstance(image, str | Path):
        image = read_image(image)
    if isinstance(model, str):
        model = _loaded(model)
    session = Session(model, image, initial_mask=mask)
    for prompt in prompts:
        session = session.add(prompt)
    return session.mask


@lru_cache(maxsize=_MODELS_KEPT)
def _loaded(model: str) -> Segmenter:
    return load(model)


def _several(clicks: Sequence[Click | Sequence[float]]) -> list[Click | Sequence[float]]:
    """The clicks as a list. Raises InputError for a single one, which isn't a list of them."""
    try:
        return list(clicks)
    except TypeError as error:
        raise InputError(
            f"The clicks are {clicks!r}: expected a list of them, like [(320, 240)]."
        ) from error


def _click(value: Click | Sequence[float]) -> Click:
    if isinstance(value, Click):
        return value
    try:
        x, y, *sign = map(float, value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"A click is {value!r}: expected (x, y) or (x, y, positive) in a list of clicks."
        ) from error
    if len(sign) > 1 or sign not in ([], [0.0], [1.0]):
        raise InputError(
            f"A click is {value!r}: expected (x, y) or (x, y, positive), positive True or False."
        )
    return Click(x, y, sign != [0.0])


def _box(value: BoxPrompt | Sequence[float]) -> BoxPrompt:
    if isinstance(value, BoxPrompt):
        return value
    try:
        x0, y0, x1, y1 = map(float, value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The box is {value!r}: expected a BoxPrompt or four numbers, x0, y0, x1 and y1."
        ) from error
    return BoxPrompt(x0, y0, x1, y1)
