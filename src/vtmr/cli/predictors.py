"""From the value of --model to something that answers clicks, with what a report says about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtmr.atomic import is_file
from vtmr.cli.failures import needs_extra
from vtmr.errors import CheckpointError, InputError
from vtmr.runtime import BundledModel, bundled_models, load_network
from vtmr.segmenter import (
    ModelOptions,
    Segmenter,
    evaluation_mode,
    segmenter_for,
    view_policy,
    zoom_schedule,
)
from vtmr.spec import ModelSpec
from vtmr.types import Network

AS_THE_MODEL_SAYS = ModelOptions()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A predictor and where it comes from.

    threshold: the probability that its masks are cut at. threads: of ONNX Runtime or torch. device:
    of torch, "" for ONNX Runtime. input_size: where it isn't the model file's own. eval_mode: of
    RITM's evaluator, with its size, "" in other pipelines. name: what people call it.
    """

    name: str
    predictor: Segmenter
    file: Path
    threshold: float
    threads: int | None
    device: str = ""
    input_size: int | None = None
    eval_mode: str = ""

    @property
    def sha256(self) -> str:
        """Of the model file, hexadecimal."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def load(model: str, options: ModelOptions = AS_THE_MODEL_SAYS) -> Loaded:
    """A bundled model by name, an .onnx file, or, with a device, a checkpoint on torch.

    Raises CheckpointError for what isn't a sound model, ConfigError for impossible threads, input
    size or evaluation mode or a missing torch, InputError for another zoom, for an input size on
    torch and for an evaluation mode of a model that RITM's pipeline doesn't play.
    """
    wanted = _mode_and_size(options)
    if options.device is not None:
        return _on_torch(model, options.device, options)
    network = load_network(model, threads=options.threads, **wanted)
    segmenter = _in_pipeline(network, options)
    bundled = _bundled(model)
    size = network.spec.input_size
    return Loaded(
        model if bundled is not None and bundled.input_size == size else segmenter.name,
        segmenter,
        file_of(model),
        segmenter.spec.threshold,
        network.threads,
        input_size=None if size == network.own_input_size else size,
        eval_mode=mode_in_words(network.spec),
    )


def used_as(
    zoom: str | None,
    eval_mode: str | None = None,
    views: str | None = None,
    **values: float | str | None,
) -> Callable[[ModelSpec], ModelSpec]:
    """What makes a spec say that its network is used so; None leaves what it says.

    zoom, views: see `zoom_schedule` and `view_policy`. eval_mode: see `evaluation_mode`. values:
    the spec's of the same names, such as `second_look`. The function raises InputError for a zoom,
    a mode or views that can't be read or that the network has none of, ConfigError for a value that
    the spec doesn't allow.
    """
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    if eval_mode is not None:
        given["eval_mode"], given["input_size"] = evaluation_mode(eval_mode)

    def changed(spec: ModelSpec) -> ModelSpec:
        _require_modes(spec, eval_mode)
        how: dict[str, Any] = {
            "zoom": zoom_schedule(zoom, spec.zoom),
            "views": view_policy(views, spec.views),
        }
        return replace(spec, **how, **given)

    return changed


def _in_pipeline(network: Network, options: ModelOptions) -> Segmenter:
    """The network in its pipeline, used as the options say."""
    _require_modes(network.spec, options.eval_mode)
    zoom = zoom_schedule(options.zoom, network.spec.zoom)
    views = view_policy(options.views, network.spec.views)
    return segmenter_for(network, zoom=zoom, threshold=options.threshold, views=views)


def _on_torch(model: str, device: str, options: ModelOptions) -> Loaded:
    """The network of a weights file (.safetensors or .onnx) in torch."""
    if options.input_size is not None:
        raise InputError(
            "--input-size and --device are given: on torch a checkpoint has its own size."
        )
    changed = used_as(None, options.eval_mode)
    path = file_of(model)
    if not is_file(path):
        raise CheckpointError(
            f"There is no file {path}: with --device, expected a .safetensors or .onnx file."
        )
    with needs_extra("train"):
        from vtmr.models.loading import load_torch_network

        network = load_torch_network(path, device, threads=options.threads, changed=changed)
    segmenter = _in_pipeline(network, options)
    return Loaded(
        segmenter.name,
        segmenter,
        path,
        segmenter.spec.threshold,
        network.threads,
        device,
        eval_mode=mode_in_words(network.spec),
    )


def _mode_and_size(options: ModelOptions) -> dict[str, Any]:
    """What the options say of the input size and of the mode of RITM's evaluator, as `load_network`
    takes them."""
    if options.eval_mode is None:
        return {"input_size": options.input_size}
    if options.input_size is not None:
        raise InputError(
            f"--eval-mode {options.eval_mode} and --input-size {options.input_size} are given: the "
            "mode has the size in it, for example cvpr600."
        )
    mode, size = evaluation_mode(options.eval_mode)
    return {"input_size": size, "eval_mode": mode}


def _require_modes(spec: ModelSpec, eval_mode: str | None) -> None:
    if eval_mode is not None and not spec.has_modes:
        raise InputError(
            f"The evaluation mode is {eval_mode}, but {spec.model} isn't played by RITM's or "
            "f-BRS's pipeline: leave it out."
        )


def mode_in_words(spec: ModelSpec) -> str:
    """As --eval-mode takes it, with the size; "" where the model's pipeline has no modes."""
    return f"{spec.eval_mode}{spec.input_size}" if spec.has_modes else ""


def _bundled(model: str) -> BundledModel | None:
    """The bundled model of that name."""
    return next((bundled for bundled in bundled_models() if bundled.name == model), None)


def file_of(model: str) -> Path:
    """The file that a bundled name or a path stands for."""
    bundled = _bundled(model)
    return Path(model) if bundled is None else bundled.path
