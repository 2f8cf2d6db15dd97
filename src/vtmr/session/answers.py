"""What a predictor's answer says beyond its mask: logits at the pixels, for those that ask."""

from __future__ import annotations

import cv2
import numpy as np

from vtmr.errors import InputError
from vtmr.geometry import Frame
from vtmr.segmenter.logits import LOGIT_LIMIT
from vtmr.types import FloatMap, Prediction


def logits_of(prediction: Prediction, frame: Frame, name: str) -> FloatMap:
    """The answer's logits at the centres of the frame's grid cells: float32 height x width.

    A layered answer is asked for them, -inf where it says nothing; of one that tells its
    probability they are worked out, no further from 0 than LOGIT_LIMIT. name: the predictor's.
    Raises InputError for an answer that is a mask and no more.
    """
    logits_on = getattr(prediction, "logits_on", None)
    if logits_on is not None:
        return np.asarray(logits_on(frame), np.float32)
    probability = getattr(prediction, "probability", None)
    if probability is None:
        raise InputError(
            f"{name} answers with a mask alone, without logits or a probability: use the mask, or "
            "a model in vtmr's own pipeline."
        )
    certain = np.float32(1e-7)  # so that neither end has an infinite logit
    crop = np.clip(probability()[frame.box.slices], certain, 1 - certain)
    logits = np.clip(np.log(crop / (1 - crop)), -LOGIT_LIMIT, LOGIT_LIMIT)
    if logits.shape == (frame.height, frame.width):
        return np.asarray(logits, np.float32)
    resized = cv2.resize(logits, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
