"""What a session refuses: images, masks, sizes and events that can't be."""

from __future__ import annotations

import numpy as np

from vtmr.errors import InputError
from vtmr.masks import Mask
from vtmr.types import BoxPrompt, Click, Event, Image, MaskEdit, Predictor


def require_image(image: Image) -> tuple[int, int]:
    """Height and width. Raises InputError for anything but an RGB image."""
    # For the error: a torch tensor has both, too, and is the likeliest mistake.
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", None)
    if (
        not isinstance(image, np.ndarray)
        or image.ndim != 3
        or image.shape[2] != 3
        or image.dtype != np.uint8
    ):
        raise InputError(
            f"The image is {type(image).__name__} of shape {shape} and type {dtype}: expected an "
            "RGB array height x width x 3 of uint8; vtmr.read_image makes one from a file."
        )
    if 0 in image.shape:
        raise InputError(
            f"The image has {image.shape[1]}x{image.shape[0]} pixels: expected at least one."
        )
    return int(image.shape[0]), int(image.shape[1])


def require_mask(mask: Mask, height: int, width: int) -> Mask:
    """The mask. Raises InputError for one of another type or size."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise InputError(
            f"The initial mask is {type(mask).__name__} of type {getattr(mask, 'dtype', None)}: "
            "expected a bool array; compare a grey one with a threshold first, like mask > 127."
        )
    if mask.shape != (height, width):
        raise InputError(
            f"The initial mask has shape {mask.shape}: expected ({height}, {width}), the image's "
            "height and width."
        )
    return mask


def require_size(size: tuple[int, int]) -> tuple[int, int]:
    """The height and width of a grid. Raises InputError for what no grid can have."""
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise InputError(
            f"The size of the grid is {size!r}: expected (height, width), whole numbers above 0."
        )
    return size


def require_taken(event: Event, predictor: Predictor) -> None:
    """Raises InputError for a box and a predictor that would pass over it."""
    if isinstance(event, BoxPrompt) and not getattr(predictor, "takes_boxes", False):
        raise InputError(
            f"{predictor.name} takes no boxes: expected clicks, or a network with vtmr's own "
            "pipeline."
        )


def require_event(event: Event, height: int, width: int) -> None:
    """Raises InputError for what isn\'t an event on an image of that size."""
    if isinstance(event, Click | BoxPrompt):
        event.require_inside(height, width)
    elif not isinstance(event, MaskEdit):
        raise InputError(f"{event!r} is no event: expected a Click, a BoxPrompt or a MaskEdit.")
    elif (event.runs.height, event.runs.width) != (height, width):
        raise InputError(
            f"The mask edit is {event.runs.width}x{event.runs.height} pixels: expected "
            f"{width}x{height}, as the image."
        )
