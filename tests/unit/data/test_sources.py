"""Readers of data sets, on tiny folders made here: each mask's pixels are known because the test
writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtmr.data import (
    OPENERS,
    CocoSource,
    LabelSource,
    PairSource,
    listed_stems,
    open_benchmark,
    read_object,
)
from vtmr.errors import DataError

HEIGHT, WIDTH = 6, 8


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def photo(value: int = 100, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width, 3), (value, 20, 30), np.uint8)


def block() -> np.ndarray:
    """bool H x W with rows 1-3 and columns 2-5 on."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[1:4, 2:6] = True
    return mask


class TestPairs:
    def test_stems_with_spaces_and_capitals_and_any_suffix(self, tmp_path: Path) -> None:
        for i, name in enumerate(("My Photo 1.PNG", "b.bmp")):
            save(tmp_path / "images" / name, photo(i))
        save(tmp_path / "masks" / "My Photo 1.png", block() * np.uint8(255))
        save(tmp_path / "masks" / "b.BMP", ~block() * np.uint8(255))
        source = PairSource.open("pairs", tmp_path)
        assert source.stems == ("My Photo 1", "b")
        assert source.object_ids("b") == ("0",)
        assert source.image("My Photo 1")[0, 0].tolist() == [0, 20, 30]  # RGB
        assert source.image("b")[0, 0].tolist() == [1, 20, 30]
        np.testing.assert_array_equal(source.mask("My Photo 1", "0"), block())
        np.testing.assert_array_equal(source.mask("b", "0"), ~block())

    def test_accents_in_two_characters_and_in_one_are_the_same_name(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "e\u0301t\u00e9.png", photo())
        save(tmp_path / "masks" / "\u00e9te\u0301.png", block() * np.uint8(255))
        (tmp_path / "val.txt").write_text("e\u0301te\u0301\n", "utf-8")
        source = PairSource.open("pairs", tmp_path)
        assert source.stems == ("\u00e9t\u00e9",)
        np.testing.assert_array_equal(source.mask("\u00e9t\u00e9", "0"), block())
        assert listed_stems(tmp_path / "val.txt") == {"\u00e9t\u00e9"}

    @pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
    def test_a_mask_is_white_in_whatever_mode_it_is_stored(self, tmp_path: Path, mode: str) -> None:
        """A palette whose white has index 1: by value it is object, by index it would be
        background."""
        save(tmp_path / "images" / "a.png", photo())
        mask = Image.fromarray(block() * np.uint8(255))
        if mode == "P":
            mask = Image.fromarray(block().astype(np.uint8))
            mask.putpalette([0, 0, 0, 255, 255, 255])
        (tmp_path / "masks").mkdir()
        (mask if mode == "P" else mask.convert(mode)).save(tmp_path / "masks" / "a.png")
        np.testing.assert_array_equal(PairSource.open("pairs", tmp_path).mask("a", "0"), block())

    def test_grey_is_object_from_128_on(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo(1, 1, 4))
        save(tmp_path / "masks" / "a.png", np.array([[0, 127, 128, 255]], np.uint8))
        assert PairSource.open("pairs", tmp_path).mask("a", "0").tolist() == [
            [False, False, True, True]
        ]

    def test_an_image_without_mask_is_named(self, tmp_path: Path) -> None:
        for name in ("a", "b", "c"):
            save(tmp_path / "images" / f"{name}.png", photo())
        save(tmp_path / "masks" / "b.png", block())
        with pytest.raises(
            DataError, match=r"2 image\(s\) without a mask of the same stem, first 'a'"
        ):
            PairSource.open("pairs", tmp_path)

    def test_an_empty_or_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="images is not a folder"):
            PairSource.open("pairs", tmp_path)
        (tmp_path / "images").mkdir()
        with pytest.raises(DataError, match=r"images holds no .*\.jpg.* file"):
            PairSource.open("pairs", tmp_path)

    @pytest.mark.parametrize("kept", [0, 20, 45])
    @pytest.mark.parametrize("which", ["images", "masks"])
    def test_a_damaged_file_is_named(
        self, tmp_path: Path, which: str, kept: int, capfd: pytest.CaptureFixture[str]
    ) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "masks" / "a.png", block() * np.uint8(255))
        path = tmp_path / which / "a.png"
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError, match=rf"{which}/a\.png"):
            read_object(PairSource.open("pairs", tmp_path), "a", "0")
        # The decoder must not chat: the command's one sentence is enough.
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize(
        ("values", "suffix"),
        [
            (block() * np.uint16(65535), "png"),
            (block() * np.uint8(1), "png"),
            (block() * np.int32(26001), "tif"),
            (block() * np.uint8(255), "tiff"),
        ],
    )
    def test_whatever_the_object_is_stored_as(
        self, tmp_path: Path, values: np.ndarray, suffix: str
    ) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "masks" / f"a.{suffix}", values)
        source = PairSource.open("pairs", tmp_path)
        np.testing.assert_array_equal(source.mask("a", "0"), block())
        assert source.notes("a") == ()

    def test_several_objects_are_one_group_and_pixels_to_ignore_are_told(
        self, tmp_path: Path
    ) -> None:
        values = block().astype(np.uint8)
        values[0], values[5, :3] = 255, 2
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "masks" / "a.png", values)
        source = PairSource.open("pairs", tmp_path)
        _, mask, ignored = read_object(source, "a", "0")
        np.testing.assert_array_equal(mask, (values == 1) | (values == 2))
        np.testing.assert_array_equal(ignored, values == 255)
        assert source.notes("a") == (
            "Its value 255 is taken as pixels to ignore, the others as objects.",
            "Its 2 objects count as one.",
        )
        (sample,) = open_benchmark("pairs", tmp_path)
        np.testing.assert_array_equal(sample.load()[2], values == 255)

    def test_a_mask_of_another_size_than_its_image_is_refused(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo(1, HEIGHT, WIDTH + 1))
        save(tmp_path / "masks" / "a.png", block())
        with pytest.raises(DataError, match=r"mask of pairs/a is 8x6, its image 9x6"):
            read_object(PairSource.open("pairs", tmp_path), "a", "0")

    def test_a_stem_that_the_folder_lacks_is_named(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "masks" / "a.png", block())
        source = PairSource.open("pairs", tmp_path)
        for read in (lambda: source.image("z"), lambda: source.mask("z", "0")):
            with pytest.raises(DataError, match="pairs has no 'z'"):
                read()


