"""Recipes: what is read, what is refused and how the refusal reads."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from shapes import RECIPE

from vtmr.errors import ConfigError, VtmrWarning
from vtmr.spec import ZoomKernel
from vtmr.train.recipe import Recipe, SourceWeight, load_recipe, parse_override


def load(tmp_path: Path, text: str = RECIPE, overrides: tuple[str, ...] = ()) -> Recipe:
    path = tmp_path / "r.toml"
    path.write_text(text)
    return load_recipe(path, overrides)


def test_values_and_defaults(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert (recipe.name, recipe.steps, recipe.batch, recipe.refiner_samples) == ("tiny", 4, 2, 2)
    assert recipe.data.sources[0].reader == "duts"
    assert recipe.data.sources[0].weight == 1
    assert recipe.augment.scale == (0.75, 1.40)  # docs/method.md §C.3
    assert recipe.optimiser.encoder_batch_norm == "eval"


LEAVES = {ZoomKernel, SourceWeight}  # tables that are explained as a whole


def keys_of(table: type, prefix: str = "") -> set[str]:
    """All keys of a recipe's table, with those of the tables in it."""
    found = set()
    for name, hint in get_type_hints(table).items():
        inner = {kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)} - LEAVES
        if not inner:
            found.add(prefix + name)
        for kind in inner:
            found |= keys_of(kind, f"{name}.")
    return found


def test_the_documentation_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    named = set(re.findall(r"`([a-z_.]+)`", text))
    missing = {key for key in keys_of(Recipe) if not {key, key.split(".")[-1]} & named}
    assert not missing
    assert {one.name for one in fields(SourceWeight)} <= named
    assert {key for key in keys_of(Recipe) if key.startswith(("clicks.", "optimiser."))} <= named


