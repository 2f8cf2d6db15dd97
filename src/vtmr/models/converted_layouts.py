"""The layouts of released checkpoints: which network a file's weights are of, under which names and
terms [docs/method.md §A.7, docs/zoo.md]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vtmr.errors import CheckpointError
from vtmr.models.caffe_files import read_caffemodel
from vtmr.models.encoder_weights import NVIDIA_LICENCE
from vtmr.models.matconvnet_files import read_vgg
from vtmr.models.renaming import OFFICIAL_HRNET, OFFICIAL_SEGFORMER, renamed
from vtmr.models.renaming_brs import OFFICIAL_BRS
from vtmr.models.renaming_fbrs import (
    OFFICIAL_CDNET,
    OFFICIAL_FBRS_DEEPLAB,
    OFFICIAL_FBRS_HRNET,
    cdnet_name,
    fbrs_name,
)
from vtmr.models.renaming_fca import OFFICIAL_FCA_RES2NET, OFFICIAL_FCA_RESNET
from vtmr.models.renaming_fcfi import OFFICIAL_FCFI_HRNET, OFFICIAL_FCFI_RESNET
from vtmr.models.renaming_ld import OFFICIAL_LD, outputs_first
from vtmr.models.tensorflow_files import DATA, prefix_of, read_tensorflow

# As their authors' repositories say
FOCALCLICK_LICENCE, RITM_LICENCE = "Apache-2.0 (FocalClick)", "MIT (RITM)"
FCFI_LICENCE = "none stated by its authors (FCFI): not to be passed on"
FCA_LICENCE = "research and education only, commercial use by permission (FCA)"
BRS_LICENCE = "MIT by the file LICENSE, research only by the README (BRS)"
LD_LICENCE = "MIT (LD), with VGG-19's weights under CC BY 4.0"
FBRS_LICENCE = "MPL-2.0 (f-BRS)"
CDNET_LICENCE = "Apache-2.0 by the file LICENSE, MIT by the README (CDNet)"
LD_LARGEST = 16 * 2**20  # bytes of one variable

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
_FCFI = {"fcfi-hrnet18s": OFFICIAL_FCFI_HRNET, "fcfi-resnet101": OFFICIAL_FCFI_RESNET}
_FEEDBACK = "feature_extractor.correction_module."  # what FCFI's weights have and RITM's don't


@dataclass(frozen=True)
class Found:
    """A network of ours by its name, its weights under our names, their licence, and the files that
    they are from."""

    name: str
    weights: Mapping[str, Tensor]
    licence: str
    files: tuple[Path, ...]


def configured_found(state: dict[str, Tensor], config: Any, path: Path) -> Found:
    """Of the layout {'state_dict', 'config'}: FocalClick, RITM, CDNet and FCFI.

    Raises CheckpointError for a network that isn't known and for weights that aren't its own.
    """
    if not (
        isinstance(config, dict)
        and isinstance(config.get("class"), str)
        and isinstance(config.get("params"), dict)
    ):
        raise CheckpointError(
            f"{path} has a damaged configuration: expected a class path and its parameters."
        )
    name = _network_name(state, config, path)
    if name in _SEGFORMERS.values():
        rules, licence = OFFICIAL_SEGFORMER, NVIDIA_LICENCE
    elif name in _FCFI:
        rules, licence = _FCFI[name], FCFI_LICENCE
    elif name.startswith("cdnet"):
        rules, licence = OFFICIAL_CDNET, CDNET_LICENCE
    elif name.startswith("focalclick"):
        rules, licence = OFFICIAL_HRNET, FOCALCLICK_LICENCE
    else:
        rules, licence = OFFICIAL_HRNET, RITM_LICENCE
    return Found(name, renamed(state, rules, str(path)), licence, (path,))


def fca_found(state: Mapping[str, Tensor], path: Path) -> Found | None:
    """Of FCA's flat table, with either encoder."""
    encoder = [key for key in state if key.startswith("backbone_pre.")]
    if not encoder:
        return None
    name, rules = "fca-resnet101", OFFICIAL_FCA_RESNET
    if any(".convs." in key for key in encoder):  # only Res2Net's blocks are split
        name, rules = "fca-res2net101", OFFICIAL_FCA_RES2NET
    return Found(name, renamed(state, rules, str(path)), FCA_LICENCE, (path,))


