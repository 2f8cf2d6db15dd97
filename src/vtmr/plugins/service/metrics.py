"""Figures of the running service in Prometheus' text format, of all its processes together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from vtmr.errors import needs_extra

# What makes prometheus_client keep its figures in files that processes share; it reads it when it
# is imported.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


class Metrics:
    """The counters of one process, and the page on which those of all are added up."""

    def __init__(self, images: Callable[[], tuple[int, int]]) -> None:
        """images: how many are kept, and their bytes, asked when the page is made.

        Raises ConfigError without prometheus_client.
        """
        with needs_extra("serve"):
            import prometheus_client
        self._images = images
        # Not the client's global registry, which refuses a name that it has, as of a second app
        # in the same process.
        self._registry = registry = prometheus_client.CollectorRegistry()
        counter, histogram = prometheus_client.Counter, prometheus_client.Histogram
        self._requests = counter(
            "vtmr_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = histogram(
            "vtmr_request_seconds",
            "From a request's head to its answer, waiting included.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._prediction = histogram(
            "vtmr_prediction_seconds",
            "Making a mask: predictions, painting and packing, without waiting.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight = prometheus_client.Gauge(
            "vtmr_requests_in_flight",
            "Requests being answered.",
            # A process that has ended is left out of the sum, with what it had in flight.
            multiprocess_mode="livesum",
            registry=registry,
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request. seconds: from its head to its answer."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def predicted(self, seconds: float) -> None:
        """Counts a mask. seconds: to make it."""
        self._prediction.observe(seconds)

    def in_flight(self, change: int) -> None:
        """change: 1 when a request comes, -1 when it is answered."""
        self._in_flight.inc(change)

    def page(self) -> tuple[bytes, str]:
        """The page and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        # A single process has its figures in memory; several write them to files.
        if SHARED_FOLDER in os.environ:
            _drop_the_dead(Path(os.environ[SHARED_FOLDER]))
            # A new one for each page, as the client asks: in the counters' own registry they would
            # be told twice, as this process's and as all processes'.
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        count, size = self._images()
        lines = [
            *_gauge("vtmr_images", "Images kept, decoded.", count),
            *_gauge("vtmr_image_bytes", "Their bytes.", size),
        ]
        return generate_latest(registry) + "\n".join([*lines, ""]).encode(), CONTENT_TYPE_LATEST


def _gauge(name: str, what: str, value: int) -> list[str]:
    """A figure that all processes agree on, which prometheus_client would add up."""
    return [f"# HELP {name} {what}", f"# TYPE {name} gauge", f"{name} {value}"]


def _drop_the_dead(folder: Path) -> None:
    """A process that was killed has no requests in flight any more."""
    from prometheus_client.multiprocess import mark_process_dead

    for file in folder.glob("gauge_live*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)  # asks whether it is there
        except ProcessLookupError:
            mark_process_dead(process)  # type: ignore[no-untyped-call]
        except OSError:
            continue  # it is, under another user