def test_overrides(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        overrides=(
            "optimiser.lr=5e-4",
            "steps=9",
            "name=other name",
            "augment.scale=[0.5, 2]",
            'clicks.init_clicks="single"',
            "optimiser.frozen=['encoder.stem']",
            "steps = 10",
        ),
    )
    assert recipe.optimiser.lr == 5e-4
    assert recipe.steps == 10  # the last one counts
    assert recipe.name == "other name"
    assert recipe.augment.scale == (0.5, 2)
    assert recipe.clicks.init_clicks == "single"
    assert recipe.optimiser.frozen == ("encoder.stem",)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("step=3", r"recipe has the unknown key 'step'\. Did you mean 'steps'\?"),
        ("optimiser.learning_rate=3", r"recipe\.optimiser has the unknown key 'learning_rate'"),
        ("optimizer.lr=3", r"unknown key 'optimizer'\. Did you mean 'optimiser'\?"),
        ("data.min_object_pix=3", "Did you mean 'min_object_px'"),
        ("steps.x=3", "'steps' is not a table"),
        ("steps", r"--set 'steps': expected key=value"),
        ("=3", r"--set '=3': expected key=value"),
        ("steps=0", r"steps is 0: expected at least 1"),
        ("steps=2.5", r"recipe\.steps is 2\.5: expected a whole number"),
        ("steps=true", r"recipe\.steps is True: expected a whole number"),
        ("batch=many", r"recipe\.batch is 'many': expected a whole number"),
        ("batch=-1", "batch is -1"),
        ("threads=0", "threads is 0"),
        ("seed=-1", "seed is -1"),
        ("refiner_share=1.5", "refiner_share is 1.5"),
        (
            "input_size=100",
            r"input_size is 100: expected 0 \(the network's own\) or a multiple of 64 up to 1024",
        ),
        ("input_size=2048", "input_size is 2048"),
        ("input_size=-64", "input_size is -64"),
        (
            "iterative_clicks_engine=numpy",
            "iterative_clicks_engine is 'numpy': expected one of torch, onnxruntime, auto",
        ),
        ("no_grad_precision=float16", "no_grad_precision is 'float16'.*float32, bfloat16"),
        ("optimiser=3", r"recipe\.optimiser is 3: expected a table"),
        ("optimiser.lr=0", "optimiser.lr is 0"),
        ("optimiser.lr=nan", "optimiser.lr is nan"),
        ("optimiser.lr=inf", "optimiser.lr is inf"),
        ("optimiser.ema=1", "optimiser.ema is 1"),
        ("optimiser.clip_norm=-1", "optimiser.clip_norm is -1"),
        ("optimiser.warmup_steps=-5", "optimiser.warmup_steps is -5"),
        ("optimiser.encoder_batch_norm=off", "encoder_batch_norm is 'off'"),
        ("optimiser.frozen=[1]", r"optimiser\.frozen\[0\] is 1: expected a text"),
        ("data.sources=3", r"recipe\.data\.sources is 3: expected an array"),
        ("data.sources=[]", "no positive weight"),
        ("data.sources=[{reader='duts', path='a', weight=0}]", "no positive weight"),
        ("data.sources=[{reader='duts', path='a', weight=-1}]", "source 'a' has weight -1"),
        ("data.sources=[{reader='dust', path='a', weight=1}]", "reader 'dust' is unknown.*duts"),
        (
            "data.sources=[{reader='duts', path='a'}]",
            r"recipe\.data\.sources\[0\] lacks the key 'weight'",
        ),
        ("data.sources=[{reader='duts', path='a', weight=1}]", None),
        ("data.paste_weight=-1", "data.paste_weight is -1"),
        ("data.min_object_px=0", "data.min_object_px is 0"),
        ("data.workers=-1", "data.workers is -1"),
        ("augment.flip=2", "augment.flip is 2"),
        ("augment.scale=[1]", r"recipe\.augment\.scale has 1 values: expected 2"),
        (
            "augment.scale=[2, 1]",
            r"augment\.scale is \(2\.0, 1\.0\): expected 0\.1 <= low <= high <= 10",
        ),
        ("augment.scale=[1e-9, 1e-9]", r"augment\.scale is \(1e-09, 1e-09\): expected 0\.1 <= low"),
        (
            "augment.object_ratio=[0.5, 2]",
            r"augment\.object_ratio is \(0\.5, 2\.0\): expected 1 <= low",
        ),
        (
            "augment.whole_share=inf",
            r"recipe\.augment\.whole_share is inf: expected a finite number",
        ),
        ("threads=100000", "threads is 100000: expected 1 to 64"),
        (
            "seed=99999999999999999999999",
            r"recipe\.seed is a number of more than 18 digits: expected a whole number",
        ),
        ("checkpoint_minutes=nan", r"recipe\.checkpoint_minutes is nan: expected a finite number"),
        (
            "checkpoint_minutes=-1",
            r"checkpoint_minutes is -1\.0: expected 0 \(after every step\) or more",
        ),
        ("validate_minutes=-5", r"validate_minutes is -5\.0: expected 0 \(never\) or more"),
        ('name=""', "name is empty: expected one"),
        ('optimiser.frozen=[""]', "optimiser.frozen has an empty name"),
        (
            "augment.object_ratio=['a', 2]",
            r"augment\.object_ratio\[0\] is 'a': expected a finite number",
        ),
        ("augment={whole_share=0, scaled_share=0, object_share=0}", "not all 0"),
        ("clicks.init_clicks=double", "clicks.init_clicks is 'double'.*mixed"),
        ("clicks.max_further=-1", "clicks.max_further is -1"),
        ("clicks.centred=1", r"recipe\.clicks\.centred is 1: expected true or false"),
        ("clicks.first_share=1.5", "clicks.first_share is 1.5: expected 0 to 1"),
        ("clicks.first_share=-0.5", "clicks.first_share is -0.5"),
        ("clicks.deepest_share=2", "clicks.deepest_share is 2.0: expected 0 to 1"),
        ("clicks.deepest_share=-0.1", "clicks.deepest_share is -0.1"),
        ("clicks.rollout_share=1.1", "clicks.rollout_share is 1.1: expected 0 to 1"),
        ("clicks.casual_share=0.5", "casual_share is 0.5, but it is a share of the rollouts"),
        ("clicks.box_share=0.1", "box_share is 0.1, but it is a share of the rollouts"),
        ("clicks.focus_share=0.2", "focus_share is 0.2, but it is a share of the rollouts"),
        ("data.stuff_share=1.1", "data.stuff_share is 1.1: expected 0 to 1"),
        ("data.merge_share=-0.1", "data.merge_share is -0.1: expected 0 to 1"),
        (
            "data.sources=[{reader='duts', path='a', weight=1, rim_px=-1}]",
            "'a' has rim_px -1: expected 0 to 10 pixels",
        ),
        ("data.sources=[{reader='duts', path='a', weight=1, rim_px=11}]", "'a' has rim_px 11"),
        (
            "data.sources=[{reader='duts', path='a', weight=1, index='i'}]",
            "'a' has index 'i', which only .* cocolvis",
        ),
        (
            "optimiser.drops=[20, 10]",
            r"optimiser\.drops is \[20, 10\]: expected numbers of steps above 0",
        ),
        ("optimiser.drops=[10, 10]", r"optimiser\.drops is \[10, 10\]"),
        ("optimiser.drops=[0]", r"optimiser\.drops is \[0\]"),
        (
            "optimiser.drops=[1.5]",
            r"recipe\.optimiser\.drops\[0\] is 1\.5: expected a whole number",
        ),
        ("losses.refined=plain", "losses.refined is 'plain': expected one of focal, boundary"),
        (
            "maskmatch={loss='supervised', two_sided=true}",
            'maskmatch.loss is "supervised", which average and two_sided',
        ),
        ("maskmatch={loss='supervised', average='selected'}", "contradict: leave them out"),
        (
            "data.stuff_share=0.1",
            r"data\.stuff_share is 0\.1, but only sources of cocolvis have any",
        ),
        (
            "data.merge_share=0.1",
            r"data\.merge_share is 0\.1, but only sources of coco, cocolvis, inst have any",
        ),
        (
            "compute.precision=half",
            "compute.precision is 'half': expected one of float32, bfloat16, float16",
        ),
        (
            "compute.accelerator=tpu",
            "compute.accelerator is 'tpu': expected one of auto, cpu, cuda",
        ),
        ("compute.devices=0", "compute.devices is 0: expected at least 1"),
        ("compute.nodes=-1", "compute.nodes is -1"),
        ("compute.sync_batch_norm=true", None),
        (
            "compute.accumulate=3",
            r"batch is 2 and compute\.accumulate 3: the batch must divide evenly",
        ),
        ("losses.edge=bce", "losses.edge is 'bce': expected one of focal, cross_entropy"),
    ],
)
def test_overrides_are_checked(tmp_path: Path, override: str, message: str | None) -> None:
    if message is None:
        load(tmp_path, overrides=(override,))
        return
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, overrides=(override,))


