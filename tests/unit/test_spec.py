"""A spec survives its JSON; whatever else stands in a model file is refused with a sentence that
names it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from vtmr.errors import CheckpointError, ConfigError
from vtmr.spec import (
    NARROW,
    RAW,
    VIEWS,
    WIDE,
    ModelSpec,
    Normalisation,
    Run,
    ViewPolicy,
    ZoomKernel,
    ZoomSchedule,
)
from vtmr.values import require_keys

NORMALISATION = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
RUN = Run(
    "recipes/lite0-cpu.toml", "abc123", "2024-02-20T10:00:00", 9000, 144000, 10800.0, "imagenet"
)
SPEC = ModelSpec(
    "lite0", NORMALISATION, zoom=ZoomSchedule(12), training_data=("duts", "ecssd"), lineage=(RUN,)
)


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(SPEC.to_json()), **values})


def test_a_spec_survives_its_json() -> None:
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC
    assert hash(ModelSpec.from_json(SPEC.to_json())) == hash(SPEC)  # tuples all the way down


def test_defaults_are_the_papers() -> None:
    """docs/method.md §A.4 (raw patches), §B (1.4, 1.4, radius 5, click 11), §L.2 (T = 20);
    threshold .5 by house rule."""
    spec = ModelSpec("m", NORMALISATION)
    assert (spec.input_size, spec.disc_radius, spec.threshold) == (256, 5.0, 0.5)
    assert (spec.target_ratio, spec.focus_ratio, spec.freeze_from_click) == (1.4, 1.4, 11)
    assert (spec.refine_normalisation, spec.zoom.rounds, spec.pipeline) == (RAW, 20, "vtmr")
    assert spec.recrop_share == 0  # docs/decisions/0011: ours alone
    assert (spec.focus_rule, spec.eval_mode) == ("click", "fixed")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"input_size": 250}, "input_size is 250"),
        ({"input_size": 0}, "input_size is 0"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"disc_radius": 0.0}, "disc_radius"),
        ({"target_ratio": 0.9}, "target_ratio"),
        ({"focus_ratio": 0.9}, "focus_ratio"),
        ({"pipeline": "sam"}, "pipeline is 'sam': expected one of vtmr, focalclick, ritm"),
        ({"refine_disc_radius": 0.0}, "refine_disc_radius"),
        ({"recrop_share": 1.5}, r"recrop_share is 1\.5"),
        ({"focus_rule": "all"}, "focus_rule is 'all': expected one of click, largest"),
        ({"refined_by": "both"}, "refined_by is 'both': expected one of refiner, coarse"),
        (
            {"refined_by": "coarse", "pipeline": "focalclick"},
            "refined_by is 'coarse', but the pipeline is 'focalclick'",
        ),
        ({"eval_mode": "cvpr"}, "eval_mode is 'cvpr', but the pipeline is 'vtmr'"),
        (
            {"eval_mode": "iccv", "pipeline": "ritm"},
            "eval_mode is 'iccv': expected one of fixed, cvpr",
        ),
        ({"input_size": 20, "pipeline": "ritm"}, "input_size is 20: expected a whole number"),
    ],
)
def test_values_that_no_pipeline_could_use(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ModelSpec("m", NORMALISATION, **values)
    with pytest.raises(CheckpointError, match=says):
        ModelSpec.from_json(changed(**values))


def test_ritms_sizes_are_those_of_its_evaluator() -> None:
    """400, and 600 for DAVIS, are no multiples of 32 [docs/method.md §D.8]."""
    for mode, size in (("cvpr", 400), ("cvpr", 600), ("fixed", 401)):
        spec = ModelSpec("m", NORMALISATION, pipeline="ritm", eval_mode=mode, input_size=size)
        assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"rounds": 1}, r"zoom\.rounds is 1"),
        ({"schedule": "late"}, r"zoom\.schedule is 'late': expected one of paper, eager, off"),
        ({"guidance": "edges"}, r"zoom\.guidance is 'edges': expected one of both, mask, clicks"),
        ({"eager_weight": 0.0}, r"zoom\.eager_weight is 0\.0"),
        ({"eager_weight": 1.5}, r"zoom\.eager_weight is 1\.5"),
        ({"min_shrink": -0.5}, r"zoom\.min_shrink is -0\.5"),
        ({"side": 200}, r"zoom\.side is 200: expected a multiple of 32, from 32 to 2048, or none"),
        ({"side": 0}, r"zoom\.side is 0"),
    ],
)
def test_zooms_that_mean_nothing(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ZoomSchedule(**values)
    with pytest.raises(CheckpointError, match=says):
        ModelSpec.from_json(changed(zoom=values))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"touch_share": 1.5}, r"views\.touch_share is 1\.5: expected a share"),
        ({"touch_share": -0.1}, r"views\.touch_share is -0\.1"),
        ({"widening": 1.0}, r"views\.widening is 1\.0: expected more than 1"),
        ({"most_wider": 0}, r"views\.most_wider is 0: expected 1 to 8"),
        ({"most_wider": 9}, r"views\.most_wider is 9"),
        ({"easing": 0.6}, r"views\.easing is 0\.6"),
    ],
)
def test_views_that_no_click_could_be_answered_in(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ViewPolicy(**values)
    with pytest.raises(CheckpointError, match=says):
        ModelSpec.from_json(changed(views=values))


def test_files_from_before_the_view_policy_never_look_further() -> None:
    """docs/decisions/0016: as they did when they were written."""
    values = json.loads(SPEC.to_json())
    del values["views"], values["zoom"]["min_shrink"], values["zoom"]["side"]
    spec = ModelSpec.from_json(json.dumps(values))
    assert spec.views == NARROW == ViewPolicy(touch_share=1.0, easing=0.0)
    assert (spec.zoom.min_shrink, spec.zoom.side) == (0, None)
    wide = ModelSpec("lite0", NORMALISATION, views=WIDE)
    assert ModelSpec.from_json(wide.to_json()) == wide
    assert [str(policy) for policy in VIEWS.values()] == list(VIEWS)
    assert str(ViewPolicy(touch_share=0.25)) == "touch 0.25, easing 0"


def test_the_zoomed_pass_counts_where_the_crop_is_shrunk() -> None:
    zoom = ZoomSchedule(schedule="eager", eager_weight=0.3, min_shrink=1.2)
    assert [zoom.weight(2, shrink) for shrink in (1.0, 1.2, 1.3)] == [0.0, 0.0, 0.3]
    assert ZoomSchedule(schedule="off", min_shrink=1.2).weight(20, 5.0) == 0
    assert str(zoom) == "eager=0.3@1.2"
    assert str(replace(zoom, min_shrink=0.0, side=192)) == "eager=0.3:192"


def test_the_papers_weights() -> None:
    """docs/method.md §K.9: 0 for clicks 1 to 9, then .5, .55 … 1; §L.2: 1 from there on. §I.1: t =
    10 counts already."""
    zoom = ZoomSchedule()
    assert [zoom.weight(t) for t in range(1, 10)] == [0.0] * 9
    assert [zoom.weight(t) for t in range(10, 21)] == pytest.approx(np.arange(0.5, 1.01, 0.05))
    assert [zoom.weight(t) for t in (21, 40)] == [1.0, 1.0]
    # T/2 = 2.5.
    assert [ZoomSchedule(5).weight(t) for t in range(1, 7)] == pytest.approx([0, 0, 0.6, 0.8, 1, 1])


def test_other_schedules_weights() -> None:
    clicks = (1, 2, 10, 20, 40)
    assert [ZoomSchedule(schedule="off").weight(t) for t in clicks] == [0.0] * 5
    assert [ZoomSchedule(schedule="eager").weight(t) for t in clicks] == [0.0, 0.1, 0.5, 1.0, 1.0]
    assert [ZoomSchedule(schedule="eager", eager_weight=0.4).weight(t) for t in clicks] == [
        0.0,
        0.4,
        0.4,
        0.4,
        0.4,
    ]


def test_files_from_before_the_zoom_take_the_defaults() -> None:
    assert ModelSpec.from_json(changed(zoom={"rounds": 12})).zoom == ZoomSchedule(12)
    kernel = ModelSpec.from_json(
        changed(zoom={"rounds": 20, "kernel": {"floor": 0.25}})
    ).zoom.kernel
    assert kernel == ZoomKernel(floor=0.25)


@pytest.mark.parametrize(
    "zoom", [{"round": 3}, {"kernel": {"sigma": 11}}, {"kernel": 3}, {"rounds": "many"}, [1]]
)
def test_foreign_zooms_are_refused(zoom: Any) -> None:
    with pytest.raises(CheckpointError, match="The model's spec"):
        ModelSpec.from_json(changed(zoom=zoom))


def test_a_file_of_another_format_says_so() -> None:
    with pytest.raises(CheckpointError, match="format 2; this version reads format 1"):
        ModelSpec.from_json(changed(format=2))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "null",
        "3",
        '"lite0"',
        changed(coarse_normalisation=3),
        changed(zoom=[1]),
        "{}",
    ],
)
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="The model's spec"):
        ModelSpec.from_json(text)


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(CheckpointError, match=r"unknown key 'treshold'\. Did you mean 'threshold'"):
        ModelSpec.from_json(changed(treshold=0.5))


def test_a_field_by_the_name_it_had_before_is_read_and_told() -> None:
    """As lite0.onnx has it, whose bytes are those of its release."""
    values = json.loads(SPEC.to_json())
    values["second_look"] = values.pop("recrop_share") + 0.25
    told: list[str] = []
    spec = ModelSpec.from_json(json.dumps(values), told)
    assert spec.recrop_share == SPEC.recrop_share + 0.25
    assert told == [
        "the model's spec.second_look is the model's spec.recrop_share now: "
        "the old name is still read."
    ]
    assert ModelSpec.from_json(spec.to_json(), told) == spec and len(told) == 1


def test_a_missing_key_is_named() -> None:
    values = json.loads(SPEC.to_json())
    del values["model"]
    with pytest.raises(CheckpointError, match="lacks the key 'model'"):
        ModelSpec.from_json(json.dumps(values))


def test_require_keys_lists_what_it_knows_when_nothing_is_near() -> None:
    known = ", ".join(field.name for field in fields(ZoomKernel))
    with pytest.raises(ConfigError, match=rf"here has the unknown key 'qqq'. Known: {known}\."):
        require_keys({"qqq": 1}, ZoomKernel, "here")
    require_keys({}, ZoomKernel, "here")  # all its keys have defaults
