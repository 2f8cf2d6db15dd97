"""vtmr: a few clicks become an exact object mask.

s = vtmr.Session(vtmr.load(), image)     # image: uint8 H x W x 3, RGB
s = s.add(vtmr.Click(320, 240))
s.mask                                   # bool H x W
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtmr.errors import CheckpointError, ConfigError, DataError, InputError, VtmrError
    from vtmr.geometry import Box
    from vtmr.images import read_image
    from vtmr.maskfiles import read_mask
    from vtmr.plugins.samstyle import VtmrPredictor
    from vtmr.segmenter.loading import load
    from vtmr.session import Session, replay, segment
    from vtmr.types import BoxPrompt, Click, MaskEdit

__version__ = "0.2.0"

_HOMES = {
    "Box": "vtmr.geometry",
    "BoxPrompt": "vtmr.types",
    "CheckpointError": "vtmr.errors",
    "Click": "vtmr.types",
    "ConfigError": "vtmr.errors",
    "DataError": "vtmr.errors",
    "InputError": "vtmr.errors",
    "MaskEdit": "vtmr.types",
    "Session": "vtmr.session",
    "VtmrError": "vtmr.errors",
    "VtmrPredictor": "vtmr.plugins.samstyle",
    "load": "vtmr.segmenter.loading",
    "read_image": "vtmr.images",
    "read_mask": "vtmr.maskfiles",
    "replay": "vtmr.session",
    "segment": "vtmr.session",
}
__all__ = [
    "Box",
    "BoxPrompt",
    "CheckpointError",
    "Click",
    "ConfigError",
    "DataError",
    "InputError",
    "MaskEdit",
    "Session",
    "VtmrError",
    "VtmrPredictor",
    "__version__",
    "load",
    "read_image",
    "read_mask",
    "replay",
    "segment",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that `import vtmr` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vtmr' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
