"""The recipes of the repository: their headers, the papers' values (docs/method.md §C.2, §C.8), two
steps of each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import official
import pytest
import torch
from shapes import write_cocolvis, write_pairs, write_recipe
from torch.nn import functional as F

from vtmr.models import build
from vtmr.models.network import InteractiveNetwork
from vtmr.spec import ZoomKernel
from vtmr.train import loop
from vtmr.train.batches import batches
from vtmr.train.checkpoint import as_comparable, comparable
from vtmr.train.losses import boundary_focal_loss, normalised_focal_loss
from vtmr.train.optimiser import learning_rate
from vtmr.train.recipe import ComputeRecipe, LossRecipe, MaskMatchRecipe, load_recipe
from vtmr.train.stages import read_stages
from vtmr.train.step import TrainingStep

ROOT = Path(__file__).parents[2]
STAGES = sorted((ROOT / "recipes" / "lite0").glob("*.toml"))
RECIPES = [*sorted((ROOT / "recipes").glob("*.toml")), *STAGES]
PAPERS = ["focalclick-b0", "focalclick-b3", "ritm-hrnet18s", "vtmr-b0", "vtmr-b3"]
FAST = ("lite0-cpu",)  # two steps of the others are for `make test`
LARGE = ("focalclick-b3", "vtmr-b3")  # of the same parts as b0


def path_of(name: str) -> Path:
    return ROOT / "recipes" / f"{name}.toml"


def test_all_of_them_are_here() -> None:
    assert {path.stem for path in RECIPES} >= {*PAPERS, "lite0-cpu"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_headers_say_what_a_reader_must_know(path: Path) -> None:
    header = path.read_text().split("\n\n")[0]
    for label in ("Paper", "Data", "Hardware", "Hours", "Expected", "Command"):
        assert re.search(rf"^# {label}: +\S", header, flags=re.M), label
    name = path.relative_to(ROOT / "recipes").with_suffix("").as_posix()
    trained = f"{path.parent.name}/" if path in STAGES else path.name
    assert f"vtmr train recipes/{trained} --out " in header
    assert load_recipe(path).name == name


def test_the_stages_show_as_many_samples_as_the_release_has_seen() -> None:
    """What the headers say of each stage's samples is what it draws, and their sum the
    lineage's."""
    releases = json.loads((ROOT / "docs" / "releases.json").read_text())
    (released,) = [row for row in releases if row["sha256"] == "ba8ea68c868c"]
    stages = read_stages(ROOT / "recipes" / "lite0", ROOT / "gone")
    drawn = [stage.recipe.steps * stage.recipe.batch for stage in stages]
    assert sum(drawn) == released["samples"]
    for stage, samples in zip(stages, drawn, strict=True):
        assert f" {samples:,} samples, " in stage.path.read_text()
        assert f"stage {stage.number} of {len(stages)}:" in stage.path.read_text()


