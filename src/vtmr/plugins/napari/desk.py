"""What the panel does with the layers of a viewer in napari.

Everything here runs in napari's own thread but `_ask`. What the user sees as a click is a point of
one layer; whatever happens to the points, `Desk.sync` compares them with what was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from vtmr.errors import InputError
from vtmr.plugins.napari.answers import Answer, Answers, Question
from vtmr.plugins.napari.clicked import (
    COLUMNS,
    NOT_SEEN,
    ROWS,
    Clicked,
    Target,
    changed,
    common_start,
    features_of,
    read_points,
)
from vtmr.plugins.napari.labelling import Outlook, change_to
from vtmr.plugins.napari.notices import tell, told
from vtmr.plugins.napari.pixels import as_rgb
from vtmr.plugins.napari.slices import Plane, plane_of, shown_axes
from vtmr.segmenter import load
from vtmr.types import Click, Correction, Image

POINTS, LABELS = "vtmr clicks", "vtmr masks"
_COLOURS = {True: "#20c060", False: "#e03040"}
_POINT_SHARE = 0.03  # of the image's shorter side
_SYMBOLS = {True: "disc", False: "square"}
_BEFORE = ("adding", "removing", "changing")  # events of points that nothing has changed yet by


@dataclass(slots=True)
class Choices:
    """What the user has chosen in the panel. image: the layer's name; number: the object's label;
    positive: of the next click."""

    image: str = ""
    labels: str = ""
    number: int = 1
    positive: bool = True
    correction: Correction = "here"


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What a thread brings back. An error is inside, since napari's workers throw one that is
    returned."""

    told: Answer | Exception


@dataclass(slots=True)
class _Undone:
    """Points that were taken back, the last one last: place in the data, and features."""

    points: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)


