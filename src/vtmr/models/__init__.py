"""The networks in torch: definition, checkpoints, export, import. Needs the extra `train`."""

from __future__ import annotations

from vtmr.models.builders import BUILDERS as BUILDERS
from vtmr.models.builders import build as build
from vtmr.models.weights import read_weights as read_weights
