"""What colours, palettes and transparency mean; every file is made here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from maskscenes import HEIGHT, LEFT, RIGHT, WIDTH, Saved, disc, grown
from PIL import Image

from vtmr.errors import InputError
from vtmr.maskfiles import MaskFile, read_mask_file

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


def areas(file: MaskFile) -> list[int]:
    return sorted(int(file.mask(number).sum()) for number in file.objects)


def painted(
    background: tuple[int, ...], *objects: tuple[np.ndarray, tuple[int, ...]]
) -> np.ndarray:
    """uint8 H x W x channels: the background, and each mask in its colour."""
    image = np.full((HEIGHT, WIDTH, len(background)), background, np.uint8)
    for mask, colour in objects:
        image[mask] = colour
    return image


# --- colours


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.bmp", "m.webp"])
def test_every_colour_is_an_object(saved: Saved, name: str) -> None:
    options = {"lossless": True} if name == "m.webp" else {}
    array = painted(BLACK, (LEFT, (128, 0, 0)), (RIGHT, (0, 128, 0)))
    file = read_mask_file(saved(array, name, **options))
    assert areas(file) == [400, 600]
    assert "2 colours are taken as one object each" in file.notes[0]


def test_on_white(saved: Saved) -> None:
    file = read_mask_file(saved(painted(WHITE, (LEFT, (255, 0, 0)), (RIGHT, (0, 0, 255)))))
    assert areas(file) == [400, 600]
    assert any("white is taken as background" in note for note in file.notes)


def test_white_and_colours_on_black(saved: Saved) -> None:
    file = read_mask_file(saved(painted(BLACK, (LEFT, WHITE), (RIGHT, (0, 0, 255)))))
    assert areas(file) == [400, 600]


def test_where_everything_has_a_colour_every_colour_is_an_object(saved: Saved) -> None:
    file = read_mask_file(saved(painted((70, 70, 200), (LEFT, (220, 20, 60)))))
    assert areas(file) == [400, HEIGHT * WIDTH - 400]
    assert any("neither black nor white" in note for note in file.notes)


def test_one_faint_channel_is_enough(saved: Saved) -> None:
    file = read_mask_file(saved(painted(BLACK, (LEFT, (0, 0, 1)))))
    np.testing.assert_array_equal(file.everything, LEFT)
    assert file.notes == ()


def test_grey_saved_as_colour_is_grey(saved: Saved) -> None:
    for values in (LEFT * np.uint8(255), disc(20, 2), (LEFT * 1 + RIGHT * 2).astype(np.uint8)):
        grey = read_mask_file(saved(values, "g.png"))
        colour = read_mask_file(saved(np.repeat(values[..., None], 3, axis=2), "c.png"))
        np.testing.assert_array_equal(grey.values, colour.values)
        assert grey.notes == colour.notes


def test_soft_edges_of_colours_go_to_the_nearer_one(saved: Saved) -> None:
    """Two touching squares and a disc, scaled down from four times the size."""
    large = np.zeros((4 * HEIGHT, 4 * WIDTH, 3), np.uint8)
    large[42:122, 35:115], large[42:122, 115:201] = (255, 0, 0), (0, 0, 255)
    cv2.circle(large, (250, 170), 33, (0, 200, 0), -1)
    small = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    file = read_mask_file(saved(small))
    assert len(file.objects) == 3
    exact = [int((large == colour).all(axis=2).sum()) / 16 for colour in (*RGB, (0, 200, 0))]
    for got, wanted in zip(areas(file), sorted(exact), strict=True):
        assert abs(got - wanted) < 30
    assert any("shades at its edges" in note for note in file.notes)


RGB = ((255, 0, 0), (0, 0, 255))


def test_a_spot_of_its_own_colour_is_no_edge(saved: Saved) -> None:
    """Two pixels, and a line one pixel wide: they fill no area but lie between nothing."""
    array = painted(BLACK, (LEFT, (255, 0, 0)))
    array[40, 10:12] = (0, 255, 0)
    array[50, 5:75] = (0, 0, 255)
    assert areas(read_mask_file(saved(array))) == [2, 70, 400]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("jpg", {"quality": 80}), ("jpg", {"quality": 95}), ("webp", {"quality": 80})],
)
def test_colours_that_went_through_lossy_compression(
    saved: Saved, suffix: str, options: dict[str, int]
) -> None:
    array = painted(BLACK, (LEFT, (255, 0, 0)), (RIGHT, (0, 0, 255)))
    large = np.kron(array, np.ones((4, 4, 1), np.uint8))
    turn = cv2.getRotationMatrix2D((160, 120), 10, 1)  # off the blocks of the compression
    large = cv2.warpAffine(large, turn, (320, 240), flags=cv2.INTER_NEAREST)
    noisy = np.asarray(Image.open(saved(large, f"m.{suffix}", **options)).convert("RGB"))
    assert len(np.unique(noisy.reshape(-1, 3), axis=0)) > 100
    file = read_mask_file(saved(noisy))
    assert len(file.objects) == 2
    for got, wanted in zip(areas(file), (400 * 16, 600 * 16), strict=True):
        assert abs(got - wanted) < 0.02 * wanted
    white = saved(np.kron(LEFT, np.ones((4, 4), bool)) * np.uint8(255), f"w.{suffix}", **options)
    if suffix == "webp":
        np.testing.assert_array_equal(read_mask_file(white).everything[::4, ::4], LEFT)


def test_ids_in_three_channels(saved: Saved) -> None:
    """COCO panoptic: R + 256 G + 65536 B, black is nothing."""
    file = read_mask_file(saved(painted(BLACK, (LEFT, (17, 3, 0)), (RIGHT, (18, 3, 0)))))
    assert areas(file) == [400, 600]


def test_vocs_border_in_colours_is_ignored(saved: Saved) -> None:
    rim = grown(LEFT, 2) & ~LEFT
    array = painted(BLACK, (LEFT, (128, 0, 0)), (rim, (224, 224, 192)))
    file = read_mask_file(saved(array))
    assert areas(file) == [400]
    np.testing.assert_array_equal(file.ignored, rim)


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_a_colour_photo_is_no_mask(saved: Saved, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    photo = cv2.GaussianBlur(cv2.resize(noise, (4 * WIDTH, 4 * HEIGHT)), (0, 0), 2)
    with pytest.raises(InputError, match=r"colours, as a photo does"):
        read_mask_file(saved(photo, f"m.{suffix}"))


def test_cmyk(saved: Saved) -> None:
    image = Image.fromarray(painted(WHITE, (LEFT, (255, 0, 0)))).convert("CMYK")
    image.save(saved.folder / "m.tif")
    np.testing.assert_array_equal(read_mask_file(saved.folder / "m.tif").everything, LEFT)


# --- palettes


def test_indices_are_objects_whatever_their_colours(saved: Saved) -> None:
    indices = LEFT * 1 + RIGHT * 3
    for colours in ([0, 0, 0] * 4, [0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9], VOC):
        file = read_mask_file(saved.palette(indices, list(colours)))
        assert file.objects == (1, 3)
        np.testing.assert_array_equal(file.mask(3), RIGHT)


VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_where_the_first_colour_is_the_object(saved: Saved) -> None:
    """White is index 0, black index 1: as programs write that sort a palette by their own rules."""
    for first in (WHITE, (255, 0, 0)):
        file = read_mask_file(saved.palette(~LEFT * 1, [*first, *BLACK]))
        np.testing.assert_array_equal(file.everything, LEFT)
        assert "Its black, index 1, is taken as background" in file.notes[0]


def test_with_several_objects_the_black_one_is_background(saved: Saved) -> None:
    indices = np.full(LEFT.shape, 2)
    indices[LEFT], indices[RIGHT] = 0, 1
    file = read_mask_file(saved.palette(indices, [255, 0, 0, 0, 255, 0, 0, 0, 0]))
    assert areas(file) == [400, 600]


@pytest.mark.parametrize("name", ["m.png", "m.gif", "m.bmp"])
def test_a_coloured_background_is_index_0(saved: Saved, name: str) -> None:
    file = read_mask_file(saved.palette(LEFT * 1, [10, 20, 30, 200, 100, 50], name))
    np.testing.assert_array_equal(file.everything, LEFT)


def test_a_transparent_index_is_background(saved: Saved) -> None:
    file = read_mask_file(saved.palette(~LEFT * 1, [255, 0, 0, 255, 255, 255], transparency=1))
    np.testing.assert_array_equal(file.everything, LEFT)
    file = read_mask_file(saved.palette(LEFT * 1, [255, 0, 0, 255, 255, 255], transparency=0))
    np.testing.assert_array_equal(file.everything, LEFT)


def test_vocs_border_in_a_palette_is_ignored(saved: Saved) -> None:
    rim = grown(LEFT, 2) & ~LEFT
    colours = [*VOC, *[7, 7, 7] * 251, 224, 224, 192]
    file = read_mask_file(saved.palette(LEFT * 1 + rim * 255, colours))
    assert (file.objects, areas(file)) == ((1,), [400])
    np.testing.assert_array_equal(file.ignored, rim)


def test_a_soft_mask_saved_with_a_palette(saved: Saved) -> None:
    values = disc(20, 3)
    image = Image.fromarray(values).convert("P")
    image.save(saved.folder / "m.gif")
    np.testing.assert_array_equal(read_mask_file(saved.folder / "m.gif").everything, values > 127)
    shuffled = np.random.default_rng(0).permutation(256)
    colours = np.repeat(np.argsort(shuffled)[:, None], 3, axis=1).reshape(-1).tolist()
    file = read_mask_file(saved.palette(shuffled[values], colours))
    np.testing.assert_array_equal(file.everything, values > 127)


def test_soft_colours_saved_with_a_palette(saved: Saved) -> None:
    large = painted(BLACK, (LEFT, (255, 0, 0)), (RIGHT, (0, 0, 255)))
    large = cv2.resize(large, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    turned = cv2.warpAffine(large, cv2.getRotationMatrix2D((160, 120), 10, 1), (320, 240))
    Image.fromarray(turned).quantize(64).save(saved.folder / "m.png")
    file = read_mask_file(saved.folder / "m.png")
    assert len(file.objects) == 2
    for got, wanted in zip(areas(file), (400 * 16, 600 * 16), strict=True):
        assert abs(got - wanted) < 0.03 * wanted


# --- transparency


def test_alpha_that_holds_the_mask(saved: Saved) -> None:
    """Cut-outs: white, or the photo itself, and everything else transparent."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    plain = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    dark = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    grey = np.full((HEIGHT, WIDTH, 2), 255, np.uint8)
    for array in (noise, plain, dark, grey):
        array[..., -1] = LEFT * 255
        file = read_mask_file(saved(array))
        np.testing.assert_array_equal(file.everything, LEFT)
        assert file.notes == ("Its transparency is taken as the mask.",)


