"""The two forward passes on ONNX Runtime's CPU provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort

from vtmr.errors import CheckpointError, ConfigError
from vtmr.inputs import click_maps, coarse_maps, normalise
from vtmr.modelfile import (
    COARSE_INPUTS,
    COARSE_OUTPUTS,
    FEATURES_SIDE,
    FEATURES_SIDES,
    REFINE_INPUTS,
    REFINE_OUTPUTS,
    SIDE,
    SIDES,
    ModelFile,
)
from vtmr.runtime.threads import MAX_THREADS, default_threads
from vtmr.spec import EvalMode, ModelSpec
from vtmr.types import Click, FloatMap, Image

_ERRORS_ONLY = 3  # of ONNX Runtime's levels: its warnings are about graphs, not for users
_Tensors = dict[str, tuple[list[Any], str]]  # name -> shape, type


class OnnxNetwork:
    """A `Network` on ONNX Runtime.

    One instance may be used from any thread, by one thread at a time: a worker owns it (ONNX
    Runtime itself would allow more, but the calls would then compete for the same cores). Raises
    CheckpointError when the graphs contradict the spec, ConfigError when `threads` is below 1.

    input_size: in place of the file's own, `own_input_size`; it takes a graph with free sides, as
    `vtmr export` writes them. eval_mode: likewise, of a network that RITM's pipeline plays.
    """

    def __init__(
        self,
        model: ModelFile,
        name: str,
        *,
        threads: int | None = None,
        input_size: int | None = None,
        eval_mode: EvalMode | None = None,
    ) -> None:
        if threads is None:
            threads = default_threads()
        self.threads = threads
        if not 1 <= self.threads <= MAX_THREADS:
            raise ConfigError(
                f"threads is {self.threads}: expected 1 to {MAX_THREADS}, best the number of cores."
            )
        # Both at once: a size may only be allowed in the mode that comes with it.
        changes: dict[str, Any] = {}
        if input_size is not None:
            changes["input_size"] = input_size
        if eval_mode is not None:
            changes["eval_mode"] = eval_mode
        spec = replace(model.spec, **changes)
        self._spec, self.own_input_size, self.digest = spec, model.spec.input_size, model.digest
        self._graph, self._name = model.coarse, name
        sides = _sides(spec)
        self._coarse = open_session(model.coarse, self.threads, name, sides)
        self._zoomed: dict[int, ort.InferenceSession] = {}
        self._refine = None
        try:
            if spec.refines:
                sides[FEATURES_SIDE] = _features_side(self._coarse, spec.input_size)
                refiner = f"The refiner in {name}"
                self._refine = open_session(model.refine, self.threads, refiner, sides)
            _check_graphs(self._coarse, self._refine, spec, name)
        except UnicodeDecodeError as error:
            raise CheckpointError(
                f"{name} holds a graph with a name that is no text ({error.reason}): copy or "
                "export the model again."
            ) from error
        zoom = spec.zoom
        if zoom.schedule != "off" and zoom.side is not None:
            self._on(zoom.side)  # now, as the first zoomed click would wait for it

    @property
    def spec(self) -> ModelSpec:
        """See `Network.spec`; with the input size and the mode that were given."""
        return self._spec

    def coarse(
        self, image: Image | FloatMap, prev_mask: FloatMap, clicks: Sequence[Click]
    ) -> tuple[FloatMap, Any]:
        """See `Network.coarse`; the features are float32 1 x E x S/4 x S/4.

        Raises CheckpointError for a zoomed grid that the graph doesn't take.
        """
        feeds = (
            normalise(image, self._spec.coarse_normalisation),
            coarse_maps(prev_mask, clicks, self._spec),
        )
        inputs = dict(zip(COARSE_INPUTS, feeds, strict=True))
        logits, features = self._run(self._on(image.shape[0]), COARSE_OUTPUTS, inputs)
        return logits[0, 0], features

    def _on(self, side: int) -> ort.InferenceSession:
        """The coarse pass on grids of that side: the network's own, or the zoomed pass's.

        Raises CheckpointError where the graph's sides aren't free.
        """
        if side == self._spec.input_size or self._spec.eval_mode == "cvpr":
            return self._coarse
        # A session for each: one whose sides stay free takes an eighth longer.
        if side not in self._zoomed:
            spec, name = replace(self._spec, input_size=side), f"{self._name}, on the zoomed grid,"
            session = open_session(self._graph, self.threads, name, _sides(spec))
            _check_graphs(session, None, spec, name)
            self._zoomed[side] = session
        return self._zoomed[side]

    def refine(
        self,
        patch: Image | FloatMap,
        clicks: Sequence[Click],
        coarse_logits: FloatMap,
        features: Any,
        box: tuple[float, float, float, float],
    ) -> FloatMap:
        """See `Network.refine`."""
        feeds = (
            normalise(patch, self._spec.refine_normalisation),
            click_maps(clicks, self._spec.refine_disc_radius, self._spec.input_size),
            np.ascontiguousarray(coarse_logits, np.float32)[None, None],
            features,
            np.array([box], np.float32),
        )
        if self._refine is None:
            raise ConfigError(
                f"{self._spec.model} has no refiner: its pipeline is {self._spec.pipeline!r}."
            )
        inputs = dict(zip(REFINE_INPUTS, feeds, strict=True))
        (logits,) = self._run(self._refine, REFINE_OUTPUTS, inputs)
        refined: FloatMap = logits[0, 0]
        return refined

    def _run(
        self, session: ort.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, FloatMap]
    ) -> Any:
        """The outputs' arrays. Raises CheckpointError where the graph only seemed to be sound."""
        try:
            return session.run(list(outputs), dict(inputs))
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            first_line = str(error).splitlines()[0]
            raise CheckpointError(
                f"The graph of {self._spec.model} can't be computed by ONNX Runtime "
                f"{ort.__version__}: {first_line}. Export the model again."
            ) from error


