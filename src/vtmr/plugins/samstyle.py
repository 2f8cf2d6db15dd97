"""`vtmr.VtmrPredictor`: vtmr for code written against segment-anything's SamPredictor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtmr.errors import InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, bounding_box
from vtmr.segmenter import Segmenter, load
from vtmr.segmenter.logits import LOGIT_LIMIT, logit_of
from vtmr.session import Session
from vtmr.types import BoxPrompt, Click, Event, FloatMap, Image

LOW_RES = 256
VARIANTS = (0.2, 0.8)  # thresholds of the second and the third mask; the first is the model's own
_ANSWERS_KEPT = 32
_LEAST = np.float32(1e-6)  # a logit's distance from 0, so that its sign says what the mask does
_PADDING = -1  # SAM's label for a point that isn't one


class NoImage(InputError, RuntimeError):
    """Something was asked before an image was set."""


class Refused(InputError, AssertionError):
    """An argument that SAM's predictor asserts."""


class WrongShape(InputError, RuntimeError, IndexError):
    """An array of another shape than asked for; SAM's predictor fails in either way."""


class VtmrPredictor:
    """What SamPredictor offers, with the same shapes and dtypes, answered by a Session.

    Points are given in order and answered one after another. Points are pixels' indices, as SAM's
    are: (0, 0) is the middle of the first pixel. Errors are vtmr's and SAM's at once.
    """

    is_image_set: bool
    original_size: tuple[int, int] | None
    _image: Any
    _scene: Any
    _last: list[Session]
    _answers: dict[bytes, tuple[Session, float]]  # with the logit that its mask is cut at

    def __init__(self, model: Segmenter | str | Path = "lite0") -> None:
        """model: what `vtmr.load` returned, or takes."""
        own = model if isinstance(model, Segmenter) else load(model)
        self._predictors = (own, *(own.with_threshold(threshold) for threshold in VARIANTS))
        self.reset_image()

    def set_image(self, image: Image, image_format: str = "RGB") -> None:
        """image: uint8 H x W x 3; image_format: "RGB" or "BGR". Raises InputError for others."""
        if image_format not in ("RGB", "BGR"):
            raise Refused(f"image_format must be in ['RGB', 'BGR'], is {image_format}.")
        if image_format == "BGR":
            image = np.ascontiguousarray(image[..., ::-1])
        first = Session(self._predictors[0], image)  # refuses what isn't an image
        self.reset_image()
        self._image, self._scene = image, self._predictors[0].prepare(image)
        self._last = [first, *(self._session(number) for number in (1, 2))]
        self.original_size = (image.shape[0], image.shape[1])
        self.is_image_set = True

    def reset_image(self) -> None:
        """Forgets the image and what was answered on it."""
        self.is_image_set = False
        self.original_size = None
        self._image = None
        self._scene = None
        self._last = []
        self._answers = {}

    def predict(
        self,
        point_coords: NDArray[Any] | None = None,
        point_labels: NDArray[Any] | None = None,
        box: NDArray[Any] | None = None,
        mask_input: FloatMap | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        *,
        init_mask: Mask | None = None,
    ) -> tuple[NDArray[Any], FloatMap, FloatMap]:
        """Masks for the prompts.

        Args:
            point_coords: N x 2, (x, y).
            point_labels: N; 1 object, 0 background, -1 no point.
            box: x0, y0, x1, y1; where a mask is given too, the mask counts.
            mask_input: float32 1 x 256 x 256, low-resolution logits. Those that this predictor
                returned on this image go on from that very answer; others are a mask to refit.
            multimask_output: Three masks, at the model's threshold, a low and a high one.
            return_logits: Logits in place of masks.
            init_mask: bool H x W, a mask of the image's size; each point corrects only the region
                that it lies in.

        Returns:
            Masks bool C x H x W (or logits float32), scores float32 C and logits float32 C x 256 x
            256. A score is the mask's stability: the pixels whose logit is 1 above the cut, as a
            share of those whose logit is 1 below or more. Where the image doesn't fill the square,
            right or below, is background.

        Raises:
            InputError: For prompts that can't be; also a RuntimeError without an image, an
                AssertionError for points without labels, a RuntimeError and IndexError for shapes.
        """
        if not self.is_image_set:
            raise NoImage("An image must be set with .set_image(...) before mask prediction.")
        prompts = self._events(point_coords, point_labels, box)
        pairs = []
        for number in range(3 if multimask_output else 1):
            start, cut = self._start(number, prompts, mask_input, init_mask)
            answer = _continued(start, prompts)
            pairs.append((answer, cut))
            if mask_input is None and init_mask is None:  # only prompts alone say all there is
                self._last[number] = answer
        low = np.stack([_low_res(session, cut) for session, cut in pairs])
        scores = np.array([stability(session, cut) for session, cut in pairs], np.float32)
        for pair, logits in zip(pairs, low, strict=True):
            # By their bytes: callers of SAM feed back an array, sliced or copied, and nothing else.
            self._answers[_digest(logits)] = pair
        while len(self._answers) > _ANSWERS_KEPT:
            self._answers.pop(next(iter(self._answers)))
        if return_logits:
            whole = [_signed(session, cut, session.mask) for session, cut in pairs]
            return np.stack(whole), scores, low
        return np.stack([session.mask for session, _ in pairs]), scores, low

    def _session(self, number: int, **options: Any) -> Session:
        return Session(self._predictors[number], self._image, scene=self._scene, **options)

    def _start(
        self,
        number: int,
        prompts: Sequence[Event],
        mask_input: FloatMap | None,
        init_mask: Mask | None,
    ) -> tuple[Session, float]:
        """The session that the prompts are added to, and the logit that its masks are cut at.

        An answer that was fed back goes on as it was for the first mask; the two beside it are that
        answer's mask, refitted at their thresholds.
        """
        cut = logit_of(self._predictors[number].spec.threshold)
        if init_mask is not None:
            return self._session(number, initial_mask=init_mask), cut
        if mask_input is not None:
            logits = np.asarray(mask_input, np.float32)
            if logits.shape != (1, LOW_RES, LOW_RES):
                raise WrongShape(
                    f"mask_input has shape {logits.shape}: expected (1, {LOW_RES}, {LOW_RES})."
                )
            known = self._answers.get(_digest(logits[0]))
            if known is not None and number == 0:
                return known
            mask = self._full(logits[0]) if known is None else known[0].mask
            return self._session(number, initial_mask=mask, correction="refit"), cut
        last = self._last[number]
        if last.events and tuple(prompts[: len(last.events)]) == last.events:
            return last, cut
        return self._session(number), cut

    def _full(self, logits: FloatMap) -> Mask:
        """Low-resolution logits as a mask of the image's size."""
        height, width = self.original_size or (1, 1)
        rows, cols = _rows_and_cols(height, width)
        full = cv2.resize(np.ascontiguousarray(logits[:rows, :cols]), (width, height))
        return np.asarray(full > 0)

    def _events(self, coords: Any, labels: Any, box: Any) -> list[Event]:
        """The prompts in the house's coordinates, the box first."""
        events: list[Event] = []
        if box is not None:
            corners = np.asarray(box, np.float64).reshape(-1)
            if corners.shape != (4,):
                raise WrongShape(f"box has {corners.size} numbers: expected 4, x0, y0, x1, y1.")
            x0, y0, x1, y1 = (float(value) + 0.5 for value in corners)
            events.append(BoxPrompt(x0, y0, x1, y1))
        if coords is None:
            return events
        if labels is None:
            raise Refused("point_labels must be supplied if point_coords is supplied.")
        points, signs = np.asarray(coords, np.float64), np.asarray(labels)
        if points.ndim != 2 or points.shape[1] != 2 or signs.shape != points.shape[:1]:
            raise WrongShape(
                f"point_coords has shape {points.shape} and point_labels {signs.shape}: expected "
                "(N, 2) and (N,)."
            )
        if not np.isin(signs, (_PADDING, 0, 1)).all():
            raise InputError(f"point_labels are {signs.tolist()}: expected 1, 0 or -1 for none.")
        for (x, y), sign in zip(points, signs, strict=True):
            if sign != _PADDING:
                events.append(Click(float(x) + 0.5, float(y) + 0.5, bool(sign == 1)))
        return events


