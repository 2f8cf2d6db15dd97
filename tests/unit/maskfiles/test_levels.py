"""What grey values and indices mean; every file is made here, so what it should give is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from maskscenes import HEIGHT, LEFT, RIGHT, WIDTH, Saved, disc, grown
from PIL import Image

import vtmr
from vtmr.errors import InputError
from vtmr.maskfiles import MaskFile, read_mask_file


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return Saved(tmp_path)


def areas(file: MaskFile) -> list[int]:
    """Pixels of each object, in order."""
    return [int(file.mask(number).sum()) for number in file.objects]


# --- one object


@pytest.mark.parametrize("value", [1, 7, 128, 255])
def test_two_values_are_one_object_whatever_they_are(saved: Saved, value: int) -> None:
    file = read_mask_file(saved(LEFT * np.uint8(value)))
    np.testing.assert_array_equal(file.everything, LEFT)
    assert (areas(file), file.ignored, file.notes) == ([400], None, ())


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (LEFT, "m.png"),
        (LEFT * np.uint16(65535), "m.png"),
        (LEFT * np.uint16(1), "m.tif"),
        (LEFT * np.int32(70000), "m.tif"),
        (LEFT * np.float32(0.25), "m.tif"),
        (LEFT * np.uint8(255), "m.bmp"),
        (LEFT * np.uint8(255), "m.pgm"),
        (LEFT * np.uint8(255), "m.webp"),
    ],
)
def test_in_every_depth_and_format(saved: Saved, array: np.ndarray, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    file = read_mask_file(saved(array, name, **options))
    np.testing.assert_array_equal(file.everything, LEFT)
    assert len(file.objects) == 1 and file.notes == ()


def test_an_empty_mask_has_no_object(saved: Saved) -> None:
    file = read_mask_file(saved(np.zeros((HEIGHT, WIDTH), np.uint8)))
    assert file.objects == () and not file.everything.any()


# --- soft edges


@pytest.mark.parametrize("soft", [1, 3, 15])
def test_a_soft_edge_is_cut_in_its_middle(saved: Saved, soft: float) -> None:
    """The distance to the outline is what the disc was made from."""
    file = read_mask_file(saved(disc(20, soft)))
    np.testing.assert_array_equal(file.everything, disc(20, soft) > 127)
    assert abs(int(file.everything.sum()) - np.pi * 20**2) < 40
    assert len(file.objects) == 1 and "soft edge" in file.notes[0]


def test_a_wide_gentle_slope_is_soft_too(saved: Saved) -> None:
    """500 pixels for 255 steps: most pixels are as their neighbours."""
    ramp = np.repeat(np.linspace(0, 255, 700).astype(np.uint8)[None], 40, axis=0)
    ramp[:, :200], ramp[:, 600:] = 0, 255
    file = read_mask_file(saved(ramp))
    np.testing.assert_array_equal(file.everything, ramp > 127)


def test_a_probability_map_that_never_reaches_255(saved: Saved) -> None:
    values = (disc(20, 4) * 0.97).astype(np.uint8)
    file = read_mask_file(saved(values))
    assert len(file.objects) == 1
    np.testing.assert_array_equal(file.everything, values > 127)


def test_a_soft_mask_of_16_bits_and_of_floats(saved: Saved) -> None:
    deep = disc(20, 4).astype(np.uint16) * 257
    np.testing.assert_array_equal(read_mask_file(saved(deep)).everything, deep > 32767)
    share = disc(20, 4).astype(np.float32) / 255
    file = read_mask_file(saved(share, "m.tif"))
    np.testing.assert_array_equal(file.everything, share > 0.5)
    assert "floating-point" in file.notes[0]


def test_a_rescaled_mask_is_soft(saved: Saved) -> None:
    """Four levels from scaling down by 2, as 0, 64, 128, 191, 255 of five labels would be."""
    large = cv2.resize(disc(20), (2 * WIDTH + 2, 2 * HEIGHT + 2), interpolation=cv2.INTER_NEAREST)
    values = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    file = read_mask_file(saved(values))
    assert len(file.objects) == 1
    np.testing.assert_array_equal(file.everything, values > 127)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_mask_that_was_a_jpeg_once_is_cut_in_its_middle(saved: Saved, quality: int) -> None:
    """The blocks of a JPEG are 8 pixels: their values stray around 0 and 255."""
    jpeg = saved(LEFT * np.uint8(255), "m.jpg", quality=quality)
    noisy = np.asarray(Image.open(jpeg))
    assert len(np.unique(noisy)) > 6
    file = read_mask_file(saved(noisy))
    assert len(file.objects) == 1
    assert int((file.everything ^ LEFT).sum()) <= 4


def test_real_photos_are_no_masks(saved: Saved) -> None:
    refused = 0
    for photo in sorted((Path(vtmr.__file__).parent / "assets/photos").glob("*.jpg")):
        image = Image.open(photo).reduce(2)
        for mode in ("L", "RGB"):
            image.convert(mode).save(saved.folder / "m.png")
            with pytest.raises(InputError, match="photo"):
                read_mask_file(saved.folder / "m.png")
            refused += 1
    assert refused >= 10


def test_a_photo_is_no_mask(saved: Saved) -> None:
    noise = np.random.default_rng(0).normal(120, 30, (HEIGHT, WIDTH))
    photo = cv2.GaussianBlur(noise, (0, 0), 3) * 3 - 240
    with pytest.raises(InputError, match=r"m\.png can't be read as a mask.*as in a photo"):
        read_mask_file(saved(np.clip(photo, 0, 255).astype(np.uint8)))


# --- label maps


@pytest.mark.parametrize("values", [(1, 2), (7, 11), (100, 200), (3, 254), (85, 170)])
def test_a_label_map_has_an_object_per_value(saved: Saved, values: tuple[int, int]) -> None:
    file = read_mask_file(saved((LEFT * values[0] + RIGHT * values[1]).astype(np.uint8)))
    assert file.objects == values
    np.testing.assert_array_equal(file.mask(values[0]), LEFT)
    np.testing.assert_array_equal(file.mask(values[1]), RIGHT)
    assert file.ignored is None and "one object each" in file.notes[0]


@pytest.mark.parametrize(
    "values",
    [(1001, 300), (26001, 26002), (26 * 256 + 1, 24 * 256 + 3), (1005, 2007), (65534, 256)],
)
@pytest.mark.parametrize("name", ["m.png", "m.tif"])
def test_ids_of_16_bits(saved: Saved, values: tuple[int, int], name: str) -> None:
    """Cell counters, Cityscapes, KITTI, MOTS: an id per object."""
    array = (LEFT * np.uint16(values[0]) + RIGHT * np.uint16(values[1])).astype(np.uint16)
    file = read_mask_file(saved(array, name))
    assert file.objects == tuple(sorted(values))
    np.testing.assert_array_equal(file.mask(values[0]), LEFT)
    assert file.ignored is None


def test_ids_of_32_bits(saved: Saved) -> None:
    array = LEFT * np.int32(100_001) + RIGHT * np.int32(2)
    assert areas(read_mask_file(saved(array, "m.tif"))) == [600, 400]


def test_touching_labels_in_reading_order_are_no_slope(saved: Saved) -> None:
    """Superpixels: 12 x 16 squares numbered as one reads; each neighbour's number is the next."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH] // 5
    file = read_mask_file(saved((rows * 16 + cols + 1).astype(np.uint8)))
    assert len(file.objects) == 192 and set(areas(file)) == {25}


