"""What a request asks for: an image or its id, clicks, a box, a mask to correct, and the form of
the answer."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np

from vtmr.errors import InputError
from vtmr.masks import RunLengths
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request, require_number, shown
from vtmr.session.live import Step
from vtmr.types import BoxPrompt, Click, Correction, MaskEdit

Form = Literal["rle", "png"]

_FARTHEST = 1e7  # pixels: beyond lies no image
# An id becomes a file's name: with nothing but these digits, none leads out of the folder.
_ID = re.compile(r"[0-9a-f]{64}")
_MOST_RUNS = 1 << 22


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the mask is to be made of, and how it is to be told.

    mask: to be corrected, as run lengths or as the bytes of a PNG; correction: what the clicks may
    change of it.
    """

    clicks: tuple[Click, ...]
    box: BoxPrompt | None
    mask: RunLengths | bytes | None
    correction: Correction
    form: Form

    @property
    def steps(self) -> tuple[Step, ...]:
        """One event after another, as `vtmr.segment` answers them. The mask has to be run lengths
        by now."""
        steps: list[Step] = [(click,) for click in self.clicks]
        if self.box is not None:
            steps.insert(0, (self.box,))
        if isinstance(self.mask, RunLengths):
            steps.insert(0, (MaskEdit(self.mask),))
        return tuple(steps)

    def with_mask(self, mask: RunLengths | bytes) -> Prompts:
        """With another mask to correct, or the same one decoded."""
        return replace(self, mask=mask)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's content. image: the bytes of a file, or the id of an earlier one, or None where
    it comes beside."""

    image: bytes | str | None
    prompts: Prompts


def parse_asked(record: Any, most_clicks: int, beside: Mapping[str, bytes]) -> Asked:
    """The content of a decoded JSON body. beside: files that came with it, by name.

    Raises Refusal (400) for missing, unknown and wrong fields.
    """
    fields = Fields(record)
    image = _image(fields)
    if image is None and "image" not in beside:
        raise bad_request(
            "There is no image: give 'image' (the file in base64) or 'image_id' (of an upload)."
        )
    if image is not None and "image" in beside:
        raise bad_request("There are two images: give a file, 'image' or 'image_id'.")
    clicks = _clicks(fields, most_clicks)
    box = _box(fields)
    mask = beside["mask"] if "mask" in beside else _mask(fields)
    correction = cast(Correction, fields.choice("correction", get_args(Correction), "here"))
    form = cast(Form, fields.choice("format", get_args(Form), "rle"))
    fields.done()
    if not clicks and box is None:
        raise bad_request(
            "There is nothing to go by: give 'clicks' ([{\"x\": 320, \"y\": 240}]) or 'box' "
            "([x0, y0, x1, y1])."
        )
    if box is not None and mask is not None:
        raise bad_request(
            "A box and a mask are both given: a box begins an object anew, so give one of them."
        )
    return Asked(image, Prompts(clicks, box, mask, correction, form))


def require_id(value: Any) -> str:
    """An image's id. Raises Refusal (400)."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise bad_request(
            f"'image_id' is {shown(value)}: expected the 64 hexadecimal digits that the upload "
            "answered, which are the file's SHA-256."
        )
    return value


def decoded_base64(value: Any, name: str) -> bytes:
    """Raises Refusal (400) for what is no base64; a data URL's head is passed over."""
    if not isinstance(value, str):
        raise bad_request(f"{name!r} is {shown(value)}: expected a file's bytes in base64.")
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        # Otherwise what isn't base64's alphabet is passed over, and an address would become bytes.
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(
            f"{name!r} is no base64 ({error}): expected a file's bytes, never an address."
        ) from error
    if not data:
        raise bad_request(f"{name!r} is empty: expected a file's bytes in base64.")
    return data


def _image(fields: Fields) -> bytes | str | None:
    image, image_id = fields.take("image", None), fields.take("image_id", None)
    if image is not None and image_id is not None:
        raise bad_request("There are two images: give 'image' or 'image_id'.")
    if image_id is not None:
        return require_id(image_id)
    return None if image is None else decoded_base64(image, "image")


def _clicks(fields: Fields, most: int) -> tuple[Click, ...]:
    if not fields.has("clicks"):
        return ()
    clicks = []
    for number, record in enumerate(fields.items("clicks", 0, most)):
        inner = Fields(record, f"Click {number}")
        x = inner.number("x", -_FARTHEST, _FARTHEST)
        y = inner.number("y", -_FARTHEST, _FARTHEST)
        clicks.append(Click(x, y, inner.boolean("positive", True)))
        inner.done()
    return tuple(clicks)


def _box(fields: Fields) -> BoxPrompt | None:
    if not fields.has("box"):
        return None
    corners = fields.items("box", 4, 4)
    numbers = [require_number(value, "box", -_FARTHEST, _FARTHEST) for value in corners]
    try:
        return BoxPrompt(*numbers)
    except InputError as error:
        raise bad_request(str(error)) from error


def _mask(fields: Fields) -> RunLengths | bytes | None:
    """COCO's run lengths, or {"png": …}."""
    value = fields.take("mask", None)
    if value is None:
        return None
    inner = Fields(value, "'mask'")
    if inner.has("png"):
        data = decoded_base64(inner.take("png"), "mask.png")
        inner.done()
        return data
    size = inner.items("size", 2, 2)
    height, width = (int(require_number(side, "mask.size", 1, 1 << 20)) for side in size)
    counts = inner.take("counts")
    inner.done()
    try:
        return _run_lengths(counts, height, width)
    except InputError as error:
        raise bad_request(f"'mask' can't be read: {error}") from error


def _run_lengths(counts: Any, height: int, width: int) -> RunLengths:
    """Compressed text, or a list of numbers of pixels. Raises InputError."""
    if isinstance(counts, str):
        if not counts.isascii():
            raise InputError("its counts aren't COCO's compressed text.")
        return RunLengths(height, width, counts.encode("ascii"))
    # By type(): true is an int to Python, and no number of pixels.
    whole = isinstance(counts, list) and all(type(run) is int for run in counts)
    if not whole or len(counts) > _MOST_RUNS:
        raise InputError("its counts are neither COCO's compressed text nor a list of numbers.")
    if any(not 0 <= run <= height * width for run in counts):
        raise InputError(f"its counts don't fill {width}x{height} pixels.")
    return RunLengths.of_runs(np.array(counts, np.int64), height, width)


def unusable(error: InputError) -> Refusal:
    """Prompts that are well-formed, but not for this image."""
    return Refusal(422, "unusable", str(error))
