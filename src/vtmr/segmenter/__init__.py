"""From clicks to a mask: three pipelines around a network, and `load`, which opens one.

`vtmr` is the house's own, `focalclick` and `ritm` play imported weights as their authors did.
"""

from __future__ import annotations

from vtmr.segmenter.layers import LayeredPrediction, LogitLayer
from vtmr.segmenter.loading import load, segmenter_for
from vtmr.segmenter.options import (
    AS_THE_MODEL_SAYS,
    ModelOptions,
    evaluation_mode,
    used_as,
    view_policy,
    zoom_schedule,
)
from vtmr.segmenter.pipeline import Segmenter

__all__ = [
    "AS_THE_MODEL_SAYS",
    "LayeredPrediction",
    "LogitLayer",
    "ModelOptions",
    "Segmenter",
    "evaluation_mode",
    "load",
    "segmenter_for",
    "used_as",
    "view_policy",
    "zoom_schedule",
]
