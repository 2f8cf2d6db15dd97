"""Networks without torch: ONNX Runtime, and the weights that come with the package."""

from __future__ import annotations

from vtmr.runtime.bundle import BundledModel, bundled_models, load_network
from vtmr.runtime.onnx_network import OnnxNetwork
from vtmr.runtime.threads import default_threads

__all__ = ["BundledModel", "OnnxNetwork", "bundled_models", "default_threads", "load_network"]