def open_session(
    graph: bytes, threads: int, name: str, sides: Mapping[str, int]
) -> ort.InferenceSession:
    """A graph on the CPU; `name` is for the error. sides: what its free sides are, as good as
    written in it then.

    Raises CheckpointError when ONNX Runtime can't run the graph.
    """
    options = ort.SessionOptions()
    for side, value in sides.items():
        options.add_free_dimension_override_by_name(side, value)
    # Of one pass's operations, none could run beside another.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Workers that wait spinning hand over sooner, but between clicks they would burn a core for
    # nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base but this
        first_line = str(error).splitlines()[0]
        raise CheckpointError(
            f"{name} holds a graph that ONNX Runtime {ort.__version__} can't run: {first_line}"
        ) from error


def _sides(spec: ModelSpec) -> dict[str, int]:
    """What a graph's free sides are. What stays free is told by every image: a crop in its own
    proportions."""
    sides = {SIDE: spec.input_size}
    if spec.eval_mode == "fixed":
        sides |= dict.fromkeys(SIDES, spec.input_size)
    return sides


def _features_side(coarse: ort.InferenceSession, size: int) -> int:
    """Of the features that the coarse graph gives; a quarter of the input where it doesn't say."""
    shape = _features_shape(coarse)
    if shape and isinstance(shape[-1], int):
        return shape[-1]
    return size // 4


def _features_shape(coarse: ort.InferenceSession) -> list[Any]:
    """As the graph says it, with words for free sides; empty where it has no such output."""
    for output in coarse.get_outputs():
        if output.name == "features":
            return list(output.shape)
    return []


def _check_graphs(
    coarse: ort.InferenceSession, refine: ort.InferenceSession | None, spec: ModelSpec, name: str
) -> None:
    """Raises CheckpointError when inputs or outputs aren't those that the spec implies."""
    size = spec.input_size
    features = _features_shape(coarse)
    width, side = "?", None  # fit nothing
    if len(features) == 4:
        width, side = features[1], features[2]
    full: list[Any] = [size, size]
    quarter, eighth = -(-size // 4), size // 8
    shrunk: list[Any] = [quarter, quarter]
    if side == eighth:  # the network halves its input first
        shrunk = [eighth, eighth]
    if spec.eval_mode == "cvpr":
        full, shrunk = list(SIDES), list(FEATURES_SIDES)
    shapes: dict[str, list[Any]] = {
        "image": [1, 3, *full],
        "maps": [1, 3, *full],
        "patch": [1, 3, *full],
        "discs": [1, 2, *full],
        "coarse_logits": [1, 1, *full],
        "features": [1, width, *shrunk],
        "boxes": [1, 4],
        "logits": [1, 1, *full],
    }
    sessions: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
        "coarse": (coarse, COARSE_INPUTS, COARSE_OUTPUTS)
    }
    if refine is not None:
        sessions["refine"] = (refine, REFINE_INPUTS, REFINE_OUTPUTS)
    checks: list[tuple[str, Any, tuple[str, ...]]] = []
    for graph, (session, inputs, outputs) in sessions.items():
        checks.append((graph, session.get_inputs(), inputs))
        checks.append((graph, session.get_outputs(), outputs))
    for graph, nodes, names in checks:
        found: _Tensors = {node.name: (list(node.shape), node.type) for node in nodes}
        expected: _Tensors = {key: (shapes[key], "tensor(float)") for key in names}
        if spec.eval_mode == "cvpr" and names == COARSE_OUTPUTS:
            found = {key: _told(tensor, expected.get(key)) for key, tensor in found.items()}
        if found != expected:
            raise CheckpointError(
                f"{name} contradicts its spec: the {graph} graph has {_described(found)}, but "
                f"input_size {size} needs {_described(expected)}. Export the model again."
            )


def _told(
    found: tuple[list[Any], str], expected: tuple[list[Any], str] | None
) -> tuple[list[Any], str]:
    """The shape and type with expected numbers in place of sides that ONNX Runtime can't tell
    before it has seen an image."""
    shape, kind = found
    if expected is None or len(shape) != len(expected[0]):
        return found
    told = []
    for side, wanted in zip(shape, expected[0], strict=True):
        if isinstance(side, str):
            side = wanted
        told.append(side)
    return told, kind


def _described(tensors: _Tensors) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, (shape, _) in tensors.items())
