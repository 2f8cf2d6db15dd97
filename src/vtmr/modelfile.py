"""One .onnx file that holds a whole model: how it is laid out, and reading it without any ONNX
package.

The file is the coarse network's ONNX graph, un-folded, its initialisers named as the torch
parameters are. The sides of its inputs are free, so that one file serves any input size; the spec
says which is its own. Its metadata holds the rest: the ModelSpec as JSON, the refiner's ONNX graph
as base64, the integer counters that no graph uses (BatchNorm's), and a SHA-256 over all of that. So
one file runs, starts training, and can be checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from vtmr.errors import CheckpointError
from vtmr.protobuf import fields
from vtmr.spec import ModelSpec

COARSE_INPUTS = ("image", "maps")
COARSE_OUTPUTS = ("logits", "features")
REFINE_INPUTS = ("patch", "discs", "coarse_logits", "features", "boxes")
REFINE_OUTPUTS = ("logits",)

# Names of the graphs' free sides, which a session is told: of inputs and logits, and of the
# features. Where grids needn't be square, height and width have names of their own.
SIDE, FEATURES_SIDE = "side", "features_side"
SIDES = ("height", "width")
FEATURES_SIDES = ("features_height", "features_width")

SPEC_KEY = "vtmr.spec"
REFINE_KEY = "vtmr.refine"
COUNTERS_KEY = "vtmr.counters"
DIGEST_KEY = "vtmr.sha256"

MANIFEST = "manifest.json"  # beside bundled model files: {name: {file, sha256, bytes, figures}}

# Field numbers of onnx.proto3, as far as they lead to tensors: message -> {field: message of its
# value}.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_IR_VERSION, _GRAPH, _METADATA = 1, 7, 14
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_REFUSED_DEPTH = 32  # graphs inside of graphs: exported ones have none


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file's parts. `coarse` is the whole file, `refine` the embedded graph: bytes of two
    ONNX models.

    Where `spec.refines` is false there is no embedded graph and `refine` is empty. digest: SHA-256
    (hex) over it all.
    """

    spec: ModelSpec
    coarse: bytes
    refine: bytes
    counters: Mapping[str, int]
    digest: str


def _keeps_data_elsewhere(data: memoryview, message: str = "model", depth: int = 0) -> bool:
    """Whether any tensor in the message, at whatever depth, keeps its values in another file."""
    if depth > _REFUSED_DEPTH:
        raise ValueError("graphs are nested too deeply")
    children = _CHILDREN[message]
    for number, value in fields(data):
        if message == "tensor" and (
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        ):
            return True
        if (
            number in children
            and isinstance(value, memoryview)
            and _keeps_data_elsewhere(value, children[number], depth + 1)
        ):
            return True
    return False


def require_whole(model: bytes, name: str, expected: str) -> None:
    """Raises CheckpointError unless this is an ONNX model that refers to no other file.

    name, expected: for the error, which says what the file should have been.
    """
    _graph_and_metadata(model, name, expected)


def _graph_and_metadata(
    model: bytes, name: str, expected: str = "a file written by `vtmr export`"
) -> tuple[memoryview, dict[str, str]]:
    """The serialised graph and the metadata of an ONNX model that is complete in itself.

    Raises CheckpointError.
    """
    graph: memoryview | None = None
    versioned = False
    metadata: dict[str, str] = {}
    try:
        for number, value in fields(memoryview(model)):
            if number == _IR_VERSION:
                versioned = True
            elif number == _GRAPH and isinstance(value, memoryview):
                graph = value
            elif number == _METADATA and isinstance(value, memoryview):
                pair = {1: "", 2: ""}  # key and value, by their fields' numbers
                for field, text in fields(value):
                    if isinstance(text, memoryview):
                        pair[field] = bytes(text).decode()
                metadata[pair[1]] = pair[2]
        if graph is None or not versioned:
            raise ValueError("no graph in it")
        elsewhere = _keeps_data_elsewhere(memoryview(model))
    except (ValueError, IndexError) as error:
        raise CheckpointError(
            f"{name} is not a complete ONNX model ({error}): expected {expected}."
        ) from error
    if elsewhere:
        raise CheckpointError(
            f"{name} keeps tensors in other files (ONNX external data), which is refused: expected "
            f"{expected}, all in one."
        )
    return graph, metadata


def _digest(graph: memoryview, metadata: Mapping[str, str]) -> str:
    """SHA-256 (hex) over the serialised coarse graph and the metadata, but for the digest
    itself."""
    total = hashlib.sha256(graph)
    for key in (SPEC_KEY, REFINE_KEY, COUNTERS_KEY):
        total.update(metadata[key].encode())
    return total.hexdigest()


def metadata_of(
    spec: ModelSpec, coarse: bytes, refine: bytes, counters: Mapping[str, int]
) -> dict[str, str]:
    """What has to be added to the coarse model's metadata to make it a model file."""
    metadata = {
        SPEC_KEY: spec.to_json(),
        REFINE_KEY: base64.b64encode(refine).decode(),
        COUNTERS_KEY: json.dumps(dict(counters)),
    }
    graph, _ = _graph_and_metadata(coarse, "The coarse graph")
    return {**metadata, DIGEST_KEY: _digest(graph, metadata)}


def parse(data: bytes, name: str, told: list[str] | None = None) -> ModelFile:
    """The parts of the model file with these bytes; `name` is what errors call it.

    told: see `ModelSpec.from_json`.

    Raises CheckpointError when it is empty, truncated, damaged, foreign, of another format, or
    refers to other files.
    """
    if not data:
        raise CheckpointError(f"{name} is empty (0 bytes): copy or export the model again.")
    graph, metadata = _graph_and_metadata(data, name)
    for key in (SPEC_KEY, REFINE_KEY, COUNTERS_KEY, DIGEST_KEY):
        if key not in metadata:
            raise CheckpointError(
                f"{name} is an ONNX model but not one of vtmr's (no {key!r} in its metadata): "
                "expected a file written by `vtmr export`."
            )
    spec = _named(metadata[SPEC_KEY], name, told)
    try:
        refine = base64.b64decode(metadata[REFINE_KEY], validate=True)
        counters: dict[str, int] = {}
        for key, value in json.loads(metadata[COUNTERS_KEY]).items():
            counters[str(key)] = int(value)
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{name} has damaged metadata ({error}): copy or export the model again."
        ) from error
    if spec.refines != bool(refine):
        article = "no"
        if refine:
            article = "a"
        raise CheckpointError(
            f"{name} has {article} refiner, but its pipeline is {spec.pipeline!r}: export it again."
        )
    if refine:
        _graph_and_metadata(refine, f"The refiner in {name}")
    found, expected = _digest(graph, metadata), metadata[DIGEST_KEY]
    if found != expected:
        raise CheckpointError(
            f"{name} is damaged: its content has SHA-256 {found[:12]}…, expected {expected[:12]}…. "
            "Copy or export the model again."
        )
    return ModelFile(spec, data, refine, counters, found)


def _named(text: str, name: str, told: list[str] | None) -> ModelSpec:
    """The spec, its errors naming the file."""
    try:
        return ModelSpec.from_json(text, told)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error
