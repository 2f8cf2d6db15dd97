"""One click's inference: target crop -> coarse -> focus crop -> refine -> zoomed pass -> mask."""

from __future__ import annotations

from vtmr.segmenter.layers import LayeredPrediction, LogitLayer
from vtmr.segmenter.vtmr import Segmenter

__all__ = ["LayeredPrediction", "LogitLayer", "Segmenter"]