def test_many_small_cells_are_objects(saved: Saved) -> None:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(200):
        row, col = 2 + number // 20 * 5, 2 + number % 20 * 4
        values[row : row + 2, col : col + 2] = number + 1
    assert areas(read_mask_file(saved(values))) == [4] * 200


def test_a_depth_map_is_no_mask(saved: Saved) -> None:
    values = np.random.default_rng(0).permutation(HEIGHT * WIDTH * 2)[: HEIGHT * WIDTH] + 300
    with pytest.raises(InputError, match=r"can't be read as a mask\..*as in a photo"):
        read_mask_file(saved(values.reshape(HEIGHT, WIDTH).astype(np.uint16) * 5))


# --- pixels to ignore


@pytest.mark.parametrize("labels", [(1, 2), (15, 9), (18, 33), (3, 150)])
def test_255_as_a_rim_around_labels_is_ignored(saved: Saved, labels: tuple[int, int]) -> None:
    values = (LEFT * labels[0] + RIGHT * labels[1]).astype(np.uint8)
    rim = (grown(LEFT, 2) & ~LEFT) | (grown(RIGHT, 2) & ~RIGHT)
    values[rim] = 255
    file = read_mask_file(saved(values))
    assert file.objects == tuple(sorted(labels))
    assert sorted(areas(file)) == [400, 600]
    np.testing.assert_array_equal(file.ignored, rim)
    assert "255 is taken as pixels to ignore" in file.notes[0]


def test_one_label_with_255_around_it(saved: Saved) -> None:
    values = LEFT.astype(np.uint8) * 15
    values[grown(LEFT, 3) & ~LEFT] = 255
    file = read_mask_file(saved(values))
    assert (file.objects, areas(file)) == ((15,), [400])


def test_255_as_a_large_area_beside_small_labels_is_ignored(saved: Saved) -> None:
    values = (LEFT * 1 + RIGHT * 255).astype(np.uint8)
    file = read_mask_file(saved(values))
    assert file.objects == (1,)
    np.testing.assert_array_equal(file.ignored, RIGHT)


