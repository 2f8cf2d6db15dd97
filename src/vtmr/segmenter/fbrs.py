"""The pipeline of f-BRS's networks [fbrs2020; docs/zoo.md §Z.3.3]: RITM's crops, a mirrored second
view, and from the second click on a correction of the network by backpropagation.

The mask is where the probability is above .49. What is corrected is the spec's `refinement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from vtmr.errors import ConfigError
from vtmr.geometry import Box, Frame
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.segmenter.logits import sigmoid
from vtmr.segmenter.official import (
    OfficialPrediction,
    ProbabilityLayer,
    cut,
    index_points,
    previous_map,
    seen_mask,
)
from vtmr.segmenter.pipeline import Segmenter, require_clicks, require_scipy
from vtmr.segmenter.ritm import CROP_THRESHOLD, view_of
from vtmr.types import Click, Event, FloatMap, Network

Variables = NDArray[np.float64]

_MAPS = ("rgb-brs", "distmap-brs")  # their variables belong to a crop's pixels


class CorrectingNetwork(Network, Protocol):
    """A network that is corrected while it answers."""

    def corrected(
        self, image: FloatMap, clicks: Sequence[Click], start: Variables | None
    ) -> tuple[FloatMap, Variables | None]:
        """Logits h x w, and the variables to start the next click from.

        image: h x w x 3 of 0 to 255; clicks: in its grid, all of the object's; start: the variables
        that the last click left, None where there are none.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedPrediction:
    """An answer, the grid that it was computed on, and what the next click starts from.

    variables: None where nothing was optimised yet.
    """

    answer: OfficialPrediction
    frame: Frame
    variables: Variables | None

    @property
    def nbytes(self) -> int:
        """See `Prediction.nbytes`."""
        if self.variables is None:
            return self.answer.nbytes
        return self.answer.nbytes + self.variables.nbytes

    @property
    def layers(self) -> tuple[ProbabilityLayer, ...]:
        """The answer's."""
        return self.answer.layers

    def probability(self) -> FloatMap:
        """float32 H x W."""
        return self.answer.probability()

    def render(self) -> Mask:
        """A fresh bool mask H x W."""
        return self.answer.render()


@final
class FbrsSegmenter(Segmenter):
    """Target crop, and one answer for it and its mirror image together.

    Needs scipy; raises ConfigError without it, and for a network that can't be corrected, as none
    can on ONNX Runtime.
    """

    network: CorrectingNetwork

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        if not hasattr(network, "corrected"):
            raise ConfigError(f"{self.name} is played on torch alone: add --device cpu.")
        require_scipy(self.name)

    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: CorrectedPrediction | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> CorrectedPrediction:
        """See `Predictor.predict`; the first click's target crop is the whole image."""
        clicks = require_clicks(events, scene)
        last, kept = None, None
        if previous is not None:
            last, kept = previous.answer, previous.answer.kept
        seen = seen_mask(previous_map(scene, last, mask), CROP_THRESHOLD, mask, events)
        view = view_of(self.spec, seen, clicks, kept)

        start = None
        if previous is not None:
            of_pixels = self.spec.refinement in _MAPS
            # A map of another crop's pixels says nothing of this one's.
            if not of_pixels or previous.frame == view.frame:
                start = previous.variables
        points = index_points(clicks, view.frame)
        logits, variables = self.network.corrected(cut(scene, view.frame), points, start)
        layer = ProbabilityLayer(view.answer, sigmoid(logits), False)
        size, nbytes = (scene.height, scene.width), layer.values.nbytes
        answer = OfficialPrediction(
            *size, (layer,), self.spec.threshold, nbytes, len(clicks), view.kept
        )
        return CorrectedPrediction(answer, view.frame, variables)
