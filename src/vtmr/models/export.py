"""From a training checkpoint to the one file that the runtime loads (see `vtmr.modelfile`)."""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx
import torch
from torch import Tensor

from vtmr import modelfile
from vtmr.atomic import write_atomically
from vtmr.errors import CheckpointError, InputError
from vtmr.models.network import InteractiveNetwork
from vtmr.models.restore import restore
from vtmr.spec import ModelSpec, as_it_is

OPSET = 17


def export_checkpoint(
    checkpoint: str | Path, out: str | Path, changed: Callable[[ModelSpec], ModelSpec] = as_it_is
) -> ModelSpec:
    """Writes the .onnx of a .safetensors checkpoint of training; returns its spec.

    A model file as `checkpoint` keeps its graphs, weights and counters bit for bit. changed: what
    the file is to say of how the network is used, from what the checkpoint says. Raises
    CheckpointError when the checkpoint isn't one of ours or doesn't fit its network, InputError
    when `out` can't be written or isn't named .onnx.
    """
    if Path(out).suffix != ".onnx":
        raise InputError(f"The output {out} must end in .onnx: that is what `vtmr export` writes.")
    if Path(checkpoint).suffix == ".onnx":
        return _used_otherwise(Path(checkpoint), out, changed)
    network, spec = restore(checkpoint)
    spec = changed(spec)
    write_atomically(out, model_bytes(network, spec))
    return spec


