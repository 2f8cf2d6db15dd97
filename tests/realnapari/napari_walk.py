"""What a user does in napari, in the real napari: run by test_napari.py in an environment of its
own, with Qt off the screen. Prints the name of every walk that went well.

Without a display there is no OpenGL to paint with, so that the viewer is napari's model: its real
layers, dimensions, threads and notifications, and the panel in real Qt. `window`, for which a
display is needed, docks the panel in a whole window and takes a picture of it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fakes import ColourNetwork, shapes_image
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

import vtmr
from vtmr.plugins.napari.answers import Answers
from vtmr.plugins.napari.desk import LABELS, POINTS, Desk
from vtmr.plugins.napari.panel import Panel
from vtmr.segmenter import segmenter_for

PHOTOS = Path(vtmr.__file__).parent / "assets" / "photos"
RED, BLUE = (54, 56), (66, 124)  # row and column in the two shapes of the picture


class Room:
    """A viewer, the desk and its panel, on the colour network or on the bundled model."""

    def __init__(self, application: Any, *, bundled: bool = False) -> None:
        self.application, self.viewer = application, ViewerModel()
        self.threads: list[str] = []
        self.desk = Desk(self.viewer, Answers(vtmr.load if bundled else self._colour_network))
        self.panel = Panel(self.desk)
        notification_manager.records.clear()

    def _colour_network(self) -> Any:
        self.threads.append(threading.current_thread().name)
        return segmenter_for(ColourNetwork())

    def click(self, *place: float) -> None:
        """In the data of the image, as napari adds a point where the mouse was."""
        image = self.viewer.layers[self.desk.choices.image]
        points = self.viewer.layers[POINTS]
        points.add(points.world_to_data(image.data_to_world(place)))
        self.wait()

    def wait(self) -> None:
        end = time.monotonic() + 120
        while self.desk.is_busy:
            assert time.monotonic() < end
            self.application.processEvents()
            time.sleep(0.005)

    def labels(self, name: str = LABELS) -> Any:
        return self.viewer.layers[name].data

    def said(self) -> str:
        return " ".join(str(record.message) for record in notification_manager.records)


def expected(image: Any, clicks: list[vtmr.Click], start: Any = None) -> Any:
    """What a Session answers to the same clicks."""
    session = vtmr.Session(segmenter_for(ColourNetwork()), image, initial_mask=start)
    for click in clicks:
        session = session.add(click)
    return session.mask


def at(place: tuple[int, int], positive: bool = True) -> vtmr.Click:
    return vtmr.Click(place[1] + 0.5, place[0] + 0.5, positive)


def stack_of_16_bits() -> Any:
    """Three slices of 120 x 160 whose grey levels go from 0 to 25,500."""
    return np.stack([shapes_image(seed=seed)[..., 0] for seed in range(3)]).astype(np.uint16) * 100


def photo_in_colour(application: Any) -> None:
    """The bundled model: bit for bit what `vtmr.segment` answers."""
    room = Room(application, bundled=True)
    image = vtmr.read_image(PHOTOS / "coffee.jpg")
    room.viewer.add_image(image, name="coffee")
    room.desk.begin()
    room.click(235, 290)
    room.desk.choose_sign(False)
    room.click(290, 366)
    clicks = [at((235, 290)), at((290, 366), False)]
    assert np.array_equal(room.labels() == 1, vtmr.segment(image, clicks=clicks)), room.said()


def slices_of_a_stack(application: Any) -> None:
    """16 bits, scaled and moved; each slice has a mask of its own."""
    room = Room(application)
    stack = stack_of_16_bits()
    room.viewer.add_image(
        stack, name="stack", scale=(2, 0.5, 0.5), translate=(1, 2, 3), contrast_limits=(0, 25500)
    )
    room.desk.begin()
    room.click(1, *RED)
    room.click(2, *BLUE)
    labels = room.labels()
    assert not labels[0].any()
    for number, place in ((1, RED), (2, BLUE)):
        grey = np.repeat((stack[number] // 100).astype(np.uint8)[..., np.newaxis], 3, axis=2)
        assert np.array_equal(labels[number] == 1, expected(grey, [at(place)])), room.said()


def any_order_of_axes(application: Any) -> None:
    """Every order that napari can show: the pixel that was clicked is in the mask, and the mask is
    in the plane that was shown."""
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        room = Room(application)
        volume = np.zeros((40, 50, 60), np.uint8)
        volume[10:30, 15:35, 20:40] = 200
        room.viewer.add_image(volume, name="volume", contrast_limits=(0, 255))
        room.viewer.dims.order = order
        room.desk.begin()
        room.click(20, 25, 30)
        labels = room.labels()
        assert labels[20, 25, 30] == 1, (order, room.said())
        places = np.argwhere(labels)
        hidden = order[0]
        assert set(places[:, hidden]) == {(20, 25, 30)[hidden]}, order
        square = np.take(labels == 1, (20, 25, 30)[hidden], axis=hidden)
        wanted = np.take(volume > 0, (20, 25, 30)[hidden], axis=hidden)
        assert (square == wanted).mean() > 0.98, order


def a_photo_among_stacks(application: Any) -> None:
    """The image has fewer axes than the viewer."""
    room = Room(application)
    room.viewer.add_image(np.zeros((3, 4, 120, 160), np.uint8), name="four axes")
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)
    room.desk.choose_image("photo")
    room.desk.begin()
    room.click(*RED)
    assert np.array_equal(room.labels() == 1, expected(shapes_image(), [at(RED)])), room.said()


def undo_redo_and_objects(application: Any) -> None:
    room = Room(application)
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)
    room.panel.begin.changed.emit(True)
    states = []
    for place in (RED, BLUE):
        room.click(*place)
        states.append(room.labels().copy())
    room.panel.undo.changed.emit(True)
    room.wait()
    assert np.array_equal(room.labels(), states[0])
    room.panel.redo.changed.emit(True)
    room.wait()
    assert np.array_equal(room.labels(), states[1])
    for _ in range(2):
        room.panel.undo.changed.emit(True)
        room.wait()
    assert not room.labels().any()
    room.panel.undo.changed.emit(True)
    assert "no click in this slice to undo" in room.said()
    room.click(*RED)
    room.panel.new.changed.emit(True)
    assert room.panel.number.value == 2
    room.click(*BLUE)
    labels = room.labels()
    assert labels[RED] == 1
    assert labels[BLUE] == 2


def a_label_is_corrected(application: Any) -> None:
    """An existing label is the mask to begin with: a click in its hole changes that alone. What is
    painted by hand afterwards stays, too."""
    room = Room(application)
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)
    before = np.zeros((120, 160), np.int32)
    before[36:96, 104:144] = 7
    before[56:76, 114:134] = 0
    before[4:12, 4:12] = 7
    before[100:110, 4:12] = 3
    room.viewer.add_labels(before.copy(), name="segmenter's")
    room.panel.refresh()
    room.panel.labels.value = "segmenter's"
    room.panel.number.value = 7
    room.desk.begin()
    room.click(*BLUE)
    labels = room.labels("segmenter's")
    wanted = expected(shapes_image(), [at(BLUE)], start=before == 7)
    assert np.array_equal(labels == 7, wanted), room.said()
    assert np.array_equal(labels == 3, before == 3)
    room.viewer.layers["segmenter's"].data_setitem((np.array([20, 20]), np.array([80, 81])), 7)
    by_hand = labels == 7
    room.click(*RED)
    wanted = expected(shapes_image(), [at(RED)], start=by_hand)
    assert np.array_equal(labels == 7, wanted), room.said()
    assert labels[20, 80] == 7
    assert len(room.viewer.layers[POINTS].data) == 1  # the click before the brush is part of it


def points_that_are_moved_or_deleted(application: Any) -> None:
    room = Room(application)
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)
    room.desk.begin()
    room.click(*RED)
    points = room.viewer.layers[POINTS]
    points.data = np.array([BLUE], float)
    room.wait()
    assert np.array_equal(room.labels() == 1, expected(shapes_image(), [at(BLUE)])), room.said()
    points.selected_data = {0}
    points.remove_selected()
    room.wait()
    assert not room.labels().any()


def mistakes_are_notifications(application: Any) -> None:
    room = Room(application)
    room.desk.begin()
    assert "There is no image to click on" in room.said()
    room.viewer.add_image(np.zeros((5, 60, 80), np.uint8), name="stack")
    room.viewer.add_labels(np.zeros((60, 80), np.int32), name="other shape")
    room.panel.refresh()
    room.desk.choose_labels("other shape")
    room.desk.begin()
    assert "have the shape (60, 80)" in room.said()
    room.desk.choose_labels("")
    room.desk.begin()
    room.click(1, 500, 20)
    assert "lies beside the image" in room.said()
    assert not len(room.viewer.layers[POINTS].data)
    room.viewer.dims.ndisplay = 3
    room.click(1, 20, 20)
    assert "from 3D to 2D" in room.said()
    room.viewer.dims.ndisplay = 2
    room.desk.choose_sign(False)
    room.click(1, 20, 20)
    assert "takes away from an object" in room.said()
    room.viewer.layers.remove(POINTS)
    room.desk.undo()
    room.viewer.layers.remove("stack")
    room.desk.undo()
    kinds = {type(record).__name__ for record in notification_manager.records}
    assert "ErrorNotification" not in kinds, kinds  # those have a traceback


def a_defect_is_a_notification(application: Any) -> None:
    room = Room(application)
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)

    def broken() -> Any:
        raise ZeroDivisionError("on purpose")

    room.desk._answers = Answers(broken)
    room.desk.begin()
    room.click(*RED)
    assert "a defect of vtmr" in room.said()
    assert "ZeroDivisionError: on purpose" in room.said()


def the_window_stays_alive(application: Any) -> None:
    """Models are loaded and asked in another thread than the window's."""
    room = Room(application)
    room.viewer.add_image(shapes_image(), name="photo", rgb=True)
    room.desk.begin()
    room.click(*RED)
    assert room.threads
    assert threading.main_thread().name not in room.threads


