"""Which object of an image becomes a target. Expected values: docs/method.md §C.2; the stream of
older recipes as it was."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from shapes import OBJECT, RECIPE, STUFF, rect, shape_pair, write_cocolvis, write_pairs

from vtmr.masks import RunLengths
from vtmr.train.augmentation import Labelled, flipped, windowed
from vtmr.train.clicks import initial_clicks
from vtmr.train.recipe import Recipe, load_recipe
from vtmr.train.sampling import Sampler, candidates, least_share

SIZE = 64


def encoded(mask: np.ndarray) -> dict[str, Any]:
    runs = RunLengths.encode(mask)
    return {"size": list(mask.shape), "counts": runs.counts.decode()}


def write_coco(root: Path) -> Path:
    """Two images with three instances each."""
    (root / "images").mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in (1, 2):
        Image.fromarray(np.full((80, 100, 3), 40 * number, np.uint8)).save(
            root / "images" / f"{number}.png"
        )
        images.append({"id": number, "file_name": f"{number}.png", "height": 80, "width": 100})
        for box in (OBJECT, STUFF, (60, 45, 90, 75)):
            segmentation = encoded(rect(*box))
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "segmentation": segmentation}
            )
    (root / "instances.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return root


def write_labels(root: Path) -> Path:
    """A label map with two parts."""
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    image, mask = shape_pair(1)
    labels = mask.astype(np.uint8)
    labels[:30] *= 2
    Image.fromarray(image).save(root / "images" / "0.png")
    Image.fromarray(labels).save(root / "labels" / "0.png")
    return root


def recipe(tmp_path: Path, *overrides: str) -> Recipe:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return load_recipe(tmp_path / "tiny.toml", overrides)


def cocolvis(tmp_path: Path, *overrides: str) -> Sampler:
    write_cocolvis(tmp_path / "data" / "shapes")
    sources = "data.sources=[{reader='cocolvis', path='shapes', weight=1}]"
    return Sampler(recipe(tmp_path, sources, *overrides), tmp_path / "data", SIZE)


def test_older_recipes_draw_what_they_always_drew(tmp_path: Path) -> None:
    """Numbers from the generator after a sample, recorded before stuff, merging and centred were
    fields.

    Runs that began then go on with the same samples.
    """
    write_pairs(tmp_path / "data" / "pairs", 4)
    write_coco(tmp_path / "data" / "coco")
    write_labels(tmp_path / "data" / "labels")
    sources = (
        "data.sources=[{reader='duts', path='pairs', weight=1, cut_outs=true}, "
        "{reader='coco', path='coco', weight=1},"
        "{reader='ccp', path='labels', weight=1}]"
    )
    made = Sampler(
        recipe(tmp_path, sources, "data.paste_weight=1", "clicks.init_clicks=mixed"),
        tmp_path / "data",
        SIZE,
    )
    found = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        sample = made.draw(rng)
        found.append((len(sample.clicks), int(rng.integers(1000))))
    assert found == RECORDED


RECORDED = [
    (1, 863),
    (21, 459),
    (2, 891),
    (1, 76),
    (1, 855),
    (1, 679),
    (9, 186),
    (2, 857),
    (12, 452),
    (8, 792),
    (1, 149),
    (6, 128),
    (13, 815),
    (8, 905),
    (26, 103),
    (1, 908),
]


# --- COCO+LVIS: ids "0" object, "1" its child, "2" the small one, "3" stuff


def chosen(made: Sampler, count: int = 200) -> Counter[tuple[str, ...]]:
    """How often which candidates were offered."""
    source = made.sources[0].source
    draws = (
        candidates(source, "000000000007", made.recipe, SIZE, np.random.default_rng(i))
        for i in range(count)
    )
    return Counter(draws)


def test_roots_alone_by_default(tmp_path: Path) -> None:
    assert chosen(cocolvis(tmp_path)) == {("0", "2"): 200}


def test_children_where_asked_for(tmp_path: Path) -> None:
    assert chosen(cocolvis(tmp_path, "data.roots_only=false")) == {("0", "1", "2"): 200}


def test_stuff_in_its_share(tmp_path: Path) -> None:
    """.3 of 200 draws, within three standard deviations (6.5)."""
    found = chosen(cocolvis(tmp_path, "data.stuff_share=0.3"))
    assert set(found) == {("0", "2"), ("0", "2", "3")}
    assert abs(found["0", "2", "3"] - 60) < 20


def test_objects_that_no_crop_makes_large_enough_are_not_offered(tmp_path: Path) -> None:
    """144 of 8000 px are 74 of 64² cells, times 1.4² are 144.5: enough for 140, not for 150."""
    scaled = "augment={whole_share=0, object_share=0, scaled_share=1}"
    assert chosen(cocolvis(tmp_path / "a", scaled, "data.min_object_px=140"), 1) == {("0", "2"): 1}
    assert chosen(cocolvis(tmp_path / "b", scaled, "data.min_object_px=150"), 1) == {("0",): 1}
    whole = "augment={whole_share=1, object_share=0, scaled_share=0}"
    assert chosen(cocolvis(tmp_path / "c", whole, "data.min_object_px=75"), 1) == {("0",): 1}


def test_crops_around_objects_and_zooms_can_enlarge_any(tmp_path: Path) -> None:
    assert least_share(recipe(tmp_path), SIZE) == 0
    zoomed = "augment={whole_share=1, object_share=0, scaled_share=0, zoom_share=0.5}"
    assert least_share(recipe(tmp_path, zoomed), SIZE) == 0


def test_the_index_may_lie_elsewhere(tmp_path: Path) -> None:
    write_cocolvis(tmp_path / "data" / "shapes")
    sources = (
        "data.sources=[{reader='cocolvis', path='shapes', weight=1, index='indices/cocolvis'}]"
    )
    Sampler(recipe(tmp_path, sources), tmp_path / "data", SIZE)
    assert (tmp_path / "data" / "indices" / "cocolvis" / "records.bin").is_file()
    assert not (tmp_path / "data" / "shapes" / "vtmr-index").exists()


# --- two objects as one


def test_two_instances_in_the_share_that_merges(tmp_path: Path) -> None:
    """Target = both; what is left of the others isn't among them."""
    write_coco(tmp_path / "data" / "shapes")
    sources = "data.sources=[{reader='coco', path='shapes', weight=1}]"
    made = Sampler(recipe(tmp_path, sources, "data.merge_share=0.5"), tmp_path / "data", SIZE)
    picked = [made.pick(made.sources[0], np.random.default_rng(seed)) for seed in range(100)]
    merged = [p for p in picked if p is not None and p.second is not None]
    assert abs(len(merged) - 50) < 16
    areas = sorted(int(rect(*box).sum()) for box in (OBJECT, STUFF, (60, 45, 90, 75)))
    pairs = {areas[0] + areas[1], areas[0] + areas[2], areas[1] + areas[2]}
    for labelled in merged:
        assert labelled.second is not None
        assert int(labelled.target.sum()) in pairs
        assert not (labelled.second & ~labelled.target).any()
        assert int(labelled.target.sum() + labelled.others.sum()) == sum(areas)