class Desk:
    """The viewer's layers and what was answered on them.

    One question is under way at a time, in a thread of its own; what happens meanwhile is seen when
    its answer comes.
    """

    def __init__(self, viewer: Any, answers: Answers | None = None) -> None:
        self.viewer = viewer
        self.choices = Choices()
        self.changed: list[Callable[[], None]] = []  # told when what the panel shows may be another
        self._answers = answers or Answers(load)
        self._points: Any = None
        self._answered: dict[Target, tuple[Click, ...]] = {}
        self._outlooks: dict[Target, Outlook] = {}
        self._undone: dict[Target, _Undone] = {}
        self._busy = self._own = False
        self._version = 0
        viewer.layers.events.removed.connect(self._layer_removed)

    # --- what the panel asks for

    @told
    def begin(self) -> None:
        """Makes the layers for the image that was chosen, and lets the user click."""
        image = self._image()
        self._labels(image)
        points = self._points_on(image)
        self.viewer.layers.selection.active = points
        points.mode = "add"

    @told
    def choose_image(self, name: str) -> None:
        """Another image: its clicks are others."""
        if name == self.choices.image:
            return
        self.choices.image, self.choices.labels = name, ""
        self._forget_points()

    @told
    def choose_labels(self, name: str) -> None:
        """The labels that masks go to, and that masks to correct come from; "" makes new ones."""
        self.choices.labels = name
        self._forget_answers()

    @told
    def choose_object(self, number: int) -> None:
        self.choices.number = int(number)
        self._next_point()

    @told
    def choose_sign(self, positive: bool) -> None:
        self.choices.positive = bool(positive)
        self._next_point()

    @told
    def choose_correction(self, correction: Correction) -> None:
        self.choices.correction = correction

    @told
    def new_object(self) -> None:
        """The first number that no label and no click has."""
        labels = self._labels(self._image())
        used = [target.number for target in self._answered]
        self.choices.number = 1 + max([int(np.max(labels.data)), *used])
        self._next_point()
        self._tell_panel()

    @told
    def undo(self) -> None:
        """Takes the object's last click in this slice back."""
        target = self._target_shown()
        rows = self._read().rows.get(target, ())
        if not rows:
            raise InputError(f"Object {target.number} has no click in this slice to undo.")
        row = rows[-1]
        features = {name: values[row] for name, values in self._features().items()}
        kept = self._undone.setdefault(target, _Undone())
        kept.points.append((self._points.data[row].copy(), features))
        self._remove([row])
        self.sync()

    @told
    def redo(self) -> None:
        """Makes the click again that was taken back last."""
        target = self._target_shown()
        kept = self._undone.get(target)
        if kept is None or not kept.points:
            raise InputError(f"Object {target.number} has no click in this slice to redo.")
        place, features = kept.points.pop()
        self._own = True
        try:
            self._points.feature_defaults = features
            self._points.add(place)
        finally:
            self._own = False
        self._next_point()
        self.sync(again=True)

    # --- what happens to the points

    @told
    def points_changed(self, event: Any = None) -> None:
        """After any change of the points, whoever made it."""
        action = str(getattr(event, "action", "")).rpartition(".")[2].lower()
        if not self._own and action not in _BEFORE:
            self.sync()

    def sync(self, again: bool = False) -> None:
        """Asks for what the points say and isn't answered yet. again: a click was redone."""
        self._complete_features()
        read = self._read()
        if read.beside:
            self._remove(read.beside)
            tell(InputError(read.reason))
            read = self._read()
        self._paint_points()
        self._next_point()  # after a change of the points, their layer takes the last as an example
        for target in changed(self._answered, read.clicks):
            grown = len(read.clicks.get(target, ())) > len(self._answered.get(target, ()))
            if grown and not again:
                self._undone.pop(target, None)
        if not self._busy:
            self._ask_next(read)

    def _ask_next(self, read: Clicked) -> None:
        for target in changed(self._answered, read.clicks):
            question = self._question(target, read)
            if question is not None:
                self._busy = True
                self._tell_panel()
                self._in_a_thread(target, question)
                return
        self._tell_panel()

    def _question(self, target: Target, read: Clicked) -> Question | None:
        """What to ask of a target; None where the user's own hand goes before its clicks."""
        labels = target.plane.of(self._labels(self._image()).data)
        clicks, before = read.clicks.get(target, ()), self._answered.get(target, ())
        outlook = self._outlooks.get(target)
        if outlook is not None and outlook.is_edited(labels):
            done = common_start(before, clicks)
            self._bake(target, read.rows.get(target, ())[:done])
            clicks, outlook = clicks[done:], None
            self._answered[target] = ()
            if not clicks:
                self._outlooks.pop(target, None)
                return None
        if outlook is None:
            outlook = Outlook.begun(labels, target.number)
        self._outlooks[target] = outlook
        image = self._image()
        limits = None if image.rgb else _limits_of(image)
        data = image.data[0] if image.multiscale else image.data
        picture = partial(_picture, data, target.plane, limits, bool(image.rgb))
        key = (image.name, self._version, target.plane, limits)
        return Question(key, picture, outlook.start, clicks, self.choices.correction)

    def _bake(self, target: Target, rows: tuple[int, ...]) -> None:
        """Clicks before an edit by hand have become part of the mask: their points go."""
        self._undone.pop(target, None)
        if rows:
            self._remove(list(rows))

    def _in_a_thread(self, target: Target, question: Question) -> None:
        from napari.qt.threading import create_worker

        # Otherwise napari would raise a worker's errors again in Qt's loop: the reply tells them.
        worker = create_worker(_ask, self._answers, question, _ignore_errors=True)
        worker.returned.connect(partial(self._came, target, question))
        worker.start()

    @told
    def _came(self, target: Target, question: Question, reply: Reply) -> None:
        """In napari's thread again."""
        self._busy = False
        self._answered[target] = question.clicks
        if isinstance(reply.told, Exception):
            tell(reply.told)
        elif target in self._outlooks:
            self._write(target, reply.told)
        if not question.clicks:
            self._answered.pop(target, None)
            self._outlooks.pop(target, None)
        if self._points is not None:
            self.sync(again=True)

    def _write(self, target: Target, answer: Answer) -> None:
        """Shows the mask in the labels; a hand that was quicker keeps what it drew."""
        from napari.utils.notifications import show_info

        layer = self._labels(self._image())
        labels, outlook = target.plane.of(layer.data), self._outlooks[target]
        if outlook.is_edited(labels):
            return
        change = change_to(answer.mask, labels, outlook, preserve=bool(layer.preserve_labels))
        self._outlooks[target] = change.after
        if change.rows.size:
            # Not by writing into the array: this way napari redraws, and its own undo knows of it.
            layer.data_setitem(target.plane.places(change.rows, change.columns), change.labels)
        if answer.note:
            show_info(answer.note)

    # --- layers

    def _image(self) -> Any:
        """The image that was chosen. Raises InputError where there is none."""
        if self.choices.image in self.viewer.layers:
            return self.viewer.layers[self.choices.image]
        raise InputError("There is no image to click on: open one, and choose it in vtmr's panel.")

    def shape_of(self, image: Any) -> tuple[int, ...]:
        """The image's shape without channels, at full resolution."""
        data = image.data[0] if image.multiscale else image.data
        return tuple(int(side) for side in data.shape[: image.ndim])

    def _labels(self, image: Any) -> Any:
        """The labels that were chosen, or new ones. Raises InputError for others' shape."""
        shape = self.shape_of(image)
        if self.choices.labels in self.viewer.layers:
            labels = self.viewer.layers[self.choices.labels]
            if tuple(labels.data.shape) != shape:
                raise InputError(
                    f"The labels {labels.name} have the shape {tuple(labels.data.shape)}, the "
                    f"image {image.name} has {shape}: choose others, or new ones."
                )
            return labels
        labels = self.viewer.add_labels(np.zeros(shape, np.int32), name=LABELS, **_placed_as(image))
        self.choices.labels = labels.name
        self._tell_panel()
        return labels

    def _points_on(self, image: Any) -> Any:
        """The layer of clicks, made where there is none."""
        if self._points is None:
            empty = {name: np.empty(0, type(value)) for name, value in features_of(True, 1).items()}
            self._points = self.viewer.add_points(
                np.empty((0, image.ndim)),
                ndim=image.ndim,
                name=POINTS,
                features=empty,
                size=max(3.0, min(self.shape_of(image)[-2:]) * _POINT_SHARE),
                **_placed_as(image),
            )
            self._points.events.data.connect(self.points_changed)
            self._points.bind_key("t", self._turn_sign, overwrite=True)
            image.events.data.connect(self._image_changed)
            self._next_point()
        return self._points

    def _next_point(self) -> None:
        """What the next point will be."""
        if self._points is None:
            return
        choices = self.choices
        self._points.selected_data = set()  # what is set now would change selected ones
        self._points.feature_defaults = features_of(choices.positive, choices.number)
        self._points.current_face_color = _COLOURS[choices.positive]
        self._points.current_symbol = _SYMBOLS[choices.positive]

    @told
    def _turn_sign(self, _: Any) -> None:
        self.choose_sign(not self.choices.positive)
        self._tell_panel()

    def _features(self) -> dict[str, list[Any]]:
        table = self._points.features
        return {name: list(table[name]) for name in features_of(True, 1)}

    def _complete_features(self) -> None:
        """Points that are new learn in which axes they were made."""
        features = self._features()
        new = [row for row, axis in enumerate(features[ROWS]) if int(axis) == NOT_SEEN]
        if not new:
            return
        try:
            rows, columns = self._axes()
        except InputError:
            self._remove(new)
            raise
        for row in new:
            features[ROWS][row], features[COLUMNS][row] = rows, columns
        self._points.features = features

    def _axes(self) -> tuple[int, int]:
        dims, image = self.viewer.dims, self._image()
        return shown_axes(tuple(dims.displayed), int(dims.ndim), int(image.ndim))

    def _read(self) -> Clicked:
        """What the points say, wherever the layers have been moved to."""
        if self._points is None:
            return Clicked({}, {}, [], "")
        image, points = self._image(), self._points
        places = [image.world_to_data(points.data_to_world(point)) for point in points.data]
        there = np.array(places, np.float64).reshape(-1, image.ndim)
        return read_points(there, self._features(), self.shape_of(image))

    def _target_shown(self) -> Target:
        """The chosen object in the slice that is seen. Raises InputError."""
        if self._points is None:
            raise InputError("There are no clicks yet: press Click on the image first.")
        image, (rows, columns) = self._image(), self._axes()
        place = np.array(image.world_to_data(self.viewer.dims.point), np.float64)
        # Along the axes that are shown the viewer's point says nothing, and may lie beside.
        place[[rows, columns]] = 0.0
        plane, _ = plane_of(place.tolist(), rows, columns, self.shape_of(image))
        return Target(plane, self.choices.number)

    def _remove(self, rows: list[int]) -> None:
        """Takes points away without taking that for a change by the user."""
        self._own = True
        try:
            self._points.selected_data = set(rows)
            self._points.remove_selected()
        finally:
            self._own = False
        self._next_point()

    def _paint_points(self) -> None:
        signs = [bool(value) for value in self._features()["positive"]]
        if signs:
            self._points.face_color = [_COLOURS[sign] for sign in signs]
            self._points.symbol = [_SYMBOLS[sign] for sign in signs]

    # --- when layers go or change

    @told
    def _layer_removed(self, event: Any) -> None:
        name = event.value.name
        if self._points is not None and self._points.name not in self.viewer.layers:
            self._points = None
            self._forget_answers()
        elif name in (self.choices.image, self.choices.labels):
            self._forget_answers()
        self._tell_panel()

    @told
    def _image_changed(self, _: Any) -> None:
        self._version += 1

    def _forget_points(self) -> None:
        if self._points is not None and self._points.name in self.viewer.layers:
            self.viewer.layers.remove(self._points.name)
        self._points = None
        self._forget_answers()

    def _forget_answers(self) -> None:
        """Masks stay in the labels; from now on they are masks to correct."""
        self._answered, self._outlooks, self._undone = {}, {}, {}
        if self._points is not None and len(self._points.data):
            self._remove(list(range(len(self._points.data))))

    @property
    def is_busy(self) -> bool:
        """Whether a question is under way."""
        return self._busy

    def _tell_panel(self) -> None:
        for listener in self.changed:
            listener()


def _placed_as(image: Any) -> dict[str, Any]:
    """Where a layer over the image lies: as the image does."""
    names = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    return {name: getattr(image, name) for name in names if hasattr(image, name)}


def _limits_of(image: Any) -> tuple[float, float]:
    """The values that the image shows black and white."""
    low, high = image.contrast_limits
    return float(low), float(high)


def _picture(data: Any, plane: Plane, limits: tuple[float, float] | None, rgb: bool) -> Image:
    """In the thread: slow data are read there."""
    return as_rgb(plane.of(data), limits, rgb=rgb)


def _ask(answers: Answers, question: Question) -> Reply:
    """In the thread: what goes wrong is told in napari's."""
    try:
        return Reply(answers.mask(question))
    except Exception as error:
        return Reply(error)
