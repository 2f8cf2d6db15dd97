"""What a network's predictors share, whichever pipeline they play it with."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from vtmr.errors import ConfigError, InputError
from vtmr.geometry import Box
from vtmr.masks import Mask
from vtmr.pyramid import Pyramid
from vtmr.spec import ViewPolicy, ZoomSchedule
from vtmr.types import Click, Event, Image, Network, Prediction, active_clicks


class Segmenter(ABC):
    """A Predictor around a Network. Each pipeline is a final subclass in a module of its own.

    `vtmr.segmenter.segmenter_for` makes the one that a network's spec asks for.
    """

    takes_boxes = False

    def __init__(
        self,
        network: Network,
        *,
        zoom: ZoomSchedule | None = None,
        threshold: float | None = None,
        views: ViewPolicy | None = None,
    ) -> None:
        """zoom, threshold, views: in place of those in the network's spec.

        Raises ConfigError for an impossible threshold.
        """
        self.network = network
        self.spec = network.spec
        if threshold is not None:
            self.spec = replace(network.spec, threshold=threshold)
        if views is not None:
            self.spec = replace(self.spec, views=views)
        self.zoom = zoom or network.spec.zoom

    @property
    def name(self) -> str:
        """The model's, as reports and saved sessions name it."""
        return self.spec.model

    @property
    def weights(self) -> str:
        """SHA-256 (hex) of the model that the network came from, "" where that isn't known."""
        return str(getattr(self.network, "digest", ""))

    def with_zoom(self, zoom: ZoomSchedule) -> Self:
        """The same with another schedule."""
        threshold, views = self.spec.threshold, self.spec.views
        return type(self)(self.network, zoom=zoom, threshold=threshold, views=views)

    def with_threshold(self, threshold: float) -> Self:
        """The same with masks cut at another probability. Raises ConfigError as `__init__`."""
        views = self.spec.views
        return type(self)(self.network, zoom=self.zoom, threshold=threshold, views=views)

    def prepare(self, image: Image) -> Pyramid:
        """The image with its halvings, which are built as crops need them.

        image: uint8 H x W x 3, RGB.
        """
        return Pyramid(image)

    @abstractmethod
    def predict(
        self,
        scene: Pyramid,
        events: Sequence[Event],
        previous: Any = None,
        mask: Mask | None = None,
        region: Box | None = None,
    ) -> Prediction:
        """See `Predictor.predict`.

        Raises InputError without a click, and for a click outside the image.
        """


def require_clicks(events: Sequence[Event], scene: Pyramid) -> tuple[Click, ...]:
    """The active clicks. Raises InputError when there is none or one lies outside the image."""
    clicks = active_clicks(events)
    if not clicks:
        raise InputError(
            "There is no click to predict from: expected at least one after the last mask edit."
        )
    for click in clicks:
        click.require_inside(scene.height, scene.width)
    return clicks


def require_scipy(model: str) -> None:
    """Raises ConfigError where SciPy isn't installed, without which that model isn't played."""
    try:
        # Loaded rather than looked for: so an installation that is broken is found out, too.
        importlib.import_module("scipy.optimize")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{model} needs the package scipy, which is not installed: in a clone of vtmr, "
            'pip install -c constraints.txt -e ".[bench]".'
        ) from error