def fbrs_found(state: Mapping[str, Tensor], path: Path) -> Found | None:
    """Of f-BRS's flat table, with any of its backbones."""
    name = fbrs_name(state)
    if name is None:
        return None
    rules = OFFICIAL_FBRS_DEEPLAB
    if "hrnet" in name:
        rules = OFFICIAL_FBRS_HRNET
    return Found(name, renamed(state, rules, str(path)), FBRS_LICENCE, (path,))


def brs_found(path: Path) -> Found:
    """Of BRS's Caffe model."""
    weights = renamed(read_caffemodel(path), OFFICIAL_BRS, str(path))
    return Found("brs-densenet", weights, BRS_LICENCE, (path,))


def ld_found(path: Path, vgg: Path | None) -> Found:
    """Of LD's TensorFlow checkpoint and VGG-19's file."""
    if vgg is None:
        raise CheckpointError(
            f"{path} holds what LD trained, without VGG-19: add --vgg "
            "imagenet-vgg-verydeep-19.mat, MatConvNet's file (vlfeat.org/matconvnet/pretrained)."
        )
    trained = outputs_first(read_tensorflow(path, LD_LARGEST))
    weights = renamed({**trained, **read_vgg(vgg)}, OFFICIAL_LD, str(path))
    prefix = prefix_of(path)
    return Found("ld-vgg19", weights, LD_LICENCE, (prefix.with_name(prefix.name + DATA), vgg))


def _network_name(state: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> str:
    """Which of our builders makes the network. Raises CheckpointError when none does."""
    kind = config["class"].rpartition(".")[2]
    mends = any(key.startswith(_FEEDBACK) for key in state)
    if kind == "DeeplabModel" and mends:
        return "fcfi-resnet101"
    if kind == "DeeplabModel" and (cdnet := cdnet_name(state)):
        return cdnet
    parameters: dict[str, Any] = {}
    for key, value in config["params"].items():
        if isinstance(value, dict):  # the authors' classes note a type and a default beside it
            value = value.get("value")
        parameters[key] = value
    for key, expected in _SETTINGS.items():
        if parameters.get(key, expected) != expected:
            raise CheckpointError(
                f"{path} was trained with {key} = {parameters[key]!r}: only {expected!r} can be "
                "imported."
            )
    name: str | None
    if kind == "SegFormerModel":
        versions = (str(parameters.get("model_version")), str(parameters.get("pipeline_version")))
        name = _SEGFORMERS.get(versions)
        found = f"a SegFormer {versions[0]!r}, pipeline {versions[1]!r}"
    elif kind == "HRNetModel" and mends:
        numbers = _hrnet_numbers(state, path)
        name = None
        if numbers == (18, 96, 4, False):
            name = "fcfi-hrnet18s"
        found = f"an FCFI HRNet of width {numbers[0]} with {numbers[1]} object-context channels"
    elif kind == "HRNetModel":
        numbers = _hrnet_numbers(state, path)
        name = _HRNETS.get(numbers)
        found = f"an HRNet of width {numbers[0]} with {numbers[1]} object-context channels"
        if parameters.get("pipeline_version", "s2") != "s2":
            name, found = None, f"an HRNet for the pipeline {parameters['pipeline_version']!r}"
    else:
        raise CheckpointError(
            f"{path} holds the unknown network class {config['class']!r}: expected FocalClick's, "
            "RITM's, CDNet's or FCFI's."
        )
    if name is None:
        known = ", ".join([*_SEGFORMERS.values(), *_HRNETS.values(), *_FCFI])
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