def test_the_second_object_moves_with_the_first() -> None:
    first, second = rect(*OBJECT), rect(*STUFF)
    labelled = Labelled(
        np.zeros((80, 100, 3), np.uint8), first | second, np.zeros_like(first), second
    )
    mirrored = flipped(labelled)
    np.testing.assert_array_equal(mirrored.second, second[:, ::-1])
    padded, _ = windowed(labelled, 140, 110, np.random.default_rng(0))
    assert padded.second is not None
    np.testing.assert_array_equal(padded.target & ~padded.second, padded.target ^ padded.second)
    assert padded.second.shape == (110, 140)
    assert padded.second.sum() == second.sum()


@pytest.mark.parametrize("single", [True, False])
def test_two_objects_have_a_first_click_each(single: bool) -> None:
    first, second = rect(*OBJECT), rect(*STUFF)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        clicks = initial_clicks(first | second, np.zeros_like(first), rng, single, second=second)
        (a, b), rest = clicks[:2], clicks[2:]
        assert first[int(a.y), int(a.x)] and second[int(b.y), int(b.x)]
        assert a.positive and b.positive
        assert not (single and rest)
        assert sum(click.positive for click in clicks) <= 24
    only = initial_clicks(first, np.zeros_like(first), rng, True, second=second & first)
    assert len(only) == 1  # the second one lies outside the crop


def test_clicks_that_are_not_centred_lie_anywhere_but_mostly_off_the_border() -> None:
    """docs/method.md §C.4: on the mask eroded three times with probability .9."""
    mask = np.zeros((64, 64), bool)
    mask[10:50, 10:50] = True
    core = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=3).astype(bool)
    centre = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=11).astype(bool)
    nothing, rng = np.zeros_like(mask), np.random.default_rng(0)
    places = [initial_clicks(mask, nothing, rng, True, centred=False)[0] for _ in range(400)]
    assert all(mask[int(c.y), int(c.x)] for c in places)
    in_core = sum(bool(core[int(c.y), int(c.x)]) for c in places)
    assert abs(in_core / 400 - (0.9 + 0.1 * core.sum() / mask.sum())) < 0.05
    in_centre = sum(bool(centre[int(c.y), int(c.x)]) for c in places)
    # A centred click: all.
    assert abs(in_centre / 400 - (0.9 / core.sum() + 0.1 / mask.sum()) * centre.sum()) < 0.08
