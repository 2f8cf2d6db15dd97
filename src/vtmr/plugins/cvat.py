"""The function that `cvat-cli function run-agent --function-module vtmr.plugins.cvat` serves.

CVAT's agent calls `create`, gives each image to `preprocess_image` and each click to `detect`, in
one process and one at a time. docs/doors/cvat.md is the page for users.
"""

from __future__ import annotations

import itertools
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from PIL import Image as pillow

from vtmr.errors import InputError, VtmrError, needs_extra
from vtmr.formats.runlength import boxed_runs
from vtmr.images import image_of_pillow
from vtmr.masks import Mask
from vtmr.plugins.replays import OpenImages, Prompts
from vtmr.segmenter import Segmenter, load
from vtmr.types import Image

if TYPE_CHECKING:
    import cvat_sdk.auto_annotation as cvat

_numbers = itertools.count()


class StoredImage:
    """An image in an unnamed temporary file, which goes when this goes.

    The agent keeps what `preprocess_image` returns for ten minutes, however many images that are;
    of these only some have to be in memory.
    """

    def __init__(self, image: Image) -> None:
        """image: uint8 H x W x 3, RGB. Raises InputError where there is no room for it."""
        self.number = next(_numbers)  # tells images of this process apart
        self.height, self.width = image.shape[0], image.shape[1]
        self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115
        # The agent drops images without a word.
        weakref.finalize(self, self._file.close)
        try:
            self._file.write(np.ascontiguousarray(image).data)
        except OSError as error:
            raise InputError(
                f"There is no room for the image in {tempfile.gettempdir()}: {error.strerror}."
            ) from error

    def pixels(self) -> Image:
        """uint8 H x W x 3, RGB. Raises InputError where they can't be read."""
        image = np.empty((self.height, self.width, 3), np.uint8)
        try:
            self._file.seek(0)
            self._file.readinto(image.reshape(-1).data)  # type: ignore[attr-defined]
        except OSError as error:
            raise InputError(f"The stored image can't be read: {error.strerror}.") from error
        return image


class Interaction:
    """An InteractionFunction of cvat_sdk: clicks and a box become a mask."""

    def __init__(self, predictor: Segmenter) -> None:
        """predictor: what `vtmr.load` returned. Raises ConfigError without cvat-sdk."""
        with needs_extra("cvat"):
            import cvat_sdk.auto_annotation as cvat
        self._predictor = predictor
        self._open = OpenImages()
        self.spec = cvat.InteractionFunctionSpec(
            min_pos_points=0,
            min_neg_points=0,
            # To CVAT None means that boxes aren't taken at all, 0 that there may be none.
            min_bounding_boxes=0 if predictor.takes_boxes else None,
        )

    def preprocess_image(
        self, context: cvat.InteractionFunctionContext | None, image: pillow.Image
    ) -> StoredImage:
        """The image as `detect` takes it.

        Raises BadFunctionError for one that can't be decoded, has more pixels than `vtmr` reads or
        finds no room.
        """
        with _told_to_cvat():
            return StoredImage(image_of_pillow(image))

    def detect(
        self,
        context: cvat.InteractionFunctionContext | None,
        pp_image: StoredImage,
        prompts: cvat.InteractionPrompts,
    ) -> list[cvat.InteractionResultShape]:
        """The object's mask, or no shape where nothing is left of it.

        Args:
            context: Isn't looked at.
            pp_image: What `preprocess_image` returned.
            prompts: All points and the box so far, in pixels; see vtmr.plugins.replays.

        Raises:
            BadFunctionError: For prompts that can't be.
        """
        with _told_to_cvat():
            return _shapes(self._mask(pp_image, prompts))

    def _mask(self, stored: StoredImage, prompts: cvat.InteractionPrompts) -> Mask:
        if not isinstance(stored, StoredImage):
            raise InputError(
                f"The image is {type(stored).__name__}: expected what preprocess_image returned."
            )
        asked = Prompts.read(
            prompts.pos_points,
            prompts.neg_points,
            prompts.bounding_box,
            stored.height,
            stored.width,
        )
        replays = self._open.replays(stored.number, self._predictor, stored.pixels)
        return replays.answer(asked).mask


def create(
    model: str = "lite0",
    *,
    threads: int | None = None,
    input_size: int | None = None,
    device: str | None = None,
    zoom: str | None = None,
    threshold: float | None = None,
) -> Interaction:
    """What cvat-cli asks a module for; its arguments are cvat-cli's `-p NAME=TYPE:VALUE`.

    They are those of `vtmr.load`. Raises BadFunctionError for what can't be loaded, ConfigError
    without cvat-sdk.
    """
    with needs_extra("cvat"), _told_to_cvat():
        return Interaction(
            load(
                model,
                threads=threads,
                input_size=input_size,
                device=device,
                zoom=zoom,
                threshold=threshold,
            )
        )


@contextmanager
def _told_to_cvat() -> Iterator[None]:
    """Turns vtmr's errors into the one whose text the agent shows to whoever clicked."""
    from cvat_sdk.auto_annotation import BadFunctionError

    try:
        yield
    except VtmrError as error:
        raise BadFunctionError(str(error)) from None
    except MemoryError:
        raise BadFunctionError("There isn't enough memory for this image.") from None


def _shapes(mask: Mask) -> list[cvat.InteractionResultShape]:
    """CVAT's mask shape: run lengths row by row, zeros first, then the box with its last pixels."""
    from cvat_sdk.auto_annotation import InteractionResultShape

    encoded = boxed_runs(mask)
    if encoded is None:
        return []
    box, runs = encoded
    x0, y0, x1, y1 = box.as_tuple()
    points: list[Any] = [*runs.tolist(), x0, y0, x1 - 1, y1 - 1]
    return [InteractionResultShape(type="mask", points=points)]