@pytest.mark.parametrize(
    ("name", "batch", "lr", "factor", "steps_per_epoch", "drops", "stuff", "zoom"),
    [
        ("vtmr-b0", 24, 5e-4, 1.0, 1250, (190, 220), 0.2, 0.5),
        ("vtmr-b3", 24, 5e-4, 1.0, 1250, (190, 220), 0.2, 0.5),
        ("focalclick-b0", 64, 5e-3, 0.1, 468, (190, 210), 0.2, 0.0),
        ("focalclick-b3", 32, 5e-3, 0.1, 937, (190, 210), 0.2, 0.0),
        ("ritm-hrnet18s", 32, 5e-4, 0.1, 937, (200, 220), 0.3, 0.0),
    ],
)
def test_the_papers_values(
    name: str,
    batch: int,
    lr: float,
    factor: float,
    steps_per_epoch: int,
    drops: tuple[int, ...],
    stuff: float,
    zoom: float,
) -> None:
    """30,000 images an epoch, incomplete batches dropped, 230 epochs, a tenth of the rate from each
    drop on."""
    recipe = load_recipe(path_of(name))
    assert steps_per_epoch == 30_000 // batch
    assert (recipe.batch, recipe.steps) == (batch, 230 * steps_per_epoch)
    assert recipe.optimiser.encoder_factor == factor
    assert (recipe.optimiser.ema, recipe.optimiser.encoder_batch_norm) == (0, "train")
    for epoch in (0, 100, 189, 190, 209, 210, 219, 220, 229):
        expected = lr * 0.1 ** sum(epoch >= drop for drop in drops)
        assert learning_rate(
            recipe.optimiser, epoch * steps_per_epoch, recipe.steps
        ) == pytest.approx(expected)
    assert (recipe.data.stuff_share, recipe.data.merge_share, recipe.data.roots_only) == (
        stuff,
        0.15,
        True,
    )
    assert recipe.data.min_object_px == 1000
    assert [source.reader for source in recipe.data.sources] == ["cocolvis"]
    assert (recipe.augment.scaled_share, recipe.augment.scale) == (1, (0.75, 1.40))
    assert (recipe.augment.whole_share, recipe.augment.object_share) == (0, 0)
    assert (recipe.augment.zoom_share, recipe.augment.zoom_kernel) == (zoom, ZoomKernel())
    assert (recipe.clicks.max_further, recipe.refiner_share) == (3, 1)
    assert recipe.compute == ComputeRecipe(accelerator="cuda", devices=2)


def test_fcfis_values() -> None:
    """docs/zoo.md §Z.6.3: the model file's 230 epochs, drops at 200 and 220, K up to 3."""
    recipe = load_recipe(path_of("fcfi-hrnet18s"))
    epoch = 30_000 // recipe.batch
    assert (recipe.batch, recipe.steps) == (64, 230 * epoch)
    assert recipe.optimiser.drops == (200 * epoch, 220 * epoch)
    assert (recipe.optimiser.lr, recipe.optimiser.encoder_factor) == (5e-4, 0.1)
    assert (recipe.clicks.max_further, recipe.clicks.centred) == (3, True)


def test_cdnets_values() -> None:
    """docs/zoo.md §Z.4.4: 120 epochs, no further clicks, a fifth of the samples with stuff."""
    recipe = load_recipe(path_of("cdnet-resnet34"))
    epoch = 30_000 // recipe.batch
    assert (recipe.batch, recipe.steps, recipe.input_size) == (32, 120 * epoch, 384)
    assert recipe.optimiser.drops == (80 * epoch, 105 * epoch)
    assert (recipe.optimiser.lr, recipe.optimiser.encoder_factor) == (5e-4, 0.1)
    assert (recipe.clicks.max_further, recipe.clicks.centred) == (0, True)
    assert (recipe.data.stuff_share, recipe.augment.colour) == (0.2, 0)


@pytest.mark.parametrize("name", PAPERS)
def test_what_tells_the_papers_apart(name: str) -> None:
    """VTMR: MaskMatch, one click, focal losses; FocalClick: its refiner's losses; RITM: clicks off
    the centre."""
    recipe = load_recipe(path_of(name))
    vtmr, focalclick = name.startswith("vtmr"), name.startswith("focalclick")
    assert recipe.maskmatch == (MaskMatchRecipe() if vtmr else None)
    assert recipe.clicks.init_clicks == ("single" if vtmr else "multi")
    assert recipe.clicks.centred == (not name.startswith("ritm"))
    assert recipe.losses == (
        LossRecipe("boundary", "cross_entropy") if focalclick else LossRecipe("focal", "focal")
    )
    assert recipe.augment.colour == (0.0 if name == "focalclick-b0" else 0.75)


def write_encoder(model: str, path: Path) -> None:
    """ImageNet weights of the network's encoder in the layout in which they are published."""
    prefix = "feature_extractor." if "hrnet" in model else "feature_extractor.backbone."
    # OCR's and FCFI's modules, which are beside RITM's backbone.
    heads = (
        "aux_head",
        "ocr_",
        "conv3x3_ocr",
        "cls_head",
        "correction_module",
        "fusion_module",
    )
    shapes = official.key_shapes(model.replace("vtmr", "focalclick"))
    names = {
        key: key.removeprefix(prefix)
        for key in shapes
        if key.startswith(prefix) and "side1" not in key
    }
    state = {
        name: official.fill(key, shapes[key])
        for key, name in names.items()
        if not name.startswith(heads)
    }
    path.parent.mkdir()
    torch.save(state, path)