def _continued(session: Session, prompts: Sequence[Event]) -> Session:
    """With the prompts that it hasn't answered yet, one by one; on a mask the box says nothing."""
    if tuple(prompts[: len(session.events)]) == session.events:
        fresh = list(prompts[len(session.events) :])
    else:
        clicks = [prompt for prompt in prompts if isinstance(prompt, Click)]
        done = session.clicks
        fresh = list(clicks[len(done) :] if tuple(clicks[: len(done)]) == done else clicks)
    for prompt in fresh:
        session = session.add(prompt)
    return session


def _rows_and_cols(height: int, width: int) -> tuple[int, int]:
    """What of the low-resolution square the image fills: its longer side fills one."""
    longest = max(height, width)
    return max(1, round(LOW_RES * height / longest)), max(1, round(LOW_RES * width / longest))


def _signed(session: Session, cut: float, mask: Mask) -> FloatMap:
    """How sure the answer is on the mask's grid, with the mask's signs: merges included."""
    certainty = np.full(mask.shape, LOGIT_LIMIT, np.float32)
    if session.prediction is not None:
        logits = session.logits(size=(mask.shape[0], mask.shape[1])) - np.float32(cut)
        certainty = np.clip(np.abs(logits), _LEAST, LOGIT_LIMIT)
    return np.where(mask, certainty, -certainty)


def _low_res(session: Session, cut: float) -> FloatMap:
    """The answer as float32 256 x 256, positive where the mask is."""
    height, width = session.mask.shape
    rows, cols = _rows_and_cols(height, width)
    pixels = session.mask.astype(np.float32)
    covered = np.asarray(cv2.resize(pixels, (cols, rows), interpolation=cv2.INTER_AREA) > 0.5)
    square = np.full((LOW_RES, LOW_RES), -LOGIT_LIMIT, np.float32)
    square[:rows, :cols] = _signed(session, cut, covered)
    return square


def stability(session: Session, cut: float) -> float:
    """See `predict`; measured around the mask, 1 for a mask that was given, 0 for none."""
    box = bounding_box(session.mask)
    if box is None or session.prediction is None:
        return float(box is not None)
    height, width = session.mask.shape
    around = box.expanded(1.5, Box.whole(height, width))
    logits = session.logits(around, (LOW_RES, LOW_RES)) - np.float32(cut)
    certain, possible = int((logits > 1).sum()), int((logits > -1).sum())
    return certain / max(possible, 1)


def _digest(logits: FloatMap) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(logits).tobytes(), digest_size=16).digest()
