"""The networks in torch: definition, checkpoints, export. Needs `pip install "vtmr[train]"`."""

from __future__ import annotations

from difflib import get_close_matches

from vtmr.errors import ConfigError
from vtmr.models.lite0 import Lite0
from vtmr.models.weights import read_weights as read_weights

BUILDERS = {"lite0": Lite0}


def build(name: str) -> Lite0:
    """A new network of that name with random weights. Raises ConfigError for a name that doesn't exist."""
    if name not in BUILDERS:
        near = get_close_matches(name, BUILDERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"There is no network {name!r}: known are {', '.join(BUILDERS)}.{hint}")
    return BUILDERS[name]()