def test_a_grey_photo_cut_out(saved: Saved) -> None:
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    array = np.dstack([rows * 3 + cols, LEFT * 255]).astype(np.uint8)
    np.testing.assert_array_equal(read_mask_file(saved(array)).everything, LEFT)


def test_soft_alpha_is_cut_in_its_middle(saved: Saved) -> None:
    array = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    array[..., 3] = disc(20, 3)
    np.testing.assert_array_equal(read_mask_file(saved(array)).everything, disc(20, 3) > 127)


def test_colours_on_transparent_are_objects(saved: Saved) -> None:
    for alpha in (255, 128):  # opaque, or an overlay seen through
        array = painted((0, 0, 0, 0), (LEFT, (255, 0, 0, alpha)), (RIGHT, (0, 255, 0, alpha)))
        file = read_mask_file(saved(array))
        assert areas(file) == [400, 600]
        assert "transparent in it is taken as background" in file.notes[0]


@pytest.mark.parametrize("alpha", [0, 90, 255])
def test_an_alpha_that_says_nothing_is_left_out(saved: Saved, alpha: int) -> None:
    array = painted((0, 0, 0, alpha), (LEFT, (255, 255, 255, alpha)))
    file = read_mask_file(saved(array))
    np.testing.assert_array_equal(file.everything, LEFT)
    assert bool(file.notes) == (alpha == 0)


def test_a_mask_in_grey_and_in_alpha(saved: Saved) -> None:
    """White on black, and nothing but a frame around both is transparent."""
    visible = np.zeros(LEFT.shape, bool)
    visible[2:-2, 2:-2] = True
    array = np.dstack([LEFT * 255, visible * 255]).astype(np.uint8)
    np.testing.assert_array_equal(read_mask_file(saved(array)).everything, LEFT)


def test_a_transparent_colour_in_a_colour_image(saved: Saved) -> None:
    array = painted((9, 8, 7), (LEFT, (1, 2, 3)))
    np.testing.assert_array_equal(
        read_mask_file(saved(array, transparency=(9, 8, 7))).everything, LEFT
    )
