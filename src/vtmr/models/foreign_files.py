"""Weight files of other projects, read without running anything that is in them."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vtmr.atomic import is_file
from vtmr.errors import CheckpointError


def read_pickle(path: Path) -> Any:
    """What a torch file (.pth, .pt, .bin) holds, tensors and plain values only: `weights_only`, on
    the CPU.

    Raises CheckpointError for a file that is missing or damaged, or that holds anything that would
    run code.
    """
    if not is_file(path):
        raise CheckpointError(f"There is no weights file {path}.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or holds more than tensors and plain values, which is never "
            "loaded: "
            "expected a file as its authors released it."
        ) from error
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} can't be read as a torch file ({first_line}): it may be truncated."
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The flat table of tensors in a .safetensors or a torch file, or under its key `state_dict`.

    Raises CheckpointError for anything else.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} can't be read as safetensors ({error}): it may be truncated."
            ) from error
    content = read_pickle(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    return require_state(content, path)


def require_state(content: Any, path: Path) -> dict[str, Tensor]:
    """`content` if it is a table of tensors by name. Raises CheckpointError otherwise."""
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no table of weights: expected tensors by name.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path} holds {name!r}, which isn't a tensor by name: expected a table of weights."
            )
    return dict(content)
