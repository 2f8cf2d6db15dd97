"""A spec survives its JSON; whatever else stands in a model file is refused with a sentence that names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vtmr.errors import CheckpointError, ConfigError
from vtmr.spec import RAW, ModelSpec, Normalisation, Run, ZoomSchedule, require_keys

NORMALISATION = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
RUN = Run("recipes/lite0-cpu.toml", "abc123", "2024-02-20T10:00:00", 9000, 144000, 10800.0, "imagenet")
SPEC = ModelSpec("lite0", NORMALISATION, zoom=ZoomSchedule(12), training_data=("duts", "ecssd"), lineage=(RUN,))


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(SPEC.to_json()), **values})


def test_a_spec_survives_its_json() -> None:
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC
    assert hash(ModelSpec.from_json(SPEC.to_json())) == hash(SPEC)  # tuples all the way down


def test_defaults_are_the_papers() -> None:
    """facts.md §A.4 (raw patches), §B (1.4, 1.4, radius 5, click 11), §L.2 (T = 20); threshold .5 by house rule."""
    spec = ModelSpec("m", NORMALISATION)
    assert (spec.input_size, spec.disc_radius, spec.threshold) == (256, 5.0, 0.5)
    assert (spec.target_ratio, spec.focus_ratio, spec.freeze_from_click) == (1.4, 1.4, 11)
    assert (spec.refine_normalisation, spec.zoom.rounds, spec.pipeline) == (RAW, 20, "vtmr")


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
        ({"pipeline": "ritm"}, "pipeline is 'ritm': expected one of vtmr, focalclick"),
    ],
)
def test_values_that_no_pipeline_could_use(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ModelSpec("m", NORMALISATION, **values)
    with pytest.raises(CheckpointError, match=says):
        ModelSpec.from_json(changed(**values))


def test_the_zoom_needs_two_rounds() -> None:
    with pytest.raises(ConfigError, match=r"zoom\.rounds is 1"):
        ZoomSchedule(1)


def test_a_file_of_another_format_says_so() -> None:
    with pytest.raises(CheckpointError, match="format 2; this version reads format 1"):
        ModelSpec.from_json(changed(format=2))


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", "null", "3", '"lite0"', changed(coarse_normalisation=3), changed(zoom=[1]), "{}"]
)
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="The model's spec"):
        ModelSpec.from_json(text)


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(CheckpointError, match=r"unknown key 'treshold'\. Did you mean 'threshold'"):
        ModelSpec.from_json(changed(treshold=0.5))


def test_a_missing_key_is_named() -> None:
    values = json.loads(SPEC.to_json())
    del values["model"]
    with pytest.raises(CheckpointError, match="lacks the key 'model'"):
        ModelSpec.from_json(json.dumps(values))


def test_require_keys_lists_what_it_knows_when_nothing_is_near() -> None:
    with pytest.raises(ConfigError, match=r"here has the unknown key 'qqq'. Known: rounds\."):
        require_keys({"qqq": 1}, ZoomSchedule, "here")
    require_keys({}, ZoomSchedule, "here")  # all its keys have defaults
