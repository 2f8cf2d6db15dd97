"""From the value of --model to something that answers clicks, with what a report says about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from vtmr.atomic import is_file
from vtmr.cli.failures import needs_extra
from vtmr.errors import CheckpointError, ConfigError, InputError
from vtmr.runtime import BundledModel, bundled_models, load_network
from vtmr.segmenter import Segmenter
from vtmr.spec import ModelSpec, Schedule, ZoomSchedule


@dataclass(frozen=True, slots=True)
class Loaded:
    """A predictor and where it comes from.

    threshold: the probability that its masks are cut at. threads: of ONNX Runtime or torch. device:
    of torch, "" for ONNX Runtime. input_size: where it isn't the model file's own. name: what
    people call it.
    """

    name: str
    predictor: Segmenter
    file: Path
    threshold: float
    threads: int | None
    device: str = ""
    input_size: int | None = None

    @property
    def sha256(self) -> str:
        """Of the model file, hexadecimal."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def load(
    model: str,
    *,
    threads: int | None = None,
    device: str | None = None,
    zoom: str | None = None,
    threshold: float | None = None,
    input_size: int | None = None,
) -> Loaded:
    """A bundled model by name, an .onnx file, or, with `device`, a checkpoint on torch.

    zoom, threshold, input_size: in place of the model's own, see `zoom_schedule`. Raises
    CheckpointError for what isn't a sound model, ConfigError for impossible `threads` or
    `input_size` or a missing torch, InputError for another `zoom` and for an `input_size` on torch.
    """
    if device is not None:
        if input_size is not None:
            raise InputError(
                "--input-size and --device are given: on torch a checkpoint has its own size."
            )
        return _on_torch(model, threads, device, zoom, threshold)
    network = load_network(model, threads=threads, input_size=input_size)
    segmenter = Segmenter(network, zoom=zoom_schedule(zoom, network.spec.zoom), threshold=threshold)
    bundled = _bundled(model)
    size = network.spec.input_size
    return Loaded(
        model if bundled is not None and bundled.input_size == size else segmenter.name,
        segmenter,
        file_of(model),
        segmenter.spec.threshold,
        network.threads,
        input_size=None if size == network.own_input_size else size,
    )


def zoom_schedule(text: str | None, own: ZoomSchedule) -> ZoomSchedule:
    """`paper`, `eager`, `eager=WEIGHT` or `off` with what else the model's own schedule says; None
    is that one itself.

    Raises InputError for anything else.
    """
    if text is None:
        return own
    name, separator, number = text.partition("=")
    try:
        if name not in get_args(Schedule) or (separator and name != "eager"):
            raise ValueError(name)
        return replace(
            own, schedule=cast(Schedule, name), eager_weight=float(number) if separator else None
        )
    except (ValueError, ConfigError) as error:
        raise InputError(
            f"The zoom {text!r} can't be read: expected paper, eager, off, or eager=WEIGHT with a "
            "weight above 0 and "
            "up to 1, for example eager=0.5."
        ) from error


def used_as(zoom: str | None, **values: float | None) -> Callable[[ModelSpec], ModelSpec]:
    """What makes a spec say that its network is used so; None leaves what it says.

    zoom: see `zoom_schedule`. values: the spec's numbers of the same names, such as `second_look`.
    The function raises InputError for a zoom that can't be read, ConfigError for a number that the
    spec doesn't allow.
    """
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}

    def changed(spec: ModelSpec) -> ModelSpec:
        return replace(spec, zoom=zoom_schedule(zoom, spec.zoom), **given)

    return changed


def _on_torch(
    model: str, threads: int | None, device: str, zoom: str | None, threshold: float | None
) -> Loaded:
    """The network of a weights file (.safetensors or .onnx) in torch."""
    path = file_of(model)
    if not is_file(path):
        raise CheckpointError(
            f"There is no file {path}: with --device, expected a .safetensors or .onnx file."
        )
    with needs_extra("train"):
        from vtmr.models.torch_network import load_torch_network

        network = load_torch_network(path, device, threads=threads)
    segmenter = Segmenter(network, zoom=zoom_schedule(zoom, network.spec.zoom), threshold=threshold)
    return Loaded(
        segmenter.name, segmenter, path, segmenter.spec.threshold, network.threads, device
    )


def _bundled(model: str) -> BundledModel | None:
    """The bundled model of that name."""
    return next((bundled for bundled in bundled_models() if bundled.name == model), None)


def file_of(model: str) -> Path:
    """The file that a bundled name or a path stands for."""
    bundled = _bundled(model)
    return Path(model) if bundled is None else bundled.path
