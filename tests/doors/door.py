"""What a door is to the tests: prompts in, a mask or an error out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import vtmr
from vtmr.masks import Mask

HUGE = b"P6\n20000 10000\n255\n"  # the header of 200 megapixels
GARBAGE = b"no image at all"
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Prompt:
    """Clicks (x, y, positive) in order, a box (x0, y0, x1, y1) or a mask to correct before them."""

    name: str
    clicks: tuple[tuple[float, float, bool], ...] = ()
    box: tuple[float, float, float, float] | None = None
    mask: Mask | None = None

    def points(self, positive: bool) -> list[list[float]]:
        """The clicks of one sign, as [x, y]."""
        return [[x, y] for x, y, sign in self.clicks if sign == positive]

    def so_far(self) -> list[Prompt]:
        """The requests of a tool that asks again after each click, this one the last."""
        first = 0 if self.box else 1
        counts = range(first, len(self.clicks) + 1)
        return [Prompt(self.name, self.clicks[:count], self.box, self.mask) for count in counts]


class Door(ABC):
    """A way to vtmr. takes_masks, takes_boxes: whether it has a place for a mask to correct, and
    for a box."""

    takes_masks: ClassVar[bool] = True
    takes_boxes: ClassVar[bool] = True
    BAD: ClassVar[dict[str, Any]]

    def __init__(self, photo: Path) -> None:
        """photo: a PNG, so that all doors are given the same pixels."""
        self.photo = photo
        self.image = vtmr.read_image(photo)
        self.closing = ExitStack()  # ends what a door started

    @classmethod
    def takes(cls, prompt: Prompt) -> bool:
        """Whether it has a place for all of it."""
        return (cls.takes_masks or prompt.mask is None) and (cls.takes_boxes or prompt.box is None)

    @abstractmethod
    def mask(self, prompt: Prompt) -> Mask:
        """bool H x W."""

    @abstractmethod
    def refusal(self, bad: Any) -> str:
        """The text of the error."""
