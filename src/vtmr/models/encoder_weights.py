"""ImageNet weights of encoders from the files that their authors publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vtmr.atomic import is_file
from vtmr.errors import CheckpointError
from vtmr.models.foreign_files import read_state
from vtmr.models.renaming import HRNET, MIT, MIT_HUGGING_FACE, Rule, renamed, require_fit
from vtmr.models.renaming_deeplab import RESNET

NVIDIA_LICENCE = (
    "NVIDIA Source Code License for SegFormer (non-commercial: research and evaluation only)"
)

_MIT_SOURCES = (
    "the mit_b*.pth files of github.com/NVlabs/SegFormer or the model files of nvidia/mit-b* on "
    "Hugging Face"
)
_HRNET_SOURCES = (
    "the hrnetv2_*_imagenet_pretrained.pth files of github.com/HRNet/HRNet-Image-Classification"
)
_RESNET_SOURCES = (
    "GluonCV's resnet34_v1b, resnet50_v1s and resnet101_v1s, saved by torch under the names of "
    "its ResNets (conv1, bn1, layer1 …)"
)
_MIT_TOP: tuple[Rule, ...] = ((r"(?:head|classifier)\.\w+", None),)
_HRNET_TOP: tuple[Rule, ...] = (
    (r"(?:incre_modules|downsamp_modules|final_layer|classifier)\..+", None),
)
_RESNET_TOP: tuple[Rule, ...] = ((r"fc\.\w+", None),)


def mit_weights(path: Path | None, encoder: nn.Module) -> dict[str, Tensor]:
    """For all of a Mix Transformer but its `interaction`, from the official layout or Hugging
    Face's [docs/method.md §A.7].

    Raises CheckpointError when there is no such file or it holds another network.
    """
    state = read_state(_given(path, "a Mix Transformer", _MIT_SOURCES))
    if any("patch_embeddings" in name for name in state):
        rules, state = MIT_HUGGING_FACE, _stacked(state, str(path))
    else:
        rules = MIT
    return _fitting(renamed(state, (*rules, *_MIT_TOP), str(path)), encoder, str(path))


def hrnet_weights(path: Path | None, encoder: nn.Module) -> dict[str, Tensor]:
    """For the whole of an HRNet, without the classifier's layers.

    Raises CheckpointError as `mit_weights` does.
    """
    state = read_state(_given(path, "an HRNet", _HRNET_SOURCES))
    return _fitting(renamed(state, (*HRNET, *_HRNET_TOP), str(path)), encoder, str(path))


def resnet_weights(path: Path | None, encoder: nn.Module) -> dict[str, Tensor]:
    """For the whole of a dilated ResNet, without the classifier's layer.

    Raises CheckpointError as `mit_weights` does.
    """
    state = read_state(_given(path, "a dilated ResNet", _RESNET_SOURCES))
    state = renamed(state, (*RESNET, *_RESNET_TOP), str(path))
    return _fitting(with_counters(state, encoder.state_dict()), encoder, str(path))


def with_counters(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With BatchNorm's counters of batches where the file has none, as those converted from MXNet;
    no answer depends on them."""
    counters = {name: expected[name] for name in expected if name.endswith(".num_batches_tracked")}
    return {**counters, **state}


def _given(path: Path | None, kind: str, sources: str) -> Path:
    if path is None or not is_file(path):
        where = "no file was named" if path is None else f"{path} doesn't exist"
        raise CheckpointError(
            f"The ImageNet weights of {kind} are missing ({where}): get them from {sources}."
        )
    return path


def _stacked(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Hugging Face's separate keys and values as one weight, the keys' rows first."""
    result = {}
    for name, value in state.items():
        if ".attention.self.value." in name:
            continue
        if ".attention.self.key." in name:
            partner = name.replace(".self.key.", ".self.value.")
            if partner not in state:
                raise CheckpointError(
                    f"{source} lacks the weight {partner!r}: it is incomplete or of another "
                    "network."
                )
            result[name.replace(".self.key.", ".self.key_value.")] = torch.cat(
                [value, state[partner]]
            )
        else:
            result[name] = value
    return result


def _fitting(state: dict[str, Tensor], encoder: nn.Module, source: str) -> dict[str, Tensor]:
    expected = {}
    for name, value in encoder.state_dict().items():
        # What takes in clicks is new to the encoder: ImageNet has none.
        if not name.startswith("interaction."):
            expected[name] = value
    require_fit(state, expected, source)
    return state
