"""What nuclio loads: vtmr's handler for CVAT (docs/doors/cvat.md)."""

from vtmr.plugins.nuclio import handler, init_context

__all__ = ["handler", "init_context"]
