"""f-BRS's networks as their pipeline plays them: one answer for a crop and its mirror image, from
the second click on by way of L-BFGS [docs/zoo.md §Z.3.4]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast, final

import numpy as np
import torch
from torch import Tensor

from vtmr.encodings import distance_maps
from vtmr.inputs import normalise
from vtmr.models.corrections import (
    ChannelCorrection,
    Correction,
    InputCorrection,
    Objective,
    Question,
    Vector,
    refined,
)
from vtmr.models.fbrs import Place, RefinableNetwork
from vtmr.models.torch_network import TorchNetwork
from vtmr.spec import Refinement
from vtmr.types import Click, FloatMap, Image

REACH = 1  # pixels on either side of a click's that are to be answered as it is
NETWORK_CLICKS = 8  # that the network is told of; later ones are constraints alone
NETWORK_CLICKS_OF_INPUTS = 5  # the same where an input is corrected


@final
class CorrectingTorchNetwork(TorchNetwork):
    """A `TorchNetwork` that is corrected while it answers, as `vtmr.segmenter.fbrs` wants it."""

    def corrected(
        self, image: Image | FloatMap, clicks: Sequence[Click], start: Vector | None
    ) -> tuple[FloatMap, Vector | None]:
        """Logits h x w, and the variables that the next click is to start from.

        image: h x w x 3 of 0 to 255; clicks: all of the object's, in its grid. The first click is
        answered without a search, by the variables as they are.
        """
        question = self.question(image, clicks)
        correction = correction_of(self._network, question, self.spec.refinement)
        if correction is None:
            with torch.no_grad():
                logits = self._network.answered(question.image, question.distances)
            return self._merged(logits), None
        if len(clicks) == 1:
            variables = start
            if variables is None:
                variables = np.zeros(correction.size)
            with torch.no_grad():
                logits = correction.logits(self._tensor(variables.astype(np.float32)))
            return self._merged(logits), start
        logits, end = refined(Objective(correction, question), start)
        return self._merged(logits), end

    @property
    def _network(self) -> RefinableNetwork:
        return cast(RefinableNetwork, self._module)

    def question(self, image: Image | FloatMap, clicks: Sequence[Click]) -> Question:
        """The crop and its mirror image."""
        height, width = image.shape[:2]
        told = clicks[:NETWORK_CLICKS]
        if self.spec.refinement in ("rgb-brs", "distmap-brs"):
            told = clicks[:NETWORK_CLICKS_OF_INPUTS]
        planes = normalise(image, self.spec.coarse_normalisation)
        images = np.concatenate([planes, planes[..., ::-1]])
        # Of the mirrored clicks, not the maps mirrored: rounding at halves isn't symmetric.
        own = distance_maps(told, height, width)
        other = distance_maps(mirrored(told, width), height, width)
        distances = np.concatenate([own, other])
        own = squares(clicks, height, width)
        wanted = np.stack([own, squares(mirrored(clicks, width), height, width)])
        positive, negative = self._tensor(wanted[:, :1]), self._tensor(wanted[:, 1:])
        return Question(self._tensor(images), self._tensor(distances), positive, negative)

    @staticmethod
    def _merged(logits: Tensor) -> FloatMap:
        """The mean of both views' logits, the second mirrored back: the sigmoid is taken of it."""
        mean: FloatMap = ((logits[0, 0] + logits[1, 0].flip(1)) / 2).cpu().numpy()
        return mean


def correction_of(
    network: RefinableNetwork, question: Question, refinement: Refinement
) -> Correction | None:
    """What the spec's `refinement` stands for; None where nothing is to be corrected."""
    match refinement:
        case "none":
            return None
        case "rgb-brs":
            return InputCorrection(network, question, "image")
        case "distmap-brs":
            return InputCorrection(network, question, "distances")
        case _:
            place = cast(Place, refinement.removeprefix("fbrs-"))
            return ChannelCorrection(network, question, place)


def mirrored(clicks: Sequence[Click], width: int) -> list[Click]:
    """The same clicks in the mirror image of a grid that wide."""
    return [replace(click, x=width - click.x) for click in clicks]


def squares(clicks: Sequence[Click], height: int, width: int) -> FloatMap:
    """1 around positive clicks and 1 around negative ones: float32 2 x height x width.

    A square has 3 x 3 pixels. It is empty where it would begin above or left of the grid, even for
    a click in the first row or column: so it is in the official code.
    """
    maps = np.zeros((2, height, width), np.float32)
    for click in clicks:
        # `round` is to the even neighbour, as the official code's, which matters at halves.
        row, col = round(click.y - 0.5) - REACH, round(click.x - 0.5) - REACH
        if row >= 0 and col >= 0:
            plane = maps[int(not click.positive)]
            plane[row : row + 2 * REACH + 1, col : col + 2 * REACH + 1] = 1
    return maps
