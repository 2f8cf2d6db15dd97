"""Weight files of other projects, read without running anything that is in them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vtmr.atomic import is_file
from vtmr.errors import CheckpointError

_WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and torch.compile


def read_pickle(path: Path) -> Any:
    """What a torch file (.pth, .pt, .bin) holds, tensors and plain values only: `weights_only`, on
    the CPU.

    Raises CheckpointError for a file that is missing or damaged, or that holds anything that would
    run code.
    """
    if not is_file(path):
        raise CheckpointError(f"There is no weights file {path}.")
    try:
        _require_room(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or holds more than tensors and plain values, which is never "
            "loaded: expected a file as its authors released it."
        ) from error
    except Exception as error:  # torch reads with assertions, struct, zipfile and ctypes
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} can't be read as a torch file ({first_line}): it may be truncated."
        ) from error


def _require_room(path: Path) -> None:
    """Refuses a file that would unpack to more than it is: torch stores values as they are.

    Raises CheckpointError, and what zipfile raises for a damaged archive.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size:
        raise CheckpointError(
            f"{path} unpacks to {unpacked} bytes, more than it has: expected a file as torch saves "
            "it, without compression."
        )


def read_state(path: Path) -> dict[str, Tensor]:
    """The flat table of tensors in a .safetensors or a torch file, or under its key `state_dict`.

    Raises CheckpointError for anything else.
    """
    if path.suffix == ".safetensors":
        try:
            return unwrapped(load_file(path))
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} can't be read as safetensors ({error}): it may be truncated."
            ) from error
    content = read_pickle(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    return require_state(content, path)


def require_state(content: Any, path: Path) -> dict[str, Tensor]:
    """`content` if it is a table of tensors by name, without the prefixes that wrappers put before
    every name. Raises CheckpointError otherwise."""
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no table of weights: expected tensors by name.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path} holds {name!r}, which isn't a tensor by name: expected a table of weights."
            )
        if not _holds_its_values(value):
            raise CheckpointError(
                f"{path} holds a weight {name!r} of shape {tuple(value.shape)} without so many "
                "values: it is damaged."
            )
    return unwrapped(content)


def unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Under the network's own names, where a wrapper's prefix stands before every one of them.

    DataParallel puts `module.` there, torch.compile `_orig_mod.`, and they may be nested.
    """
    for prefix in _WRAPPERS:
        wrapped = [name.startswith(prefix) for name in state]
        if all(wrapped):
            inner = {name.removeprefix(prefix): value for name, value in state.items()}
            return unwrapped(inner)
    return dict(state)


def _holds_its_values(value: Tensor) -> bool:
    """Whether it is an ordinary tensor in memory with a value of its own for every place."""
    if value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
