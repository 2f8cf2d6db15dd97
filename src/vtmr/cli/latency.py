"""`vtmr latency`: how long a click takes on this machine, on one real photo at a chosen size.

The photo is cut so that the object covers about a quarter of it, rescaled to the size, and clicked
twenty times by the robot user. Timed is what an annotator waits for: from `Session.add` to the mask
array.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.bench.robot import next_click
from vtmr.cli import predictors
from vtmr.errors import ConfigError, InputError
from vtmr.geometry import Box
from vtmr.images import MAX_PIXELS, read_image
from vtmr.maskfiles import read_mask
from vtmr.masks import Mask, bounding_box
from vtmr.segmenter import LayeredPrediction, ModelOptions
from vtmr.session import Session
from vtmr.spec import ZoomSchedule
from vtmr.types import Click, Image, Predictor

CLICKS, WIDER_CLICKS = 20, 12
CORE_RATIO = 0.7  # of the object's sides: the view that is too narrow for it
MAX_DIGITS = 9  # of a side in pixels; Python refuses to read numbers of thousands of digits
_ASSETS = Path(str(files("vtmr"))) / "assets"
_PHOTO, _OBJECT = _ASSETS / "photos" / "coffee.jpg", _ASSETS / "latency" / "coffee-cup.png"
_CROP = Box(18, 0, 565, 365)  # of the photo; the cup covers 25 % of it
_GOLDEN_RATIO = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Latency:
    """One measurement; `first_ms` is click 1, the maximum is over clicks 2 to 20.

    p50_ms, p95_ms: of clicks 2 to 20 that one coarse pass answered, the zoomed pass left off;
    zoom_p50_ms: of those with a zoomed pass, as the model's schedule has them; wider_p50_ms: of
    clicks that were answered in one wider view; None where there was none. cold_start_s: from the
    start of a fresh process until the model can be clicked with. peak_rss_mb: the largest resident
    memory of this process so far, None where the system doesn't tell.
    """

    model: str
    size: str
    threads: int | None
    first_ms: float
    p50_ms: float | None
    p95_ms: float | None
    zoom_p50_ms: float | None
    wider_p50_ms: float | None
    max_ms: float
    cold_start_s: float
    peak_rss_mb: float | None

    def as_record(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def in_words(self) -> str:
        """Lines for a terminal."""
        memory = "unknown"
        if self.peak_rss_mb is not None:
            memory = f"{self.peak_rss_mb:.0f} MB"
        return (
            f"{self.model} at {self.size}, threads: {self.threads}\n"
            f"click 1             {self.first_ms:8.1f} ms\n"
            f"plain clicks, median{_ms(self.p50_ms):>11}   p95 {_ms(self.p95_ms)}\n"
            f"zoomed clicks, median{_ms(self.zoom_p50_ms):>10}   slowest of all {self.max_ms:.1f} "
            "ms\n"
            f"wider clicks, median{_ms(self.wider_p50_ms):>11}\n"
            f"cold start          {self.cold_start_s:8.2f} s    peak memory {memory}"
        )


@dataclass(frozen=True, slots=True)
class TimedClick:
    """passes: coarse passes that the answer took; zoomed: whether one was the zoomed one."""

    seconds: float
    passes: int
    zoomed: bool


def parse_size(text: str) -> tuple[int, int]:
    """`WxH` as (width, height). Raises InputError for anything else, and for sizes outside 32x32 ..

    150 megapixels.
    """
    width, separator, height = text.lower().partition("x")
    digits = len(width) <= MAX_DIGITS and len(height) <= MAX_DIGITS and (width + height).isascii()
    if not (separator and digits and width.isdigit() and height.isdigit()):
        raise InputError(
            f"The size {text!r} can't be read: expected WIDTHxHEIGHT in pixels, for example "
            "640x480."
        )
    size = int(width), int(height)
    if min(size) < 32 or size[0] * size[1] > MAX_PIXELS:
        raise InputError(
            f"The size {text!r} can't be timed: expected at least 32x32 and at most 150 megapixels."
        )
    return size


def measure(model: str, size: tuple[int, int], threads: int | None) -> Latency:
    """Loads the model (twice: in a fresh process for the cold start, and here) and times the
    clicks.

    Raises CheckpointError for a model that can't be loaded.
    """
    loaded = predictors.load(model, ModelOptions(threads=threads))
    image, gt_mask = scene(*size)
    own = time_clicks(loaded.predictor, image, gt_mask)
    unzoomed, plain = loaded.predictor.with_zoom(ZoomSchedule(schedule="off")), own
    if any(timed.zoomed for timed in own):
        plain = time_clicks(unzoomed, image, gt_mask)
    wider = time_wider_clicks(unzoomed, image, gt_mask)
    plain_ms = _chosen_ms(plain[1:], lambda timed: timed.passes <= 1)
    return Latency(
        model=loaded.name,
        size=f"{size[0]}x{size[1]}",
        threads=loaded.threads,
        first_ms=round(own[0].seconds * 1000, 2),
        p50_ms=_percentile(plain_ms, 50),
        p95_ms=_percentile(plain_ms, 95),
        zoom_p50_ms=_percentile(_chosen_ms(own[1:], lambda timed: timed.zoomed), 50),
        wider_p50_ms=_percentile(_chosen_ms(wider, lambda timed: timed.passes == 2), 50),
        max_ms=round(max(timed.seconds for timed in own[1:]) * 1000, 2),
        cold_start_s=round(cold_start(model), 3),
        peak_rss_mb=peak_rss_mb(),
    )


def _chosen_ms(
    clicks: Sequence[TimedClick], chosen: Callable[[TimedClick], bool]
) -> NDArray[np.float64]:
    return np.array([1000 * timed.seconds for timed in clicks if chosen(timed)])


def _percentile(values_ms: NDArray[np.float64], q: float) -> float | None:
    if not values_ms.size:
        return None
    return round(float(np.percentile(values_ms, q)), 2)


def _ms(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.1f} ms"


def scene(width: int, height: int) -> tuple[Image, Mask]:
    """The bundled photo and its object at the size: uint8 H x W x 3 and bool H x W, the object
    about a quarter."""
    image = read_image(_PHOTO)
    gt_mask = read_mask(_OBJECT, image.shape[:2])
    scaled = cv2.resize(image[_CROP.slices], (width, height), interpolation=cv2.INTER_LINEAR)
    scaled_mask = cv2.resize(
        gt_mask[_CROP.slices].view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(scaled, np.uint8), scaled_mask.astype(bool)


def time_clicks(predictor: Predictor, image: Image, gt_mask: Mask) -> list[TimedClick]:
    """Each of the clicks, from `Session.add` to the mask array; the robot's own time is left
    out."""
    session = Session(predictor, image)
    clicks: list[Click] = []
    timed = []
    mask: Mask = np.zeros(gt_mask.shape, bool)
    while len(clicks) < CLICKS:
        click = next_click(mask, gt_mask, None, clicks) or spare_click(gt_mask, clicks)
        clicks.append(click)
        session, one = _timed(session, click)
        timed.append(one)
        mask = session.mask
    return timed


def time_wider_clicks(predictor: Predictor, image: Image, gt_mask: Mask) -> list[TimedClick]:
    """First clicks by someone who looks at the middle of the object, .7 of its sides: the answer
    reaches out of that view, and twice as wide a one holds it.

    Those that were answered inside of the view, because of the click or by the model's policy, are
    left out.
    """
    whole = Box.whole(*gt_mask.shape)
    core = (bounding_box(gt_mask) or whole).expanded(CORE_RATIO, whole)
    inside = np.zeros_like(gt_mask)
    inside[core.slices] = gt_mask[core.slices]
    start = Session(predictor, image, region=core)
    start.add(spare_click(inside, ()))  # builds the reduced copies of a large photo
    clicks: list[Click] = []
    timed = []
    while len(clicks) < WIDER_CLICKS:
        clicks.append(spare_click(inside, clicks))
        session, one = _timed(start, clicks[-1])
        answer = session.prediction
        if isinstance(answer, LayeredPrediction) and answer.layers[0].box.area > core.area:
            timed.append(one)
    return timed


def _timed(session: Session, click: Click) -> tuple[Session, TimedClick]:
    start = time.perf_counter()
    session = session.add(click)
    _ = session.mask
    seconds = time.perf_counter() - start
    passes = getattr(session.prediction, "passes", 1)
    return session, TimedClick(seconds, passes, getattr(session.prediction, "zoomed", False))


def spare_click(gt_mask: Mask, clicks: Sequence[Click]) -> Click:
    """A positive click for when the robot finds no error left: the same each time, spread over the
    object.

    The n-th click takes the object's pixel at the share n times the golden ratio (modulo 1) of the
    row-major list.
    """
    pixels = np.flatnonzero(gt_mask)
    # Multiples of the golden ratio stay apart from each other, however many there are.
    row, col = divmod(
        int(pixels[int(len(clicks) * _GOLDEN_RATIO % 1 * len(pixels))]), gt_mask.shape[1]
    )
    return Click(col + 0.5, row + 0.5, positive=True)


def cold_start(model: str) -> float:
    """Seconds from the start of a fresh Python process until the model is loaded there."""
    program = "import sys, time, vtmr; vtmr.load(sys.argv[1]); print(time.time())"
    start = time.time()  # the one clock that two processes share on every system
    done = subprocess.run([sys.executable, "-c", program, model], capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(
            f"{sys.executable} could not load the model {model} in a process of its own."
        )
    return float(done.stdout) - start


def peak_rss_mb() -> float | None:
    """The largest resident memory of this process so far, in MB (10^6 bytes); None where the system
    doesn't tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count a parent process before exec
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e6, 1)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "darwin":
        peak *= 1024  # kilobytes everywhere but on macOS
    return round(peak / 1e6, 1)
