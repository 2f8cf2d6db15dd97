"""Plays the robot user against a predictor, through the same `Session` that the annotation app
uses: one object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vtmr.bench.cuts import is_cut
from vtmr.bench.initial_masks import made_wrong
from vtmr.bench.metrics import boundary_iou
from vtmr.bench.protocol import PART_CLICKS, Protocol
from vtmr.bench.records import ObjectKey, Record, name_of
from vtmr.bench.robot import click_stream, next_click
from vtmr.data import EvalSample
from vtmr.errors import DataError, InputError
from vtmr.geometry import Box
from vtmr.masks import Mask, component_in_box, counted, errors_between, iou
from vtmr.people import drawn_box, edge_click, jittered, part_click, random_click
from vtmr.session import Session
from vtmr.types import BoxPrompt, Click, Image, Prediction, Predictor


def play(
    sample: EvalSample, predictor: Predictor, protocol: Protocol, repeat: int = 0
) -> list[Record]:
    """One object from the first click to the last, in memory: one record per click.

    Args:
        sample: The object.
        predictor: What answers the clicks.
        protocol: The rules.
        repeat: Which of the object's runs, from 0; a random or perturbed robot clicks elsewhere in
            each.

    Raises:
        DataError: For an unusable sample.
        InputError: For a predictor whose mask has another size.
    """
    # The first click's wall time has the reading in it, as in the field's seconds per click.
    finished = time.perf_counter()
    image, gt_mask, ignore_mask, initial = load_arrays(sample, protocol, repeat)
    session = Session(predictor, image, initial_mask=initial, correction=protocol.correction)
    mask = np.zeros_like(gt_mask)
    if initial is not None:
        mask = initial
    prompts: list[Click | BoxPrompt] = []
    ious: list[float] = []
    records: list[Record] = []
    key = key_of(sample)
    click = _robot_click(protocol, (*key, repeat), mask, gt_mask, ignore_mask, prompts)
    if click is None:
        raise DataError(
            f"The initial mask of {name_of(key)} is right already: expected one to correct, or "
            "none."
        )
    while click is not None:
        clicked_error = _clicked_error(click, mask, gt_mask, ignore_mask)
        start = time.perf_counter()
        session = session.add(click)
        mask = session.mask  # painted when it is asked for: part of what a user waits for
        seconds = time.perf_counter() - start
        if mask.shape != gt_mask.shape:
            raise InputError(
                f"{predictor.name} answered with a mask of {mask.shape}: expected {gt_mask.shape}."
            )
        prompts.append(click)
        ious.append(iou(mask, gt_mask, ignore_mask))
        record = Record(
            *key,
            len(prompts),
            *_place(click),
            ious[-1],
            boundary_iou(mask, gt_mask, ignore_mask),
            seconds,
            last=False,
            repeat=repeat,
            cut=is_cut(mask, session.prediction),
            passes=_passes(session.prediction),
            remains=_remaining(clicked_error, mask, gt_mask),
        )
        click = None
        if not protocol.is_over(ious):
            click = _robot_click(protocol, (*key, repeat), mask, gt_mask, ignore_mask, prompts)
        begun, finished = finished, time.perf_counter()
        # Only now is it known whether the robot finds another click, and what that took.
        records.append(replace(record, wall_seconds=finished - begun, last=click is None))
    return records


def _place(prompt: Click | BoxPrompt) -> tuple[float, float, bool]:
    """x, y and sign as a record has them; of a box its middle."""
    if isinstance(prompt, Click):
        return prompt.x, prompt.y, prompt.positive
    return (prompt.x0 + prompt.x1) / 2, (prompt.y0 + prompt.y1) / 2, True


def events_of(
    run: Sequence[Record], gt_mask: Mask, ignore_mask: Mask | None, protocol: Protocol
) -> list[Click | BoxPrompt]:
    """What the robot of a run did, read from its records; a box is drawn as it was then."""
    # A record holds a box's middle alone; its random numbers are the same again.
    events: list[Click | BoxPrompt] = [Click(record.x, record.y, record.positive) for record in run]
    if protocol.robot_at(1) == "box":
        first = run[0]
        key = first.dataset, first.source, first.image, first.object, first.repeat
        events[0] = _box(protocol, key, gt_mask, ignore_mask)
    return events


def _box(
    protocol: Protocol, key: tuple[str | int, ...], gt_mask: Mask, ignore_mask: Mask | None
) -> BoxPrompt:
    """The box that the protocol's user begins with. key: of the object's run."""
    stream = click_stream(protocol.seed, *key, 1)
    return drawn_box(gt_mask, ignore_mask, protocol.box_margin, protocol.box_jitter, stream)


def _passes(prediction: Prediction | None) -> int | None:
    """Coarse passes that an answer took, where it says so."""
    return getattr(prediction, "passes", None)


def _clicked_error(
    prompt: Click | BoxPrompt, mask: Mask, gt_mask: Mask, ignore_mask: Mask | None
) -> tuple[Box, Mask] | None:
    """The 8-connected error that a click is made on, of the click's own sign: its box and, in it,
    its pixels. None for a click on no such error, and for a box."""
    if not isinstance(prompt, Click):
        return None
    missed, wrong = errors_between(mask, gt_mask, ignore_mask)
    errors = wrong
    if prompt.positive:
        errors = missed
    if not errors[prompt.pixel]:
        return None
    return component_in_box(errors, *prompt.pixel)


def _remaining(error: tuple[Box, Mask] | None, mask: Mask, gt_mask: Mask) -> float | None:
    """The share of an error's pixels that are wrong in a later mask."""
    if error is None:
        return None
    box, pixels = error
    still_wrong = pixels & (mask[box.slices] != gt_mask[box.slices])
    return float(np.count_nonzero(still_wrong) / np.count_nonzero(pixels))