def _used_otherwise(
    file: Path, out: str | Path, changed: Callable[[ModelSpec], ModelSpec]
) -> ModelSpec:
    """A model file with another spec; raises CheckpointError where `file` isn't one."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"The model file {file} can't be read: {error.strerror or error}."
        ) from error
    parts = modelfile.parse(data, str(file))
    spec = changed(parts.spec)
    model = onnx.load_model_from_string(data)
    # The digest is over the graph alone: the old spec must not be in it.
    del model.metadata_props[:]
    graph = model.SerializeToString(deterministic=True)
    onnx.helper.set_model_props(
        model, modelfile.metadata_of(spec, graph, parts.refine, parts.counters)
    )
    write_atomically(out, model.SerializeToString(deterministic=True))
    return spec


def release(
    model: Path,
    name: str,
    figures: Mapping[str, Any],
    folder: Path,
    at_size: Mapping[str, tuple[int, Mapping[str, Any]]] = MappingProxyType({}),
) -> None:
    """Copies an exported model to `folder`/NAME.onnx and enters it, with its figures, in the
    manifest there.

    `folder` is the package's assets/models. at_size: {another name: (input size, its figures)} for
    names that the same file has at other input sizes. Raises InputError when it can't be written.
    """
    out = folder / f"{name}.onnx"
    data = model.read_bytes()
    write_atomically(out, data)
    manifest = folder / modelfile.MANIFEST
    entries: dict[str, Any] = {}
    if manifest.exists():
        entries = json.loads(manifest.read_text("utf-8"))
    file = {"file": out.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    entries[name] = {**file, "figures": dict(figures)}
    for other, (size, measured) in at_size.items():
        entries[other] = {**file, "input_size": size, "figures": dict(measured)}
    write_atomically(manifest, (json.dumps(entries, indent=2) + "\n").encode())


def model_bytes(network: InteractiveNetwork, spec: ModelSpec) -> bytes:
    """The model file's bytes: both graphs un-folded, every parameter and buffer under its own name.

    The network itself is left as it is. Raises CheckpointError for a network that is played on
    torch alone, and when a weight would get lost on the way.
    """
    if not network.runs_on_onnx:
        raise CheckpointError(
            f"{spec.model} isn't exported: it is played on torch alone, by `vtmr evaluate --model "
            "X.safetensors --device cpu`."
        )
    size, square = spec.input_size, spec.pipeline != "ritm"
    frozen = copy.deepcopy(network).cpu().float().eval()
    with torch.no_grad():
        image, maps = torch.zeros(1, 3, size, size), torch.zeros(1, 3, size, size)
        logits, features = frozen.coarse(image, maps)
        box = torch.tensor([[0.0, 0.0, size, size]])
        names, outputs = modelfile.COARSE_INPUTS, modelfile.COARSE_OUTPUTS
        coarse = graph_of(frozen, "coarse", (image, maps), names, outputs, square=square)
        graphs, embedded = [coarse], b""
        if spec.refines:
            inputs = (image, maps[:, :2], logits, features, box)
            refine = graph_of(
                frozen, "refine", inputs, modelfile.REFINE_INPUTS, modelfile.REFINE_OUTPUTS
            )
            graphs, embedded = [coarse, refine], refine.SerializeToString(deterministic=True)
    counters = _check_complete(frozen.state_dict(), graphs)
    # Deterministic throughout: the same weights give the same file, and so the same digest.
    graph = coarse.SerializeToString(deterministic=True)
    onnx.helper.set_model_props(coarse, modelfile.metadata_of(spec, graph, embedded, counters))
    data: bytes = coarse.SerializeToString(deterministic=True)
    return data


def graph_of(
    network: InteractiveNetwork,
    method: str,
    inputs: tuple[Tensor, ...],
    names: tuple[str, ...],
    output_names: tuple[str, ...],
    *,
    square: bool = True,
) -> onnx.ModelProto:
    """The ONNX model of one method of the network, un-folded; outputs beyond `output_names` are
    left out.

    The network serves for further graphs alone afterwards: copy it before. Sides are free, the
    number of samples isn't. square: whether height and width are always equal, which lets ONNX
    Runtime reuse more memory.

    torch's tracing exporter, since it needs no package but onnx and names initialisers as
    parameters are named. It merges initialisers of equal value in a network whose `training` is off
    (two zero biases become one, and a name is lost), hence the flag on the outermost module, whose
    children decide how layers behave.
    """
    run = getattr(network, method)
    # `forward` is what the exporter traces, whatever it is asked for.
    network.forward = lambda *arguments: run(*arguments)[: len(output_names)]
    network.training = True
    own, shrunk = modelfile.SIDES, modelfile.FEATURES_SIDES
    if square:
        own = (modelfile.SIDE, modelfile.SIDE)
        shrunk = (modelfile.FEATURES_SIDE, modelfile.FEATURES_SIDE)
    sides = dict.fromkeys((*names, *output_names), own)
    sides.pop("boxes", None)  # four numbers, not a map
    if "features" in sides:
        sides["features"] = shrunk
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of constants that are meant to be constant
        path = Path(folder, "graph.onnx")
        torch.onnx.export(
            network,
            inputs,
            path,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=names,
            output_names=output_names,
            dynamic_axes={name: {2: rows, 3: cols} for name, (rows, cols) in sides.items()},
        )
        model = onnx.load_model(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def _check_complete(state: dict[str, Tensor], graphs: Sequence[onnx.ModelProto]) -> dict[str, int]:
    """The integer counters of `state`, which graphs don't hold; everything else must be an
    initialiser, bit for bit."""
    counters: dict[str, int] = {}
    for name, value in state.items():
        if not value.is_floating_point() and value.ndim == 0:
            counters[name] = int(value)
    written: dict[str, onnx.TensorProto] = {}
    for model in graphs:
        written |= {tensor.name: tensor for tensor in model.graph.initializer}
    for name, value in state.items():
        if name in counters:
            continue
        if name not in written:
            raise CheckpointError(
                f"The weight {name!r} would get lost in the export: neither pass of the network "
                "uses it."
            )
        # By their bytes: as numbers 0 and -0 are equal, and NaN isn't equal to itself.
        if onnx.numpy_helper.to_array(written[name]).tobytes() != value.numpy().tobytes():
            raise CheckpointError(f"The weight {name!r} would be changed by the export.")
    strange = sorted(written.keys() - state.keys())
    if strange:
        raise CheckpointError(
            f"The exported graphs hold initialisers that are no weights: {', '.join(strange)}."
        )
    return counters
