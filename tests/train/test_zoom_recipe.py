"""What a run takes over from the zoom in its recipe. Expected values: written out here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from shapes import RECIPE

from vtmr.errors import ConfigError
from vtmr.spec import ModelSpec, Normalisation, ZoomKernel, ZoomSchedule
from vtmr.train.checkpoint import as_comparable, comparable
from vtmr.train.loop import with_zoom
from vtmr.train.recipe import load_recipe


def test_a_state_from_before_the_field_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    recipe = load_recipe(tmp_path / "tiny.toml")
    saved = comparable(recipe)
    del saved["augment"]["zoom_share"], saved["augment"]["zoom_kernel"]
    assert as_comparable(json.loads(json.dumps(saved))) == comparable(recipe)
    zoomed = load_recipe(tmp_path / "tiny.toml", ["augment.zoom_share=0.5"])
    assert as_comparable(saved) != comparable(zoomed)


def test_the_trained_zoom_is_the_one_of_inference(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    spec = ModelSpec("m", Normalisation((0, 0, 0), (1, 1, 1)), zoom=ZoomSchedule(12))
    kernel = "augment.zoom_kernel={grid=48, fwhm=10.0, floor=0.1}"
    untrained = with_zoom(spec, load_recipe(tmp_path / "tiny.toml", [kernel]))
    assert untrained == replace(spec, zoom=ZoomSchedule(12, schedule="off"))
    zoomed = with_zoom(
        spec, load_recipe(tmp_path / "tiny.toml", [kernel, "augment.zoom_share=0.5"])
    )
    assert zoomed.zoom == ZoomSchedule(12, kernel=ZoomKernel(48, 10.0, 0.1))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("augment.zoom_share=1.5", "augment.zoom_share is 1.5: expected 0 to 1"),
        ("augment.zoom_kernel.fwhm=0.5", r"zoom\.kernel\.fwhm is 0.5"),
        ("augment.zoom_kernel.sigma=11", "unknown key 'sigma'"),
    ],
)
def test_zooms_that_cannot_be_trained(tmp_path: Path, override: str, says: str) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    with pytest.raises(ConfigError, match=says):
        load_recipe(tmp_path / "tiny.toml", [override])


def test_training_with_zoom_turns_on_a_schedule_that_was_off_for_want_of_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    spec = ModelSpec("m", Normalisation((0, 0, 0), (1, 1, 1)), zoom=ZoomSchedule(schedule="off"))
    assert with_zoom(spec, load_recipe(tmp_path / "tiny.toml")).zoom.schedule == "off"
    assert (
        with_zoom(
            spec, load_recipe(tmp_path / "tiny.toml", ["augment.zoom_share=0.5"])
        ).zoom.schedule
        == "paper"
    )


def test_a_network_that_saw_no_zoom_is_never_zoomed(tmp_path: Path) -> None:
    """Table 4's rows without zooming: at no click, whatever the schedule of the weights before."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    for schedule in (ZoomSchedule(), ZoomSchedule(schedule="eager", eager_weight=0.5)):
        spec = ModelSpec("m", Normalisation((0, 0, 0), (1, 1, 1)), zoom=schedule)
        zoom = with_zoom(spec, load_recipe(tmp_path / "tiny.toml")).zoom
        assert zoom == ZoomSchedule(schedule="off")
        assert [zoom.weight(click) for click in range(1, 21)] == [0.0] * 20