def test_255_as_the_last_of_visible_labels_is_an_object(saved: Saved) -> None:
    """85, 170, 255: three labels spread out to be seen; 254, 255: numbers that go so far."""
    third = np.zeros_like(LEFT)
    third[2:8, 60:75] = True
    for values in ((85, 170, 255), (253, 254, 255), (80, 160, 255)):
        array = LEFT * values[0] + RIGHT * values[1] + third * values[2]
        file = read_mask_file(saved(array.astype(np.uint8)))
        assert file.objects == values
        assert file.ignored is None


def test_a_trimaps_grey_is_unknown(saved: Saved) -> None:
    """GrabCut's: 128 around the object, thin or thick."""
    for width in (1, 2, 6):
        values = RIGHT.astype(np.uint8) * 255
        unknown = grown(RIGHT, width) & ~RIGHT
        values[unknown] = 128
        file = read_mask_file(saved(values))
        assert areas(file) == [600]
        np.testing.assert_array_equal(file.ignored, unknown)
        assert "128 beside 255 is taken as unknown" in file.notes[0]


def test_two_greys_apart_are_two_objects(saved: Saved) -> None:
    file = read_mask_file(saved((LEFT * 128 + RIGHT * 255).astype(np.uint8)))
    assert (file.objects, file.ignored) == ((128, 255), None)


@pytest.mark.parametrize(("ids", "void"), [((1001, 2005), 10_000), ((1, 2), 65_535)])
def test_ignored_ids_of_16_bits(saved: Saved, ids: tuple[int, int], void: int) -> None:
    array = LEFT * np.uint16(ids[0]) + RIGHT * np.uint16(ids[1])
    array[:5] = void
    file = read_mask_file(saved(array))
    assert file.objects == ids
    assert file.ignored is not None and int(file.ignored.sum()) == 5 * WIDTH


def test_values_below_0_are_ignored(saved: Saved) -> None:
    array = LEFT * np.int32(3)
    array[:5] = -1
    file = read_mask_file(saved(array, "m.tif"))
    assert (file.objects, areas(file)) == ((3,), [400])
    assert file.ignored is not None and int(file.ignored.sum()) == 5 * WIDTH


# --- what a data set says


def test_a_data_set_may_say_that_every_value_is_a_label(saved: Saved) -> None:
    values = (LEFT * 128 + grown(LEFT, 1) * 127).astype(np.uint8)
    assert read_mask_file(saved(values)).objects == (1,)
    assert read_mask_file(saved(values), reading="labels").objects == (127, 255)


def test_a_data_set_may_say_that_whatever_isnt_zero_is_the_object(saved: Saved) -> None:
    values = (LEFT * 1 + RIGHT * 255).astype(np.uint8)
    file = read_mask_file(saved(values), reading="any")
    np.testing.assert_array_equal(file.everything, LEFT | RIGHT)


# --- what is refused, and which way up


@pytest.mark.parametrize("shape", [(WIDTH, HEIGHT), (HEIGHT, WIDTH + 1)])
def test_a_mask_of_another_size(saved: Saved, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=rf"is 80x60: expected the image's size {shape[1]}x"):
        read_mask_file(saved(LEFT * np.uint8(255)), shape)


def test_a_jpeg(saved: Saved) -> None:
    with pytest.raises(InputError, match=r"m\.png is a JPEG"):
        read_mask_file(saved(LEFT * np.uint8(255), "m.png", format="JPEG"))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_mask_is_turned_as_its_photo_is(saved: Saved, suffix: str) -> None:
    """Orientation 6: the stored picture is turned by a quarter, clockwise."""
    options = {"tiffinfo": {274: 6}} if suffix == "tif" else {"exif": b"Exif\0\0MM\0*" + EXIF_6}
    if suffix == "webp":
        options["lossless"] = True
    file = read_mask_file(saved(LEFT * np.uint8(255), f"m.{suffix}", **options), (WIDTH, HEIGHT))
    np.testing.assert_array_equal(file.everything, np.rot90(LEFT, -1))


# an IFD of one entry: orientation (274), a short, one of them, 6
EXIF_6 = (8).to_bytes(4) + (1).to_bytes(2) + bytes.fromhex("0112 0003 00000001 00060000 00000000")


def test_pages_are_said(saved: Saved) -> None:
    first, second = (mask * np.uint8(255) for mask in (LEFT, RIGHT))
    path = saved.folder / "stack.tif"
    Image.fromarray(first).save(path, save_all=True, append_images=[Image.fromarray(second)])
    file = read_mask_file(path)
    np.testing.assert_array_equal(file.everything, LEFT)
    assert file.notes == ("It holds several pictures (TIFF): the first is taken.",)