def key_of(sample: EvalSample) -> ObjectKey:
    """What names the sample in records."""
    return sample.dataset, sample.source, sample.image_id, sample.object_id


def _robot_click(
    protocol: Protocol,
    key: tuple[str | int, ...],
    mask: Mask,
    gt_mask: Mask,
    ignore_mask: Mask | None,
    prompts: Sequence[Click | BoxPrompt],
) -> Click | BoxPrompt | None:
    """The next click of the protocol's robot; None when no unclicked error pixel is left.

    prompts: those so far; mask: what they made.
    """
    number = len(prompts) + 1
    robot = protocol.robot_at(number)
    if robot == "box":
        return _box(protocol, key, gt_mask, ignore_mask)
    clicked = [prompt for prompt in prompts if isinstance(prompt, Click)]
    stream = click_stream(protocol.seed, *key, number)
    if robot == "parts" and 1 < number <= PART_CLICKS:
        return part_click(gt_mask, ignore_mask, clicked, stream)
    if robot == "edge" and number == 1:
        return edge_click(gt_mask, ignore_mask, stream)
    if robot in ("deterministic", "parts", "edge"):
        return next_click(mask, gt_mask, ignore_mask, clicked)
    if robot == "random":
        return random_click(mask, gt_mask, ignore_mask, clicked, stream)
    aim = next_click(mask, gt_mask, ignore_mask, clicked)
    return aim and jittered(aim, gt_mask, ignore_mask, protocol.jitter_px, stream)


def load_arrays(
    sample: EvalSample, protocol: Protocol, repeat: int
) -> tuple[Image, Mask, Mask | None, Mask | None]:
    """Image, object, ignored pixels and mask to begin with.

    Raises DataError when they don't fit together or hold nothing to click.
    """
    image, gt_mask, ignore_mask = sample.load()
    initial: Mask | None = None
    if sample.initial is not None and protocol.initial_mask == "given":
        initial = sample.initial()
    name = name_of(key_of(sample))
    for what, mask in (("mask", gt_mask), ("ignore mask", ignore_mask), ("initial mask", initial)):
        if mask is not None and mask.shape != image.shape[:2]:
            raise DataError(
                f"The {what} of {name} is {mask.shape}, its image {image.shape[:2]}: expected one "
                "size."
            )
    if not counted(gt_mask, ignore_mask).any():
        raise DataError(
            f"The object {name} has no pixel that counts: expected a mask with some; mend or leave "
            "it out."
        )
    if protocol.initial_mask in ("perturbed", "superpixels"):
        # Clicks count from 1, so the stream of number 0 is no click's.
        stream = click_stream(protocol.seed, *key_of(sample), repeat, 0)
        initial = made_wrong(image, gt_mask, ignore_mask, protocol, stream)
    return image, gt_mask, ignore_mask, initial