def test_statistics_over_all_processes_need_the_same_passes_in_each(tmp_path: Path) -> None:
    """docs/decisions/0005: the second interaction is led where it counts only."""
    with pytest.raises(
        ConfigError, match=r"compute\.sync_batch_norm and maskmatch exclude each other"
    ):
        load(tmp_path, overrides=("compute.sync_batch_norm=true", "maskmatch={}"))


@pytest.mark.parametrize("other", ["maskmatch={}", "augment.zoom_share=0.5"])
def test_played_samples_are_neither_matched_nor_zoomed(tmp_path: Path, other: str) -> None:
    with pytest.raises(
        ConfigError, match=r"clicks\.rollout_share excludes maskmatch, .* and augment\.zoom_share"
    ):
        load(tmp_path, overrides=("clicks.rollout_share=0.5", other))


def test_pasting_needs_cut_outs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no source has cut_outs"):
        load(tmp_path, RECIPE.replace("cut_outs = true", ""), ("data.paste_weight=0.5",))


def test_unknown_and_missing_keys_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"recipe\.optimiser has the unknown key 'warm_up_steps'.*'warmup_steps'"
    ):
        load(tmp_path, RECIPE.replace("warmup_steps", "warm_up_steps"))
    with pytest.raises(ConfigError, match="recipe lacks the key 'steps'"):
        load(tmp_path, RECIPE.replace("steps = 4\n", "", 1))
    with pytest.raises(ConfigError, match="recipe lacks the key 'name'"):
        load(tmp_path, "")


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml can't be read: No such file"):
        load_recipe(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load_recipe(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"steps = [")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        load_recipe(tmp_path / "bad.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bad\.toml is not valid TOML"):
        load_recipe(tmp_path / "bad.toml")


def test_the_share_of_refined_samples(tmp_path: Path) -> None:
    found = [
        load(tmp_path, overrides=("batch=16", f"refiner_share={share}")).refiner_samples
        for share in (0.0, 0.3, 0.5, 1.0)
    ]
    assert found == [0, 5, 8, 16]
    few = load(tmp_path, overrides=("batch=2", "refiner_share=0.25"))
    assert few.refiner_samples == 1  # not none


def test_the_keys_of_earlier_versions_are_read_with_a_note(tmp_path: Path) -> None:
    old = RECIPE.replace("max_further = 1", "max_steps = 5\nplayed_share = 0.25")
    with pytest.warns(VtmrWarning) as told:
        recipe = load(tmp_path, f"chain_engine = 'auto'\n{old}")
    assert [str(note.message).partition(":")[0] for note in told] == [
        "recipe.chain_engine is recipe.iterative_clicks_engine now",
        "recipe.clicks.max_steps is recipe.clicks.max_further now",
        "recipe.clicks.played_share is recipe.clicks.rollout_share now",
    ]
    assert recipe.iterative_clicks_engine == "auto"
    assert (recipe.clicks.max_further, recipe.clicks.rollout_share) == (5, 0.25)


def test_an_override_by_an_old_name_changes_the_key_of_the_new_one(tmp_path: Path) -> None:
    with pytest.warns(VtmrWarning, match=r"clicks\.max_steps is recipe\.clicks\.max_further now"):
        recipe = load(tmp_path, overrides=("clicks.max_steps=2",))
    assert recipe.clicks.max_further == 2


def test_a_key_by_both_of_its_names_is_refused(tmp_path: Path) -> None:
    text = RECIPE.replace("max_further = 1", "max_steps = 5\nmax_further = 5")
    with pytest.raises(ConfigError, match=r"clicks has 'max_further' and its old name 'max_steps'"):
        load(tmp_path, text)


def test_overrides_are_toml_or_bare_words() -> None:
    assert parse_override("a.b=1e-3") == (["a", "b"], 1e-3)
    assert parse_override("a=x=y") == (["a"], "x=y")
    assert parse_override("a='3'") == (["a"], "3")
    assert parse_override("a=") == (["a"], "")


@pytest.mark.parametrize("text", ["steps = " + "9" * 5000, "steps = " + "[" * 5000])
def test_toml_beyond_all_reading_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "endless.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"endless\.toml"):
        load_recipe(path)