class TestLabels:
    def test_255_beside_labels_is_ignored(self, tmp_path: Path) -> None:
        labels = block().astype(np.uint8) * 7
        labels[0] = 255
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "labels" / "a.tif", labels)
        for displaced in (0, 1):
            source = LabelSource.open("own", tmp_path, displaced)
            assert source.object_ids("a") == ("7",)
            _, mask, ignored = read_object(source, "a", "7")
            assert int(mask.sum()) == 12
            np.testing.assert_array_equal(ignored[0], [not displaced] * WIDTH)

    def test_ids_of_16_bits(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "labels" / "a.png", block() * np.uint16(26001))
        source = LabelSource.open("own", tmp_path)
        assert source.object_ids("a") == ("26001",)
        np.testing.assert_array_equal(source.mask("a", "26001"), block())

    def labels(self) -> np.ndarray:
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[:2], labels[4:, 3:] = 7, 200
        return labels

    def test_each_label_but_0_is_an_object(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "labels" / "a.png", self.labels())
        source = LabelSource.open("ccp", tmp_path)
        assert source.object_ids("a") == ("7", "200")
        np.testing.assert_array_equal(source.mask("a", "7"), self.labels() == 7)
        np.testing.assert_array_equal(source.mask("a", "200"), self.labels() == 200)

    def test_displaced_labels_are_moved_back(self, tmp_path: Path) -> None:
        """By a pixel, left and up; what that leaves open has the labels beside it."""
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "labels" / "a.png", self.labels())
        moved = LabelSource.open("ccp", tmp_path, displaced=1).values("a")
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        expected[:1], expected[3:, 2:] = 7, 200
        np.testing.assert_array_equal(moved, expected)
        np.testing.assert_array_equal(
            OPENERS["ccp"]("ccp", tmp_path).mask("a", "200"), expected == 200
        )
        np.testing.assert_array_equal(
            OPENERS["bsds"]("bsds", tmp_path).mask("a", "200"), self.labels() == 200
        )

    def test_a_displaced_map_of_a_single_pixel_stays(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo(height=1, width=1))
        save(tmp_path / "labels" / "a.png", np.full((1, 1), 7, np.uint8))
        assert LabelSource.open("ccp", tmp_path, displaced=1).values("a").tolist() == [[7]]

    def test_several_label_maps_share_an_image(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "x_1.png", photo(5))
        save(tmp_path / "images" / "y.png", photo(6))
        for stem in ("x_1_1", "x_1_2", "y"):
            save(tmp_path / "labels" / f"{stem}.png", self.labels())
        source = LabelSource.open("bsds", tmp_path)
        assert source.stems == ("x_1_1", "x_1_2", "y")
        assert [int(source.image(stem)[0, 0, 0]) for stem in source.stems] == [5, 5, 6]

    def test_palettes_are_read_by_index(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo())
        picture = Image.fromarray(np.minimum(self.labels(), 9))
        picture.putpalette([0, 0, 0, *(3 * [128, 0, 0] * 20)])  # all labels of one colour
        (tmp_path / "labels").mkdir()
        picture.save(tmp_path / "labels" / "a.png")
        source = LabelSource.open("ccp", tmp_path)
        assert source.object_ids("a") == ("7", "9")
        np.testing.assert_array_equal(source.mask("a", "7"), self.labels() == 7)

    def test_a_label_map_without_image_is_named(self, tmp_path: Path) -> None:
        save(tmp_path / "images" / "a.png", photo())
        save(tmp_path / "labels" / "b_1.png", self.labels())
        with pytest.raises(DataError, match=r"1 label map\(s\) without an image, first 'b_1'"):
            LabelSource.open("ccp", tmp_path)


