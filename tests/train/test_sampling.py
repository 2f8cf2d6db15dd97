"""Training samples: aligned, clicked on the right side, drawn from the right images, and the same
for the same seed.

Images whose red is the column and whose green is the row: a sample's pixels say where they come
from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from shapes import RECIPE

from vtmr.data import validation_list
from vtmr.errors import DataError
from vtmr.geometry import Box
from vtmr.masks import iou
from vtmr.train.augmentation import Labelled, draw_crop, flipped, jittered
from vtmr.train.recipe import AugmentRecipe, SourceWeight, load_recipe
from vtmr.train.sampling import Sampler, TrainingSource
from vtmr.train.targets import rim_of, single_component

HEIGHT, WIDTH, SIZE = 120, 160, 64


def gradient() -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = np.arange(WIDTH)
    image[..., 1] = np.arange(HEIGHT)[:, None]
    image[..., 2] = 200
    return image


def disc(x: int = 90, y: int = 50, radius: int = 28) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask.astype(bool)


def write(
    root: Path, stem: str, image: np.ndarray, labels: np.ndarray, folder: str = "masks"
) -> None:
    for name, array in (("images", image), (folder, labels)):
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / name / f"{stem}.png")


def sampler(tmp_path: Path, *overrides: str) -> Sampler:
    """Of tiny recipe's `data/shapes`, plus overrides."""
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return Sampler(load_recipe(path, overrides), tmp_path / "data", SIZE)


PLAIN = ("augment.colour=0", "augment.flip=0")
KINDS = {
    "whole": "augment={whole_share=1, scaled_share=0, object_share=0, colour=0}",
    "scaled": "augment={whole_share=0, scaled_share=1, object_share=0, colour=0}",
    "object": "augment={whole_share=0, scaled_share=0, object_share=1, colour=0}",
}


def draws(made: Sampler, count: int) -> list[Any]:
    return [made.draw(np.random.default_rng(seed)) for seed in range(count)]


