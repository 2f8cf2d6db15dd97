"""EdgeFlow as a baseline, from the ONNX export of the static model that its authors released
[docs/method.md §G.9].

Neither its network nor its training was released, so there is nothing to rebuild: the graph is
taken as it is. It is told the image, and [the edges of its last answer, positive discs, negative
discs]; its first output are the mask's logits, its third the edges'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from vtmr.bench.baselines.answers import Answer
from vtmr.errors import CheckpointError, InputError
from vtmr.geometry import Box, Frame
from vtmr.inputs import click_maps, normalise
from vtmr.masks import Mask
from vtmr.modelfile import require_whole
from vtmr.runtime import default_threads
from vtmr.runtime.onnx_network import open_session
from vtmr.segmenter.logits import sigmoid
from vtmr.spec import Normalisation
from vtmr.types import Click, Event, FloatMap, Image, active_clicks, places_of

IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
RADIUS, THRESHOLD = 5.0, 0.5  # of clicks' discs in its grid, and of its mask
LONGEST = 800  # pixels of the longer side, as EISeg limits them
LARGEST = 2**30  # bytes of the file
EXPECTED = "EdgeFlow's static model as paddle2onnx exports it"


@dataclass(frozen=True)
class Scene:
    """An image and what the network is shown of it."""

    frame: Frame
    planes: FloatMap


class EdgeFlowBaseline:
    """The exported graph as a Predictor: the whole image at every click, the edges fed back.

    A mask to correct isn't used: the network is told of edges alone. Raises CheckpointError for a
    file that is missing, damaged or of another network.
    """

    name = "edgeflow"

    def __init__(self, path: Path) -> None:
        try:
            if path.stat().st_size > LARGEST:
                raise CheckpointError(f"{path} has more than {LARGEST} bytes: expected {EXPECTED}.")
            graph = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} can't be read: {error.strerror or error}.") from error
        require_whole(graph, str(path), EXPECTED)
        self._session = open_session(graph, default_threads(), str(path), {})
        self._path = path
        self._inputs = _inputs_of(self._session, path)

    def prepare(self, image: Image) -> Scene:
        """See `Predictor`."""
        height, width = image.shape[:2]
        scale = min(1.0, LONGEST / max(height, width))
        cols, rows = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_LINEAR)
        frame = Frame(Box.whole(height, width), cols, rows)
        return Scene(frame, normalise(np.asarray(small, np.uint8), IMAGENET))

    def predict(
        self,
        scene: Scene,
        events: Sequence[Event],
        previous: Answer | None = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Answer:
        """See `Predictor`; neither `mask` nor `region` is used."""
        clicks = active_clicks(events)
        frame = scene.frame
        edges = np.zeros((frame.height, frame.width), np.float32)
        if isinstance(previous, Answer) and previous.memory is not None:
            edges = previous.memory
        points, positive = places_of(clicks)
        moved = []
        for (x, y), sign in zip(frame.to_grid(points).tolist(), positive.tolist(), strict=True):
            moved.append(Click(x, y, sign))
        discs = click_maps(moved, RADIUS, frame.height, frame.width)
        told = np.concatenate([edges[None, None], discs], axis=1)
        logits, edge_logits = self._run(scene.planes, told)
        size = (frame.box.width, frame.box.height)
        prob = cv2.resize(sigmoid(logits), size, interpolation=cv2.INTER_LINEAR)
        memory = sigmoid(edge_logits)
        return Answer.of(np.asarray(prob > THRESHOLD), memory, memory.nbytes)

    def _run(self, planes: FloatMap, told: FloatMap) -> tuple[FloatMap, FloatMap]:
        """Logits of the mask and of the edges, h x w each."""
        try:
            found: list[Any] = self._session.run(
                None, dict(zip(self._inputs, (planes, told), strict=True))
            )
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            first_line = (str(error).splitlines() or ["no reason given"])[0]
            raise InputError(f"{self._path} can't be run: {first_line}") from error
        expected = (1, 1, *planes.shape[2:])
        for output in (found[0], found[2]):
            if not isinstance(output, np.ndarray) or output.shape != expected:
                shape = getattr(output, "shape", None)
                raise InputError(f"{self._path} answered with {shape}: expected {expected}.")
        return np.asarray(found[0][0, 0], np.float32), np.asarray(found[2][0, 0], np.float32)


def _inputs_of(session: ort.InferenceSession, path: Path) -> tuple[str, str]:
    """The names of the image's input and of the other, which come in this order in EISeg.

    Raises CheckpointError for another graph.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [tuple(each.shape) for each in inputs]
    fits = all(len(shape) == 4 and shape[1] == 3 for shape in shapes)
    if len(inputs) != 2 or len(outputs) != 3 or not fits:
        raise CheckpointError(
            f"{path} has inputs {shapes} and {len(outputs)} outputs: expected {EXPECTED}, with two "
            "inputs of three channels and three outputs."
        )
    return inputs[0].name, inputs[1].name


def open_edgeflow(path: Path) -> EdgeFlowBaseline:
    """The baseline with that file. Raises CheckpointError."""
    return EdgeFlowBaseline(path)
