"""A model file whose answers can be worked out by hand, built without torch from two graphs of a
few nodes.

With S = 32: coarse logits = r + 2g + 3b + 10 prev_mask + 100 positive + 1000 negative; features =
the maps averaged over 4 x 4 cells. Refined logits = coarse logits + patch red + 10 positive + mean
of the features + sum of the box.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vtmr import modelfile
from vtmr.spec import ModelSpec, Normalisation

SIZE = 32
SPEC = ModelSpec(
    model="tiny",
    coarse_normalisation=Normalisation((10.0, 20.0, 30.0), (2.0, 4.0, 5.0)),
    input_size=SIZE,
    disc_radius=3.0,
    refine_disc_radius=3.0,
    terms="for tests",
)
COLOURS = np.array([1, 2, 3, 10, 100, 1000], np.float32).reshape(1, 6, 1, 1)


def _info(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(
    nodes: list, inputs: list, outputs: list, weights: dict[str, np.ndarray]
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def coarse_model(size: int = SIZE, free: bool = False) -> onnx.ModelProto:
    """free: with sides that the session is told."""
    nodes = [
        helper.make_node("Concat", ["image", "maps"], ["all"], axis=1),
        helper.make_node("Conv", ["all", "colours"], ["logits"]),
        helper.make_node(
            "AveragePool", ["maps"], ["features"], kernel_shape=[4, 4], strides=[4, 4]
        ),
    ]
    side, of_features = (modelfile.SIDE, modelfile.FEATURES_SIDE) if free else (size, size // 4)
    inputs = [_info("image", 1, 3, side, side), _info("maps", 1, 3, side, side)]
    outputs = [_info("logits", 1, 1, side, side), _info("features", 1, 3, of_features, of_features)]
    return _model(nodes, inputs, outputs, {"colours": COLOURS})


def refine_model(size: int = SIZE, free: bool = False) -> onnx.ModelProto:
    """free: as in `coarse_model`."""
    weights = np.array([1, 0, 0, 10, 0], np.float32).reshape(1, 5, 1, 1)
    nodes = [
        helper.make_node("Concat", ["patch", "discs"], ["all"], axis=1),
        helper.make_node("Conv", ["all", "weights"], ["own"]),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("ReduceSum", ["boxes"], ["corners"], keepdims=0),
        helper.make_node("Sum", ["own", "coarse_logits", "mean", "corners"], ["logits"]),
    ]
    side, of_features = (modelfile.SIDE, modelfile.FEATURES_SIDE) if free else (size, size // 4)
    inputs = [
        _info("patch", 1, 3, side, side),
        _info("discs", 1, 2, side, side),
        _info("coarse_logits", 1, 1, side, side),
        _info("features", 1, 3, of_features, of_features),
        _info("boxes", 1, 4),
    ]
    return _model(nodes, inputs, [_info("logits", 1, 1, side, side)], {"weights": weights})


def model_bytes(
    spec: ModelSpec = SPEC,
    coarse: onnx.ModelProto | None = None,
    refine: onnx.ModelProto | None = None,
) -> bytes:
    """A sound model file unless a part is given that isn't."""
    coarse, refine = coarse or coarse_model(), refine or refine_model()
    embedded = refine.SerializeToString()
    helper.set_model_props(
        coarse, modelfile.metadata_of(spec, coarse.SerializeToString(), embedded, {"steps": 3})
    )
    return coarse.SerializeToString()


def with_metadata(data: bytes, *, sealed: bool = False, **changes: str | None) -> bytes:
    """The same model file with metadata keys (named without their prefix) replaced, or removed when
    None.

    sealed: with the digest that belongs to the new content, as if vtmr had written it.
    """
    model = onnx.load_model_from_string(data)
    properties = {p.key: p.value for p in model.metadata_props}
    for key, value in changes.items():
        if value is None:
            del properties[f"vtmr.{key}"]
        else:
            properties[f"vtmr.{key}"] = value
    if sealed:
        texts = "".join(properties[f"vtmr.{key}"] for key in ("spec", "refine", "counters"))
        properties["vtmr.sha256"] = hashlib.sha256(
            model.graph.SerializeToString() + texts.encode()
        ).hexdigest()
    del model.metadata_props[:]
    helper.set_model_props(model, properties)
    return model.SerializeToString()


def with_spec(data: bytes, **changes: object) -> bytes:
    """The same model file with fields of its spec replaced."""
    return with_metadata(data, sealed=True, spec=json.dumps(json.loads(SPEC.to_json()) | changes))


def bundle(folder: Path, name: str = "tiny") -> Path:
    """A folder like the package's assets/models with one model; returns the model's path."""
    path = folder / f"{name}.onnx"
    data = model_bytes()
    path.write_bytes(data)
    entry = {
        "file": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "figures": {"iou": 0.5},
    }
    (folder / "manifest.json").write_text(json.dumps({name: entry}))
    return path
