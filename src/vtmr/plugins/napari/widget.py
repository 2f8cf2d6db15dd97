"""What napari makes from its menu."""

from __future__ import annotations

from typing import Any

from vtmr.errors import needs_extra
from vtmr.plugins.napari.desk import Desk


class DockWidget:
    """The panel for a viewer: what napari makes from its menu. Raises ConfigError without napari.

    A class and no function, since napari looks at the arguments of __init__ to see whether a viewer
    is wanted. What is made is a widget of magicgui's, which can't be imported before it is asked
    for.
    """

    def __new__(cls, napari_viewer: Any) -> Any:
        with needs_extra("napari"):
            from vtmr.plugins.napari.panel import build

            return build(Desk(napari_viewer))

    def __init__(self, napari_viewer: Any) -> None:
        """Never called: __new__ makes another object."""
