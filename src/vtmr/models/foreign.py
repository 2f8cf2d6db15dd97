"""Released FocalClick and RITM checkpoints as ours: `vtmr import` [docs/method.md §A.7]."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from vtmr.atomic import write_atomically
from vtmr.errors import CheckpointError
from vtmr.models.builders import build
from vtmr.models.encoder_weights import NVIDIA_LICENCE
from vtmr.models.foreign_files import read_pickle, require_state
from vtmr.models.renaming import OFFICIAL_HRNET, OFFICIAL_SEGFORMER, renamed, require_fit
from vtmr.models.weights import CHECKPOINT_SPEC_KEY, sealed
from vtmr.spec import ModelSpec

FOCALCLICK_LICENCE, RITM_LICENCE = "Apache-2.0 (FocalClick)", "MIT (RITM)"

_SEGFORMERS = {
    ("b0", "s1"): "focalclick-b0-s1",
    ("b0", "s2"): "focalclick-b0",
    ("b3", "s2"): "focalclick-b3",
}
_HRNETS = {  # width, channels of the object context, blocks in the first stage, refiner
    (18, 96, 2, True): "focalclick-hrnet18s",
    (32, 256, 4, True): "focalclick-hrnet32",
    (18, 96, 2, False): "ritm-hrnet18s",
    (18, 128, 4, False): "ritm-hrnet18",
    (32, 256, 4, False): "ritm-hrnet32",
}
_SETTINGS = {"use_disks": True, "norm_radius": 5, "with_prev_mask": True, "binary_prev_mask": False}


def import_checkpoint(official: str | Path, out: str | Path) -> ModelSpec:
    """Writes a released checkpoint as .safetensors with our names and a spec; returns the spec.

    Raises CheckpointError when the file is damaged, would run code, is of an unknown network or
    isn't complete, InputError when `out` can't be written.
    """
    path = Path(official)
    if Path(out).suffix != ".safetensors":
        raise CheckpointError(
            f"The output {out} must end in .safetensors: `vtmr export` makes an .onnx of it "
            "afterwards."
        )
    state, config = _layout(read_pickle(path), path)
    name = _network_name(state, config, path)
    network = build(name)
    expected = network.state_dict()
    segformer = name in _SEGFORMERS.values()
    ours = renamed(state, OFFICIAL_SEGFORMER if segformer else OFFICIAL_HRNET, str(path))
    require_fit(ours, expected, str(path))
    licence = (
        NVIDIA_LICENCE
        if segformer
        else FOCALCLICK_LICENCE
        if network.spec.refines
        else RITM_LICENCE
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    terms = (
        f"converted from {path.name} (SHA-256 {digest}), to which the terms of its training data "
        "apply"
    )
    spec = replace(network.spec, licence=licence, terms=terms)
    tensors = {key: value.to(expected[key].dtype) for key, value in ours.items()}
    write_atomically(out, sealed(tensors, {CHECKPOINT_SPEC_KEY: spec.to_json()}))
    return spec


def _layout(content: Any, path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """The weights and the configuration of the official layout, {'state_dict', 'config'}."""
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise CheckpointError(
            f"{path} is no released FocalClick or RITM checkpoint: expected the two entries "
            "'state_dict' and 'config'."
        )
    config = content["config"]
    if not (
        isinstance(config, dict)
        and isinstance(config.get("class"), str)
        and isinstance(config.get("params"), dict)
    ):
        raise CheckpointError(
            f"{path} has a damaged configuration: expected a class path and its parameters."
        )
    return require_state(content["state_dict"], path), config


def _network_name(state: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> str:
    """Which of our builders makes the network. Raises CheckpointError when none does."""
    parameters = {
        key: value.get("value") if isinstance(value, dict) else value
        for key, value in config["params"].items()
    }
    for key, expected in _SETTINGS.items():
        if parameters.get(key, expected) != expected:
            raise CheckpointError(
                f"{path} was trained with {key} = {parameters[key]!r}: only {expected!r} can be "
                "imported."
            )
    kind = config["class"].rpartition(".")[2]
    name: str | None
    if kind == "SegFormerModel":
        versions = (str(parameters.get("model_version")), str(parameters.get("pipeline_version")))
        name, found = (
            _SEGFORMERS.get(versions),
            f"a SegFormer {versions[0]!r}, pipeline {versions[1]!r}",
        )
    elif kind == "HRNetModel":
        numbers = _hrnet_numbers(state, path)
        name, found = (
            _HRNETS.get(numbers),
            f"an HRNet of width {numbers[0]} with {numbers[1]} object-context channels",
        )
        if parameters.get("pipeline_version", "s2") != "s2":
            name, found = None, f"an HRNet for the pipeline {parameters['pipeline_version']!r}"
    else:
        raise CheckpointError(
            f"{path} holds the unknown network class {config['class']!r}: expected SegFormer or "
            "HRNet."
        )
    if name is None:
        known = ", ".join([*_SEGFORMERS.values(), *_HRNETS.values()])
        raise CheckpointError(f"{path} holds {found}, which can't be imported: known are {known}.")
    return name


def _hrnet_numbers(state: Mapping[str, Tensor], path: Path) -> tuple[int, int, int, bool]:
    """What tells HRNets apart, from the weights themselves, since not every configuration says
    it."""
    keys = ("feature_extractor.transition1.0.0.weight", "feature_extractor.conv3x3_ocr.0.weight")
    for key in keys:
        if key not in state or not state[key].ndim:
            raise CheckpointError(
                f"{path} lacks the weight {key!r}: it is incomplete or of another network."
            )
    blocks = sum(f"feature_extractor.layer1.{i}.conv1.weight" in state for i in range(5))
    refined = any(key.startswith("refiner.") for key in state)
    return state[keys[0]].shape[0], state[keys[1]].shape[0], blocks, refined
