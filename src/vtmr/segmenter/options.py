"""How a model is to be used, as people write it: zoom, views, evaluation mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from vtmr.errors import ConfigError, InputError
from vtmr.spec import VIEWS, EvalMode, ModelSpec, Schedule, ViewPolicy, ZoomSchedule

CVPR_SIDE = 400  # of RITM's evaluator, where nothing else is asked for; DAVIS has 600


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is used; None leaves what the model's own spec says, or what the machine allows.

    threads: of ONNX Runtime or torch. device: of torch, for checkpoints; None is ONNX Runtime.
    zoom: see `zoom_schedule`. threshold: the probability that masks are cut at. input_size: the
    side of the grids that the network works on; smaller is faster and coarser. eval_mode: see
    `evaluation_mode`. views: see `view_policy`.
    """

    threads: int | None = None
    device: str | None = None
    zoom: str | None = None
    threshold: float | None = None
    input_size: int | None = None
    eval_mode: str | None = None
    views: str | None = None


AS_THE_MODEL_SAYS = ModelOptions()


def used_as(
    zoom: str | None,
    eval_mode: str | None = None,
    views: str | None = None,
    **values: float | str | None,
) -> Callable[[ModelSpec], ModelSpec]:
    """What makes a spec say that its network is used so; None leaves what it says.

    zoom, views: see `zoom_schedule` and `view_policy`. eval_mode: see `evaluation_mode`. values:
    the spec's of the same names, such as `recrop_share`. The function raises InputError for a zoom,
    a mode or views that can't be read or that the network has none of, ConfigError for a value that
    the spec doesn't allow.
    """
    given: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            given[name] = value
    if eval_mode is not None:
        given["eval_mode"], given["input_size"] = evaluation_mode(eval_mode)

    def changed(spec: ModelSpec) -> ModelSpec:
        require_modes(spec, eval_mode)
        how: dict[str, Any] = {
            "zoom": zoom_schedule(zoom, spec.zoom),
            "views": view_policy(views, spec.views),
        }
        return replace(spec, **how, **given)

    return changed


def mode_and_size(options: ModelOptions) -> dict[str, Any]:
    """What the options say of the input size and of the mode of RITM's evaluator, as `load_network`
    takes them."""
    if options.eval_mode is None:
        return {"input_size": options.input_size}
    if options.input_size is not None:
        raise InputError(
            f"The evaluation mode {options.eval_mode} and the input size {options.input_size} are "
            "both given: the mode has the size in it, for example cvpr600."
        )
    mode, size = evaluation_mode(options.eval_mode)
    return {"input_size": size, "eval_mode": mode}


def require_modes(spec: ModelSpec, eval_mode: str | None) -> None:
    """Raises InputError for an evaluation mode of a model that has none."""
    if eval_mode is not None and not spec.has_modes:
        raise InputError(
            f"The evaluation mode is {eval_mode}, but {spec.model} isn't played by RITM's or "
            "f-BRS's pipeline: leave it out."
        )


def mode_in_words(spec: ModelSpec) -> str:
    """As --eval-mode takes it, with the size; "" where the model's pipeline has no modes."""
    if not spec.has_modes:
        return ""
    return f"{spec.eval_mode}{spec.input_size}"


def zoom_schedule(text: str | None, own: ZoomSchedule) -> ZoomSchedule:
    """The schedule that `paper`, `eager`, `eager=WEIGHT` or `off` means, as people write it.

    A least shrink of the crop may follow, as in `eager=0.3@1.2`, and then the side of the zoomed
    grid, as in `eager=0.3@1.2:192`; without them there is none, and the side is the network's. own:
    the model's, whose rounds, guidance and kernel are kept; None as `text` is that one itself.
    Raises InputError for anything else.
    """
    if text is None:
        return own
    counted, colon, cells = text.partition(":")
    schedule, at, least = counted.partition("@")
    name, separator, number = schedule.partition("=")
    try:
        if name not in get_args(Schedule) or (separator and name != "eager"):
            raise ValueError(name)
        weight, shrink, side = None, 0.0, None
        if separator:
            weight = float(number)
        if at:
            shrink = float(least)
        if colon:
            side = int(cells)
        return replace(
            own, schedule=cast(Schedule, name), eager_weight=weight, min_shrink=shrink, side=side
        )
    except (ValueError, ConfigError) as error:
        raise InputError(
            f"The zoom {text!r} can't be read: expected paper, eager, off, or eager=WEIGHT with a "
            "weight above 0 and up to 1, for example eager=0.5, and perhaps @SHRINK, from which on "
            "it counts, as in eager=0.3@1.2, and :SIDE of its grid, a multiple of 32, as in "
            "eager=0.3:192."
        ) from error


def evaluation_mode(text: str) -> tuple[EvalMode, int]:
    """The mode of RITM's evaluator that `cvpr`, `cvprN` or `fixedN` means, and its size.

    The size is that of the target crop's longer side or of the square. Raises InputError for
    anything else.
    """
    # No side has more digits, and Python refuses to read thousands of them.
    found = re.fullmatch(r"(cvpr|fixed)([0-9]{0,5})", text)
    if found is None or text == "fixed":
        raise InputError(
            f"The evaluation mode {text!r} can't be read: expected cvpr (crops of {CVPR_SIDE} "
            "pixels), cvprN or fixedN, for example cvpr600 or fixed400."
        )
    return cast(EvalMode, found[1]), int(found[2] or CVPR_SIDE)


def view_policy(text: str | None, own: ViewPolicy) -> ViewPolicy:
    """The policy of that name, `wide` or `narrow`; None is the model's own.

    Raises InputError for anything else.
    """
    if text is None:
        return own
    if text not in VIEWS:
        raise InputError(f"The views {text!r} aren't known: expected {' or '.join(VIEWS)}.")
    return VIEWS[text]
