"""From clicks to a mask: three pipelines around a network, and `load`, which opens one.

`vtmr` is the house's own, `focalclick` and `ritm` play imported weights as their authors did.
"""

from __future__ import annotations

from vtmr.segmenter.layers import LayeredPrediction, LogitLayer
from vtmr.segmenter.loading import (
    ModelOptions,
    evaluation_mode,
    load,
    segmenter_for,
    view_policy,
    zoom_schedule,
)
from vtmr.segmenter.pipeline import Segmenter

__all__ = [
    "LayeredPrediction",
    "LogitLayer",
    "ModelOptions",
    "Segmenter",
    "evaluation_mode",
    "load",
    "segmenter_for",
    "view_policy",
    "zoom_schedule",
]