def coco(root: Path, *segmentations: Any, crowd: tuple[int, ...] = (), **changes: Any) -> Path:
    """A COCO folder with one image and an annotation, of ids 10, 11, …, for each segmentation."""
    save(root / "images" / "a.png", photo())
    annotations = [
        {"id": 10 + i, "image_id": 1, "segmentation": segmentation, "iscrowd": int(10 + i in crowd)}
        for i, segmentation in enumerate(segmentations)
    ]
    images = [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}]
    content = {"images": images, "annotations": annotations} | changes
    (root / "instances.json").write_text(json.dumps(content))
    return root


# Of `block()`, column by column from the top left, by hand: two empty columns and a pixel are off,
# three on, …
BLOCK_RUNS = [13, 3, 3, 3, 3, 3, 3, 3, 14]
BLOCK_TEXT = "=3300000;"  # the same, as pycocotools' own encoder writes it
BLOCK_POLYGON = [2, 1, 6, 1, 6, 4, 2, 4]


class TestCoco:
    def test_the_text_of_these_tests_is_pycocotools(self) -> None:
        from pycocotools import mask

        assert (
            mask.encode(np.asfortranarray(block().astype(np.uint8)))["counts"].decode()
            == BLOCK_TEXT
        )

    @pytest.mark.parametrize(
        "segmentation",
        [
            [BLOCK_POLYGON],
            {"size": [HEIGHT, WIDTH], "counts": BLOCK_RUNS},
            {"size": [HEIGHT, WIDTH], "counts": BLOCK_TEXT},
        ],
        ids=["polygon", "list", "text"],
    )
    def test_the_three_forms_of_a_mask(self, tmp_path: Path, segmentation: Any) -> None:
        source = CocoSource.open("coco", coco(tmp_path, segmentation))
        assert source.object_ids("a") == ("10",)
        image, mask, _ = read_object(source, "a", "10")
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, block())

    def test_several_polygons_are_one_object(self, tmp_path: Path) -> None:
        parts = [[2, 1, 4, 1, 4, 4, 2, 4], [4, 1, 6, 1, 6, 4, 4, 4]]
        np.testing.assert_array_equal(
            CocoSource.open("coco", coco(tmp_path, parts)).mask("a", "10"), block()
        )

    def test_crowds_and_images_without_objects_are_left_out(self, tmp_path: Path) -> None:
        polygon = [BLOCK_POLYGON]
        save(tmp_path / "images" / "unmarked.png", photo())
        source = CocoSource.open("coco", coco(tmp_path, polygon, polygon, polygon, crowd=(11,)))
        assert source.stems == ("a",)
        assert source.object_ids("a") == ("10", "12")

    @pytest.mark.parametrize(
        "segmentation",
        [
            [[]],
            [[1, 2, 3]],
            [["a"] * 6],
            [1, 2, 3, 4, 5, [6]],
            # Doesn't fill the image: pycocotools reads beyond its end.
            {
                "size": [HEIGHT, WIDTH],
                "counts": [13, 3],
            },
            {"size": [HEIGHT, WIDTH], "counts": "=3"},  # the same as text,
            {"counts": BLOCK_TEXT},
        ],
    )
    def test_an_unreadable_mask_is_named(self, tmp_path: Path, segmentation: Any) -> None:
        source = CocoSource.open("coco", coco(tmp_path, segmentation))
        with pytest.raises(DataError, match="coco: annotation 10 of 'a' has no readable mask"):
            source.mask("a", "10")

    def test_run_lengths_of_another_size_than_the_image_are_refused(self, tmp_path: Path) -> None:
        runs = {"size": [WIDTH, HEIGHT], "counts": BLOCK_RUNS}
        for changed in ({**runs, "counts": BLOCK_TEXT}, runs):
            source = CocoSource.open("coco", coco(tmp_path, changed))
            with pytest.raises(DataError, match="expected one size"):
                read_object(source, "a", "10")

    def test_an_annotation_that_the_file_lacks_is_named(self, tmp_path: Path) -> None:
        source = CocoSource.open("coco", coco(tmp_path, [BLOCK_POLYGON]))
        with pytest.raises(DataError, match="coco/a has no '99'"):
            source.mask("a", "99")

    def test_a_missing_image_is_named(self, tmp_path: Path) -> None:
        coco(tmp_path, [BLOCK_POLYGON])
        (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "other.png")
        with pytest.raises(DataError, match=r"names 1 image\(s\) that .*images lacks, first 'a'"):
            CocoSource.open("coco", tmp_path)

    @pytest.mark.parametrize(
        "content", ["", "[]", "{}", '{"images": [{"id": 1}], "annotations": []}']
    )
    def test_another_file_is_no_instances_file(self, tmp_path: Path, content: str) -> None:
        coco(tmp_path, [BLOCK_POLYGON])
        (tmp_path / "instances.json").write_text(content)
        with pytest.raises(DataError, match=r"instances\.json is not a COCO instances file"):
            CocoSource.open("coco", tmp_path)


def test_a_list_has_one_stem_a_line(tmp_path: Path) -> None:
    path = tmp_path / "val.txt"
    path.write_text("a\nMy Photo 1\r\n\n  b \n")
    assert listed_stems(path) == {"a", "My Photo 1", "b"}
    assert listed_stems(tmp_path / "none.txt") == frozenset()
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"val\.txt can't be read"):
        listed_stems(path)