def window(picture: Path) -> None:
    """The panel as a user finds it in the menu, and a picture of the whole window."""
    import napari

    viewer = napari.Viewer(show=False)
    viewer.add_image(vtmr.read_image(PHOTOS / "coffee.jpg"), name="coffee")
    _, container = viewer.window.add_plugin_dock_widget("vtmr", "Clicks to labels")
    application = QApplication.instance()
    container[2].changed.emit(True)  # Click on the image
    photo = vtmr.read_image(PHOTOS / "coffee.jpg")
    clicks = [at((235, 290)), at((330, 300), False)]
    wanted = vtmr.segment(photo, clicks=clicks)
    viewer.layers[POINTS].add((235, 290))
    container[5].value = "background (−)"
    viewer.layers[POINTS].add((330, 300))
    end = time.monotonic() + 300
    while not np.array_equal(viewer.layers[LABELS].data == 1, wanted):
        assert time.monotonic() < end
        application.processEvents()
    viewer.window._qt_window.resize(1280, 800)
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    viewer.close()


WALKS: tuple[Callable[[Any], None], ...] = (
    photo_in_colour,
    slices_of_a_stack,
    any_order_of_axes,
    a_photo_among_stacks,
    undo_redo_and_objects,
    a_label_is_corrected,
    points_that_are_moved_or_deleted,
    mistakes_are_notifications,
    a_defect_is_a_notification,
    the_window_stays_alive,
)

if __name__ == "__main__":
    if len(sys.argv) > 1:
        window(Path(sys.argv[1]))
        print("window", flush=True)
        sys.exit()
    running = QApplication([])
    for walk in WALKS:
        walk(running)
        print(walk.__name__, flush=True)