def cases() -> list[object]:
    marks = {path.stem: [pytest.mark.slow] for path in RECIPES if path.stem not in FAST}
    marks |= {name: [pytest.mark.proof] for name in LARGE}
    return [pytest.param(path, id=path.stem, marks=marks.get(path.stem, [])) for path in RECIPES]


@pytest.mark.parametrize("path", cases())
def test_two_steps_of_each(
    path: Path, tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a grid of 64 cells, from an encoder's file and, for the papers', a data set in the
    original formats."""

    def small_network(name: str) -> InteractiveNetwork:
        network = build(name)
        network.spec = replace(network.spec, input_size=small)
        return network

    monkeypatch.setattr(loop, "build", small_network)
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(loop, "plot_losses", lambda rows, out: None)
    recipe = load_recipe(path)
    data = tmp_path / "data"
    overrides = [
        "steps=2",
        "batch=2",
        f"input_size={small}",
        "threads=1",
        "data.workers=0",
        "data.min_object_px=40",
        f"data.root={data}",
    ]
    overrides.append("compute={}")  # one process on the CPU
    if recipe.encoder_weights:
        write_cocolvis(data / recipe.data.sources[0].path)
        write_encoder(recipe.model, data / recipe.encoder_weights)
    else:
        write_pairs(data / "shapes", 2)
        overrides.append("data.sources=[{reader='duts', path='shapes', weight=1, cut_outs=true}]")
    loop.run(path, tmp_path / "out", overrides=overrides)
    (row,) = [
        json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    ]
    assert row["step"] == 2
    assert row["coarse"] > 0
    assert (row["refined"] > 0) == (not path.stem.startswith(("ritm", "cdnet", "fcfi")))
    assert ("match" in row) == path.stem.startswith(("vtmr", "2-maskmatch"))


def test_a_state_from_before_these_fields_can_be_resumed(tmp_path: Path) -> None:
    """What an older program saved lacks them; they take the values that change nothing."""
    recipe = load_recipe(path_of("lite0-cpu"))
    saved = comparable(recipe)
    del saved["losses"], saved["compute"], saved["optimiser"]["drops"], saved["clicks"]["centred"]
    for name in ("stuff_share", "merge_share", "roots_only"):
        del saved["data"][name]
    for source in saved["data"]["sources"]:
        del source["index"]
    assert as_comparable(json.loads(json.dumps(saved))) == comparable(recipe)


def test_the_refiners_losses_are_the_recipes(tmp_path: Path, small: int) -> None:
    """Both kinds from one pass's logits, which the network is made to give again."""
    path = write_recipe(tmp_path)
    batch = next(batches(load_recipe(path), tmp_path / "data", small, 0))
    torch.manual_seed(0)
    network = build("lite0")
    refined, edge = torch.randn(2, 2, 1, small, small)
    network.refine = lambda *_: (refined, edge)  # type: ignore[method-assign, misc]
    found = {}
    for overrides in ((), ("losses={refined='boundary', edge='cross_entropy'}",)):
        found[bool(overrides)] = TrainingStep(network, load_recipe(path, overrides))(batch, 0)
    gt, band = batch.patch_gt.float(), batch.patch_edge.float()
    torch.testing.assert_close(found[False].refined, normalised_focal_loss(refined, gt).mean())
    torch.testing.assert_close(found[False].edge, normalised_focal_loss(edge, band).mean())
    torch.testing.assert_close(found[True].refined, boundary_focal_loss(refined, gt, band))
    torch.testing.assert_close(found[True].edge, F.binary_cross_entropy_with_logits(edge, band))
    assert torch.equal(found[False].coarse, found[True].coarse)
