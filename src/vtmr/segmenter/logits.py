"""Between logits and probabilities."""

from __future__ import annotations

import math

import numpy as np

from vtmr.types import FloatMap

# For both sides of a mixture of logits: where no layer is, the answer is minus infinity.
LOGIT_LIMIT = np.float32(20)  # a sigmoid of it is 1 to float32


def sigmoid(logits: FloatMap) -> FloatMap:
    """1 / (1 + exp(-x)), without overflow at either end."""
    half = np.float32(0.5)
    return np.asarray(np.tanh(logits * half) * half + half, np.float32)


def logit_of(probability: float) -> float:
    """The logit of a probability between 0 and 1."""
    return math.log(probability / (1 - probability))