def test_a_sample_is_a_function_of_the_generator(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    write(tmp_path / "data" / "shapes", "b", gradient(), disc(50, 60) * np.uint8(255))
    made = sampler(tmp_path, "data.paste_weight=1")
    first = draws(made, 6)
    made = sampler(tmp_path, "data.paste_weight=1")
    for seed in reversed(range(6)):  # in another order: no state between draws
        again = made.draw(np.random.default_rng(seed))
        assert (again.focus, again.clicks) == (first[seed].focus, first[seed].clicks)
        for name in ("image", "gt_mask", "patch", "patch_gt", "patch_edge"):
            np.testing.assert_array_equal(getattr(again, name), getattr(first[seed], name))
    assert len({sample.clicks for sample in first}) == 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flip", [0, 1])
def test_image_masks_and_patch_show_the_same_place(tmp_path: Path, kind: str, flip: int) -> None:
    """Red and green say which source point a pixel shows; the object is the disc around (90.5,
    50.5) there."""
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    made = sampler(tmp_path, KINDS[kind], f"augment.flip={flip}")
    for sample in draws(made, 25):
        for image, mask in ((sample.image, sample.gt_mask), (sample.patch, sample.patch_gt)):
            shown = image[..., 2] == 200  # padding is black
            x, y = image[..., 0] + 0.5, image[..., 1] + 0.5
            distance = np.hypot(x - 90.5, y - 50.5)
            assert mask[shown & (distance < 26)].all()
            assert not mask[shown & (distance > 31)].any()
            assert not mask[image[..., 2] == 0].any()
            middle = image[SIZE // 2, :, 0][shown[SIZE // 2]].astype(int)
            if np.ptp(middle) > 3:
                assert (middle[-1] < middle[0]) == bool(flip)


@pytest.mark.parametrize("kind", KINDS)
def test_the_patch_is_the_focus_box_of_the_image(tmp_path: Path, kind: str) -> None:
    """The patch's pixel (i + .5, j + .5)/S of the box shows the source point that the image shows
    there."""
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    checked = 0
    for sample in draws(sampler(tmp_path, KINDS[kind], "augment.flip=0"), 25):
        x0, y0, x1, y1 = sample.focus
        assert 0 <= x0 < x1 <= SIZE
        assert 0 <= y0 < y1 <= SIZE
        steps = (np.arange(SIZE) + 0.5) / SIZE
        grid_x, grid_y = np.meshgrid(x0 + (x1 - x0) * steps - 0.5, y0 + (y1 - y0) * steps - 0.5)
        inside = (grid_x > 1) & (grid_x < SIZE - 2) & (grid_y > 1) & (grid_y < SIZE - 2)
        expected = cv2.remap(
            sample.image, grid_x.astype(np.float32), grid_y.astype(np.float32), cv2.INTER_LINEAR
        )
        shown = inside & (sample.patch[..., 2] == 200) & (expected[..., 2] == 200)
        off = np.abs(sample.patch.astype(int) - expected)[shown]
        # Grey levels, which are source pixels: a shift by a grid cell would be 2.5 on average.
        assert off.max() <= 2
        assert off.mean() < 0.6
        checked += shown.sum()
    assert checked > 25 * SIZE * SIZE / 2


def test_clicks_lie_in_the_image_and_on_the_right_side(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    for sample in draws(sampler(tmp_path, "augment.colour=0"), 40):
        for click in sample.clicks:
            click.require_inside(SIZE, SIZE)
            assert sample.gt_mask[click.pixel] == click.positive
        assert sample.clicks[0].positive


def test_single_multi_and_mixed(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    lengths = {
        kind: [len(s.clicks) for s in draws(sampler(tmp_path, f"clicks.init_clicks={kind}"), 60)]
        for kind in ("single", "multi", "mixed")
    }
    alone = {kind: lengths[kind].count(1) for kind in lengths}
    assert alone["single"] == 60
    assert alone["multi"] < 12  # .2 * .2 by the decay: about 2 or 3
    assert 20 < alone["mixed"] < 42


def test_areas_respect_the_recipes_least_and_nine_tenths(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    for sample in draws(sampler(tmp_path, "data.min_object_px=900"), 30):
        assert 900 <= sample.gt_mask.sum() <= 0.9 * SIZE * SIZE


def test_objects_that_are_too_small_end_in_a_data_error(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc(radius=3) * np.uint8(255))
    made = sampler(tmp_path, "data.min_object_px=2000", KINDS["whole"])
    with pytest.raises(
        DataError,
        match=r"200 draws in a row gave no object of 2000 px or more: .*data\.min_object_px",
    ):
        made.draw(np.random.default_rng(0))


def test_empty_and_giant_masks_are_passed_over(tmp_path: Path) -> None:
    """Nothing to click on, or nothing beside it; where there is nothing else the run can't
    begin."""
    root = tmp_path / "data" / "shapes"
    write(root, "empty", gradient(), np.zeros((HEIGHT, WIDTH), np.uint8))
    write(root, "giant", gradient(), np.full((HEIGHT, WIDTH), 255, np.uint8))
    with pytest.raises(DataError, match="200 draws in a row gave no object of 40 px or more"):
        sampler(tmp_path, KINDS["whole"]).draw(np.random.default_rng(0))
    image = gradient()
    image[..., 2] = 77
    write(root, "good", image, disc() * np.uint8(255))
    for sample in draws(sampler(tmp_path, KINDS["whole"]), 12):
        assert set(np.unique(sample.image[..., 2])) == {77}
        assert not sample.unreadable


def test_another_draw_takes_the_place_of_what_cannot_be_read(tmp_path: Path) -> None:
    """The same one each time; samples that don't meet the damaged file are what they were."""
    root = tmp_path / "data" / "shapes"
    for stem in "abcd":
        write(root, stem, gradient(), disc() * np.uint8(255))
    # All files are there when they are opened.
    made, other_one = (
        sampler(tmp_path),
        sampler(tmp_path),
    )
    before = draws(made, 12)
    (root / "masks" / "b.png").write_bytes(b"no mask")
    (root / "images" / "c.png").unlink()
    found, again = draws(made, 12), draws(other_one, 12)
    told = [message for sample in found for message in sample.unreadable]
    assert any("masks/b.png" in message for message in told) and any(
        "images/c.png" in message for message in told
    )
    assert len(told) < 24
    for one, other, sound in zip(found, again, before, strict=True):
        assert one.unreadable == other.unreadable
        np.testing.assert_array_equal(one.image, other.image)
        assert one.clicks == other.clicks
        if not one.unreadable:
            np.testing.assert_array_equal(one.image, sound.image)
            assert one.clicks == sound.clicks


@pytest.mark.parametrize("px", [1.0, 1.5, 3.0])
def test_a_rim_is_what_lies_near_the_other_side(px: float) -> None:
    """By the definition, for a mask with a hole that reaches the image's border."""
    mask = disc(150, 50)
    mask[45:52, 140:150] = False
    rows, cols = np.nonzero(np.ones_like(mask))
    sides = [np.argwhere(mask), np.argwhere(~mask)]
    expected = np.zeros_like(mask)
    for row, col in zip(rows, cols, strict=True):
        other = sides[1] if mask[row, col] else sides[0]
        expected[row, col] = ((other - (row, col)) ** 2).sum(axis=1).min() <= px**2
    np.testing.assert_array_equal(rim_of(mask, px), expected)


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_without_an_outline_has_no_rim(value: bool) -> None:
    assert not rim_of(np.full((8, 9), value), 2).any()


RIM = "data.sources=[{reader='duts', path='shapes', weight=1, rim_px=%s, cut_outs=true}]"


@pytest.mark.parametrize("kind", [*KINDS, "zoomed"])
def test_the_rim_of_a_rough_source_is_ignored_where_it_is_shown(tmp_path: Path, kind: str) -> None:
    """Red and green tell each cell's distance to the circle of radius 28.5; nothing else of the
    sample changes."""
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    overrides = (
        (KINDS[kind], "augment.flip=0.5")
        if kind in KINDS
        else ("augment.colour=0", "augment.zoom_share=1.0")
    )
    sharp = draws(sampler(tmp_path, *overrides), 12)
    for sample, other in zip(draws(sampler(tmp_path, *overrides, RIM % 3), 12), sharp, strict=True):
        for image, ignored in (
            (sample.image, sample.ignore_mask),
            (sample.patch, sample.patch_ignore),
        ):
            shown = image[..., 2] == 200
            off = np.abs(np.hypot(image[..., 0] - 90.0, image[..., 1] - 50.0) - 28.5)
            assert ignored[shown & (off < 0.7)].all()
            assert not ignored[~shown | (off > 6)].any()
        assert not other.ignore_mask.any()
        assert not other.patch_ignore.any()
        assert sample.clicks == other.clicks
        for name in ("image", "gt_mask", "patch", "patch_gt", "patch_edge"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(other, name))


@pytest.mark.parametrize("reader", ["duts", "bsds"])
@pytest.mark.parametrize("kind", [*KINDS, "zoomed"])
def test_pixels_that_a_masks_file_ignores_are_ignored_where_they_are_shown(
    tmp_path: Path, reader: str, kind: str
) -> None:
    """255 beside the label 1: all rows from 100 on, which the image's green tells."""
    labels = disc().astype(np.uint8)
    labels[100:] = 255
    folder = {"duts": "masks", "bsds": "labels"}[reader]
    write(tmp_path / "data" / "shapes", "a", gradient(), labels, folder)
    made = sampler(
        tmp_path,
        f"data.sources=[{{reader='{reader}', path='shapes', weight=1}}]",
        *((KINDS[kind],) if kind in KINDS else ("augment.colour=0", "augment.zoom_share=1.0")),
    )
    seen = False
    for sample in draws(made, 12):
        for image, mask, ignored in (
            (sample.image, sample.gt_mask, sample.ignore_mask),
            (sample.patch, sample.patch_gt, sample.patch_ignore),
        ):
            shown = image[..., 2] == 200
            assert ignored[shown & (image[..., 1] > 101)].all()
            assert not ignored[shown & (image[..., 1] < 98)].any()
            assert not (mask & ignored).any()
            seen |= bool(ignored.any())
    assert seen


def test_pasted_cut_outs_have_exact_rims(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    for sample in draws(
        sampler(tmp_path, (RIM % 3).replace("weight=1", "weight=1e-9"), "data.paste_weight=1"), 6
    ):
        assert not sample.ignore_mask.any()


def test_the_frozen_validation_objects_are_never_drawn(tmp_path: Path) -> None:
    """Also from a copy of the data that lacks val.txt: the list that counts is in the package."""
    frozen = [stem for reader, stem, _ in validation_list() if reader == "duts"][:2]
    for stem in (*frozen, "another"):
        write(tmp_path / "duts", stem, gradient(), disc() * np.uint8(255))
    opened = TrainingSource.open(SourceWeight("duts", "duts", 1.0), tmp_path)
    assert opened.stems == ("another",)


def test_what_a_recipe_leaves_out_is_not_trained_on(tmp_path: Path) -> None:
    for stem in ("rough_1", "rough_2", "fine", "not_rough_1"):
        write(tmp_path / "own", stem, gradient(), disc() * np.uint8(255))
    (tmp_path / "own" / "val.txt").write_text("fine\n")
    opened = TrainingSource.open(SourceWeight("duts", "own", 1.0, left_out=("rough_",)), tmp_path)
    assert opened.stems == ("not_rough_1",)
    with pytest.raises(
        DataError, match="no image left to train on: all 4 are held out or left_out"
    ):
        TrainingSource.open(SourceWeight("duts", "own", 1.0, left_out=("rough_", "not_")), tmp_path)


def test_held_out_images_are_never_drawn(tmp_path: Path) -> None:
    """Blue tells the images apart."""
    root = tmp_path / "data" / "shapes"
    for number in range(6):
        image = gradient()
        image[..., 2] = 40 * number + 10
        write(root, f"my photo {number}", image, disc() * np.uint8(255))
    (root / "val.txt").write_text("my photo 0\nmy photo 3\n")
    (root / "report.txt").write_text("my photo 4\n")
    made = sampler(tmp_path, KINDS["whole"], "data.paste_weight=1")
    seen = {int(np.median(sample.image[..., 2])) for sample in draws(made, 60)}
    assert seen == {50, 90, 210}
    (root / "val.txt").write_text("".join(f"my photo {number}\n" for number in range(6)))
    with pytest.raises(DataError, match="no image left to train on: all 6 are held out"):
        sampler(tmp_path)


def test_sources_are_drawn_by_weight(tmp_path: Path) -> None:
    for number, name in enumerate(("x", "y", "z")):
        image = gradient()
        image[..., 2] = 60 * number + 60
        write(tmp_path / "data" / name, "a", image, disc() * np.uint8(255))
    entries = ", ".join(
        f"{{reader='duts', path='{name}', weight={w}}}"
        for name, w in (("x", 3), ("y", 1), ("z", 0))
    )
    made = sampler(tmp_path, f"data.sources=[{entries}]", KINDS["whole"])
    seen = [int(np.median(sample.image[..., 2])) for sample in draws(made, 200)]
    assert seen.count(60) / 200 == pytest.approx(0.75, abs=0.12)
    assert seen.count(120) == 200 - seen.count(60)


def test_label_maps_give_parts_and_unions(tmp_path: Path) -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[20:60, 20:60], labels[20:60, 90:130], labels[70:110, 20:130] = 1, 1, 2
    write(tmp_path / "data" / "parts", "a", gradient(), labels, "labels")
    made = sampler(
        tmp_path, "data.sources=[{reader='ccp', path='parts', weight=1}]", KINDS["whole"]
    )
    # A pixel of each in the 64 x 64 grid.
    pieces = {
        "first": (30, 16),
        "second": (30, 44),
        "below": (47, 28),
    }
    seen = {
        tuple(bool(sample.gt_mask[at]) for at in pieces.values()) for sample in draws(made, 120)
    }
    assert seen == {
        tuple(
            bool(labels[row * HEIGHT // SIZE, col * WIDTH // SIZE] == k)
            for row, col in pieces.values()
        )
        for k in (1, 2)
    } | {(True, False, False), (False, True, False), (True, True, True)}


def test_negative_clicks_find_the_other_objects_of_an_image(tmp_path: Path) -> None:
    """Two in five negative clicks are on others, which cover a fiftieth of the image (none where
    there are none)."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[10:50, 10:50], labels[90:110, 130:150] = 1, 2
    write(tmp_path / "data" / "parts", "a", gradient(), labels, "labels")
    made = sampler(
        tmp_path,
        "data.sources=[{reader='ccp', path='parts', weight=1}]",
        KINDS["whole"],
        "augment.flip=0",
    )
    clicks = [c for s in draws(made, 150) if s.gt_mask[12, 10] for c in s.clicks if not c.positive]
    on_other = [c for c in clicks if labels[int(c.y * HEIGHT / SIZE), int(c.x * WIDTH / SIZE)] == 2]
    assert len(on_other) / len(clicks) > 0.25


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc()[:-1] * np.uint8(255))
    with pytest.raises(DataError, match="mask of shapes/a is 160x119, its image 160x120"):
        sampler(tmp_path).draw(np.random.default_rng(0))
    with pytest.raises(DataError, match="mask of shapes/a is 160x119"):
        draws(sampler(tmp_path, "data.paste_weight=1000"), 1)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data" / "shapes" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match="shapes/images holds no"):
        sampler(tmp_path)
    with pytest.raises(DataError, match="gone/images is not a folder"):
        sampler(tmp_path, "data.sources=[{reader='duts', path='gone', weight=1}]")


class TestParts:
    def labelled(self) -> Labelled:
        return Labelled(gradient(), disc(), disc(20, 20, 10))

    def test_flipping_mirrors_all_three(self) -> None:
        found = flipped(self.labelled())
        np.testing.assert_array_equal(found.image, gradient()[:, ::-1])
        np.testing.assert_array_equal(found.target, disc()[:, ::-1])
        np.testing.assert_array_equal(found.others, disc(20, 20, 10)[:, ::-1])

    def test_colours_stay_in_range(self) -> None:
        """Gain .85 to 1.4, offset within .25 * 255 + 10, so monotone and bounded; each half in its
        share of draws."""
        grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        untouched = 0
        for seed in range(200):
            found = jittered(grey, 0.75, np.random.default_rng(seed)).astype(int)
            untouched += int((found == grey).all())
            values = np.arange(256)[None, :, None]
            assert (found >= np.clip(0.85 * values - 74.75, 0, 255).astype(int) - 1).all()
            assert (found <= np.clip(1.4 * values + 74.75, 0, 255) + 1).all()
            assert (np.diff(found, axis=1) >= 0).all()
        assert untouched / 200 == pytest.approx(0.0625, abs=0.05)
        assert jittered(grey, 0.0, np.random.default_rng(0)) is grey

    def test_each_component_of_a_tenth_or_more_is_chosen(self) -> None:
        mask = np.zeros((40, 60), bool)
        mask[2:12, 2:12] = mask[20:30, 2:12] = True
        mask[35:37, 50:52] = True  # 4 of 204 pixels
        found = {
            single_component(mask, np.random.default_rng(seed)).tobytes() for seed in range(30)
        }
        parts = []
        for rows in (slice(2, 12), slice(20, 30)):
            part = np.zeros_like(mask)
            part[rows, 2:12] = True
            parts.append(part.tobytes())
        assert found == set(parts)

    @pytest.mark.parametrize("kind", ["whole", "scaled", "object"])
    def test_crops_lie_in_their_image(self, kind: str) -> None:
        shares = {f"{name}_share": float(name == kind) for name in ("whole", "scaled", "object")}
        for seed in range(100):
            rng = np.random.default_rng(seed)
            labelled, box = draw_crop(self.labelled(), AugmentRecipe(**shares), SIZE, rng)
            height, width = labelled.target.shape
            assert Box.whole(height, width).intersection(box) == box
            assert labelled.image.shape[:2] == labelled.others.shape == (height, width)
            if kind == "whole":
                assert box == Box.whole(HEIGHT, WIDTH)
            elif kind == "scaled":
                assert WIDTH / 1.4 - 1 <= box.width <= WIDTH / 0.75 + 1
                assert box.width / box.height == pytest.approx(WIDTH / HEIGHT, rel=0.02)
            else:
                assert box.area <= HEIGHT * WIDTH
                assert labelled.target[box.slices].any()
                assert box.width >= 32
                assert box.height >= 32

    def test_object_crops_are_11_to_3_times_the_object(self) -> None:
        """In an image with room for all of them."""
        target = np.zeros((400, 400), bool)
        target[160:240, 160:240] = True
        labelled = Labelled(np.zeros((400, 400, 3), np.uint8), target, np.zeros_like(target))
        augment = AugmentRecipe(whole_share=0, scaled_share=0, object_share=1)
        widths = [
            draw_crop(labelled, augment, SIZE, np.random.default_rng(s))[1].width / 80
            for s in range(300)
        ]
        assert 1.08 < min(widths) < 1.3
        assert 2.5 < max(widths) < 3.02


# --- zoomed samples

ZOOMED = ("augment.colour=0", "augment.zoom_share=1.0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "data" / "shapes", "a", gradient(), disc() * np.uint8(255))
    return tmp_path


def test_everything_in_a_zoomed_sample_lies_in_one_grid(root: Path) -> None:
    """The image's pixels say which pixel of the source each cell shows; there the disc about (90,
    50) is known."""
    for sample in draws(sampler(root, *ZOOMED, "augment.flip=0", "augment.scaled_share=0"), 12):
        columns, rows = sample.image[..., 0].astype(float), sample.image[..., 1].astype(float)
        inside = (columns - 90) ** 2 + (rows - 50) ** 2 <= 28.5**2
        assert iou(sample.gt_mask, inside) > 0.9
        for click in sample.clicks:
            assert sample.gt_mask[click.pixel] == click.positive
        x0, y0, x1, y1 = sample.focus
        cells = np.arange(SIZE) + 0.5
        across, down = x0 + cells * (x1 - x0) / SIZE - 0.5, y0 + cells * (y1 - y0) / SIZE - 0.5
        shown_columns = np.interp(across, np.arange(SIZE), columns[SIZE // 2])
        shown_rows = np.interp(down, np.arange(SIZE), rows[:, SIZE // 2])
        # A linear patch would be off by ten pixels and more where the zoom bends.
        np.testing.assert_allclose(sample.patch[SIZE // 2, 2:-2, 0], shown_columns[2:-2], atol=2.5)
        np.testing.assert_allclose(sample.patch[2:-2, SIZE // 2, 1], shown_rows[2:-2], atol=2.5)
        in_patch = (sample.patch[..., 0] - 90.0) ** 2 + (
            sample.patch[..., 1] - 50.0
        ) ** 2 <= 28.5**2
        assert iou(sample.patch_gt, in_patch) > 0.85


def test_the_patch_comes_from_the_full_resolution(root: Path) -> None:
    """Stripes of one pixel, grey in an image of WIDTH columns on 64 cells, are whole in a patch of
    few columns."""
    striped = gradient()
    striped[..., 2] = np.arange(WIDTH) // 2 % 2 * 255
    write(root / "data" / "shapes", "a", striped, disc(radius=14) * np.uint8(255))
    whole = "augment={whole_share=1, scaled_share=0, object_share=0, colour=0, zoom_share=1.0}"
    for sample in draws(sampler(root, whole), 6):
        assert np.ptp(sample.image[:, -8:, 0].astype(int)) > 2 * 8  # the background is compressed
        assert sample.patch[..., 2].std() > 1.2 * sample.image[..., 2].std()


def test_the_zoom_enlarges_what_is_to_be_found(root: Path) -> None:
    """A disc of 28 pixels in whole images of 160 x 120: 13 % of the plain grid."""
    whole = "augment={whole_share=1, scaled_share=0, object_share=0, colour=0, zoom_share=%s}"
    shares = [
        [sample.gt_mask.mean() for sample in draws(sampler(root, whole % share), 12)]
        for share in ("0.0", "0.5", "1.0")
    ]
    plain = disc().mean()
    np.testing.assert_allclose(shares[0], plain, rtol=0.03)
    assert min(shares[2]) > 1.7 * plain
    zoomed = np.array(shares[1]) > 1.5 * plain
    assert 2 <= np.count_nonzero(zoomed) <= 10  # binomial(12, .5), 99 %


def test_a_share_of_0_draws_nothing_more(root: Path) -> None:
    """The generator stands where it would without the field: crops and clicks follow it."""
    made = sampler(root)
    counted = np.random.default_rng(5)
    made.draw(counted)
    unzoomed = sampler(root, "augment.zoom_kernel={grid=17, fwhm=5.0}")
    other = np.random.default_rng(5)
    unzoomed.draw(other)
    assert counted.bit_generator.state == other.bit_generator.state
    zoomed = np.random.default_rng(5)
    sampler(root, "augment.zoom_share=1e-9").draw(zoomed)
    assert zoomed.bit_generator.state != other.bit_generator.state
