"""Prompts for many images in, masks out: `vtmr apply`."""

from __future__ import annotations

from vtmr.batch.answering import opened
from vtmr.batch.listing import Listing, read_prompts
from vtmr.batch.records import Answered, Failure, ImageTask, Prompt, Settings
from vtmr.batch.run import run

__all__ = [
    "Answered",
    "Failure",
    "ImageTask",
    "Listing",
    "Prompt",
    "Settings",
    "opened",
    "read_prompts",
    "run",
]
