"""The models that come with the package, and opening one by its name or path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtmr import modelfile
from vtmr.atomic import is_file
from vtmr.errors import CheckpointError, did_you_mean, tell
from vtmr.runtime.onnx_network import OnnxNetwork
from vtmr.spec import EvalMode

MODELS = Path(__file__).parents[1] / "assets" / "models"


@dataclass(frozen=True, slots=True)
class BundledModel:
    """One entry of the manifest: what file a name stands for, what it must be, how good it is.

    input_size: that the name stands for, where it isn't the file's own.
    """

    name: str
    path: Path
    sha256: str
    bytes: int
    figures: Mapping[str, Any]
    input_size: int | None = None


def bundled_models(folder: Path = MODELS) -> list[BundledModel]:
    """The models in the package, the manifest's order.

    Raises CheckpointError when the manifest can't be read.
    """
    path = folder / modelfile.MANIFEST
    try:
        entries = json.loads(path.read_text("utf-8"))
        return [
            BundledModel(
                name,
                folder / entry["file"],
                entry["sha256"],
                entry["bytes"],
                entry["figures"],
                entry.get("input_size"),
            )
            for name, entry in entries.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"The list of bundled models {path} can't be read ({error!r}): install vtmr again."
        ) from error


def load_network(
    name_or_path: str | Path = "lite0",
    *,
    threads: int | None = None,
    input_size: int | None = None,
    eval_mode: EvalMode | None = None,
    folder: Path = MODELS,
) -> OnnxNetwork:
    """The network of that bundled name, or in that .onnx file written by `vtmr export`.

    threads: ONNX Runtime's threads, see `default_threads`. input_size: the side of the grids that
    it works on, in place of the name's or the file's own. eval_mode: see `ModelSpec`. Raises
    CheckpointError for anything but a sound model, ConfigError for an `input_size` or an
    `eval_mode` that the network can't be played with.
    """
    bundled = {model.name: model for model in bundled_models(folder)}
    if name_or_path in bundled:
        model = bundled[str(name_or_path)]
        if input_size is None:
            input_size = model.input_size
        return _load_bundled(model, threads, input_size, eval_mode)
    path = Path(name_or_path)
    if path.suffix == ".safetensors":
        raise CheckpointError(
            f"{path} is a training checkpoint, which needs torch: "
            f"write a model file with `vtmr export {path} -o {path.with_suffix('.onnx')}` and load "
            "that."
        )
    if not is_file(path):
        raise CheckpointError(_unknown(str(name_or_path), list(bundled)))
    data = _read(path)
    told: list[str] = []
    network = _network(data, str(path), threads, input_size, eval_mode, told)
    # Of a copy of a bundled file nothing is told: it is right as it was released.
    if told and hashlib.sha256(data).hexdigest() not in {each.sha256 for each in bundled.values()}:
        tell(f"{path}: {note} `vtmr export` writes it anew." for note in told)
    return network


def _load_bundled(
    model: BundledModel, threads: int | None, input_size: int | None, eval_mode: EvalMode | None
) -> OnnxNetwork:
    data = _read(model.path)
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise CheckpointError(
            f"The bundled model {model.name} ({model.path}) is damaged: {len(data)} bytes with "
            f"SHA-256 {found[:12]}…, "
            f"expected {model.bytes} bytes with {model.sha256[:12]}…. Install vtmr again."
        )
    return _network(data, f"The bundled model {model.name}", threads, input_size, eval_mode)


def _network(
    data: bytes,
    name: str,
    threads: int | None,
    input_size: int | None,
    eval_mode: EvalMode | None,
    told: list[str] | None = None,
) -> OnnxNetwork:
    model = modelfile.parse(data, name, told)
    return OnnxNetwork(model, name, threads=threads, input_size=input_size, eval_mode=eval_mode)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"The model file {path} can't be read: {error.strerror or error}."
        ) from error


def _unknown(name: str, known: list[str]) -> str:
    return (
        f"There is no model {name!r}, neither bundled ({', '.join(known) or 'none'}) nor as a "
        f"file.{did_you_mean(name, known)}"
    )
