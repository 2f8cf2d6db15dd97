"""The panel's controls, which say what they are asked to and show what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vtmr.types import Correction

if TYPE_CHECKING:
    from vtmr.plugins.napari.desk import Desk

NEW = "new labels"
_SIGNS = {"object (+)": True, "background (−)": False}
_CORRECTIONS: dict[str, Correction] = {"the region clicked": "here", "the whole mask": "refit"}
_WAITS, _WORKS = "", "Working …"


class Panel:
    """Controls of a desk. Needs napari's magicgui, which is imported when the panel is made."""

    def __init__(self, desk: Desk) -> None:
        from magicgui import widgets

        self.desk = desk
        self.image = widgets.ComboBox(label="Image", choices=self._images, nullable=False)
        self.labels = widgets.ComboBox(label="Labels", choices=self._labels)
        self.number = widgets.SpinBox(label="Object", value=1, min=1, max=2**31 - 1)
        self.sign = widgets.RadioButtons(label="Next click", choices=list(_SIGNS))
        self.sign.value = next(iter(_SIGNS))
        self.correction = widgets.ComboBox(
            label="On a mask, change", choices=list(_CORRECTIONS), value=next(iter(_CORRECTIONS))
        )
        self.begin = widgets.PushButton(text="Click on the image")
        self.new = widgets.PushButton(text="New object")
        self.undo = widgets.PushButton(text="Undo click")
        self.redo = widgets.PushButton(text="Redo click")
        self.status = widgets.Label(value=_WAITS)
        self.container = widgets.Container(
            widgets=[
                *(self.image, self.labels, self.begin, self.number, self.new, self.sign),
                *(self.correction, self.undo, self.redo, self.status),
            ]
        )
        self._connect()
        self.refresh()

    def _connect(self) -> None:
        desk = self.desk
        self.image.changed.connect(lambda name: desk.choose_image(name or ""))
        self.labels.changed.connect(self._labels_chosen)
        self.number.changed.connect(desk.choose_object)
        self.sign.changed.connect(lambda name: desk.choose_sign(_SIGNS[name]))
        self.correction.changed.connect(lambda name: desk.choose_correction(_CORRECTIONS[name]))
        self.begin.changed.connect(lambda _: desk.begin())
        self.new.changed.connect(lambda _: desk.new_object())
        self.undo.changed.connect(lambda _: desk.undo())
        self.redo.changed.connect(lambda _: desk.redo())
        desk.changed.append(self.refresh)
        layers = desk.viewer.layers.events
        layers.inserted.connect(lambda _: self.refresh())

    def refresh(self) -> None:
        """Shows what there is to choose from, and what is chosen."""
        chosen = self.desk.choices
        for box in (self.image, self.labels):
            with box.changed.blocked():
                box.reset_choices()
        if not chosen.image and self.image.value:
            chosen.image = str(self.image.value)
        self._show(self.image, chosen.image)
        self._show(self.labels, chosen.labels or NEW)
        self._show(self.number, chosen.number)
        signs = {positive: name for name, positive in _SIGNS.items()}
        self._show(self.sign, signs[chosen.positive])
        self.status.value = _WORKS if self.desk.is_busy else _WAITS

    def _show(self, control: Any, value: Any) -> None:
        """Sets a control's value without taking that for the user's."""
        choices = getattr(control, "choices", None)
        if choices is not None and value not in choices:
            return
        with control.changed.blocked():
            control.value = value

    def _labels_chosen(self, name: str) -> None:
        self.desk.choose_labels("" if name == NEW else name)

    def _images(self, _: Any) -> list[str]:
        from napari.layers import Image

        return self._names(Image)

    def _labels(self, _: Any) -> list[str]:
        from napari.layers import Labels

        return [NEW, *self._names(Labels)]

    def _names(self, kind: Any) -> list[str]:
        """The layers of that kind."""
        layers = self.desk.viewer.layers
        return [layer.name for layer in layers if isinstance(layer, kind)]


def build(desk: Desk) -> Any:
    """The panel as a widget that napari docks."""
    return Panel(desk).container  # the controls' signals hold the desk, and that the panel
