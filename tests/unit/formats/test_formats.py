"""Annotations out and in again: masks come back bit for bit where the format can hold them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from vtmr.app.edits import without_holes
from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, write
from vtmr.formats.coco import CocoFile
from vtmr.formats.cocoshapes import coco_runs
from vtmr.formats.outlines import parts_of
from vtmr.formats.png import read_masks
from vtmr.masks import Mask, RunLengths

HEIGHT, WIDTH = 50, 70


def blank() -> Mask:
    return np.zeros((HEIGHT, WIDTH), bool)


def ring() -> Mask:
    mask = blank()
    mask[5:25, 8:30] = True
    mask[10:20, 14:20] = False
    return mask


def two_parts() -> Mask:
    mask = blank()
    mask[30:40, 40:60] = mask[45:50, 0:3] = True  # one at the image's border
    return mask


def blob() -> Mask:
    """A noisy outline with diagonal contacts."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(3).normal(0, 3, (HEIGHT, WIDTH))
    return np.asarray(np.hypot(rows - 25, cols - 35) + noise < 15)


def image(*objects: tuple[str, Mask], name: str = "sub/photo.jpg") -> AnnotatedImage:
    return AnnotatedImage(
        name,
        HEIGHT,
        WIDTH,
        tuple(Annotation(label, RunLengths.encode(mask)) for label, mask in objects),
    )


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.mask.png"
    path.write_bytes(data)
    return path


class TestCoco:
    def test_masks_labels_boxes_and_areas(self) -> None:
        """Read back by pycocotools itself."""
        files = write(
            "coco", [image(("cup", ring()), ("dish", two_parts())), image(name="b.jpg")], ["dish"]
        )
        document = json.loads(files.content["annotations.json"])
        assert [one["file_name"] for one in document["images"]] == ["sub/photo.jpg", "b.jpg"]
        assert document["categories"] == [{"id": 1, "name": "dish"}, {"id": 2, "name": "cup"}]
        cup, dish = document["annotations"]
        assert (cup["category_id"], dish["category_id"], cup["image_id"]) == (2, 1, 1)
        np.testing.assert_array_equal(coco_mask.decode(cup["segmentation"]).astype(bool), ring())
        assert cup["bbox"] == [8, 5, 22, 20]
        assert cup["area"] == ring().sum() == 22 * 20 - 60

    @pytest.mark.parametrize("mask", [ring(), two_parts(), blob()])
    def test_all_three_forms_are_read(self, mask: Mask) -> None:
        runs = RunLengths.encode(mask)
        text = {"size": [HEIGHT, WIDTH], "counts": runs.counts.decode()}
        flat = mask.T.reshape(-1)  # COCO counts down the columns, zeros first
        edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]))).tolist()
        numbers = {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, flat.size]).tolist()}
        assert coco_runs(text, HEIGHT, WIDTH) == runs
        np.testing.assert_array_equal(coco_runs(numbers, HEIGHT, WIDTH).decode(), mask)

    def test_polygons_are_filled_and_joined(self) -> None:
        wanted = blank()
        wanted[10:20, 5:15] = wanted[30:40, 5:15] = True
        squares = [[5, top, 15, top, 15, top + 10, 5, top + 10] for top in (10, 30)]
        np.testing.assert_array_equal(coco_runs(squares, HEIGHT, WIDTH).decode(), wanted)

    @pytest.mark.parametrize(
        "segmentation",
        [
            [],
            [[]],
            [[1, 2, 3, 4]],
            [[1, 2, 3, 4, 5]],
            [[1, 2, 3, 4, 5, "x"]],
            [[1, 2, 3, 4, 5, float("nan")]],
            [[1, 2, 3, 4, 5, 1e30]],
            None,
            3,
            "text",
            {},
            {"size": [50, 70]},
            {"size": 3, "counts": []},
            {"size": [70, 50], "counts": [3500]},
            {"size": [50, 70], "counts": [3499]},
            {"size": [50, 70], "counts": [-1, 3501]},
            {"size": [50, 70], "counts": "ü"},
            {"size": [50, 70], "counts": "0"},
            {"size": [50, 70], "counts": {}},
        ],
    )
    def test_anything_else_is_refused(self, segmentation: object) -> None:
        with pytest.raises(InputError):
            coco_runs(segmentation, HEIGHT, WIDTH)

    def test_an_annotation_of_no_image_is_refused(self) -> None:
        with pytest.raises(InputError, match="an annotation of image 2"):
            CocoFile.parse({"images": [], "annotations": [{"image_id": 2, "segmentation": []}]})


class TestPng:
    def test_one_per_object(self, tmp_path: Path) -> None:
        files = write("png", [image(("cup", ring()), ("a/../b", two_parts()))], [])
        assert list(files.content) == ["sub/photo/001-cup.png", "sub/photo/002-a_b.png"]
        values = np.array(Image.open(io.BytesIO(files.content["sub/photo/001-cup.png"])))
        np.testing.assert_array_equal(values, ring() * 255)

    def test_indexed_ones_come_back_with_their_labels(self, tmp_path: Path) -> None:
        files = write("indexed-png", [image(("cup", ring()), ("Löffel", two_parts()))], [])
        data = files.content["sub/photo.mask.png"]
        assert Image.open(io.BytesIO(data)).mode == "P"
        assert files.warnings == []
        back, notes = read_masks(saved(tmp_path, data), (HEIGHT, WIDTH), ["other"])
        assert notes == ()
        assert [one.label for one in back] == ["cup", "Löffel"]
        np.testing.assert_array_equal(back[0].runs.decode(), ring())
        np.testing.assert_array_equal(back[1].runs.decode(), two_parts())

    def test_colours_of_neighbouring_objects_differ(self) -> None:
        data = write("indexed-png", [image(("cup", ring()))], []).content["sub/photo.mask.png"]
        palette = np.array(Image.open(io.BytesIO(data)).getpalette()).reshape(-1, 3)
        assert palette[0].tolist() == [0, 0, 0]
        assert np.abs(np.diff(palette[1:].astype(int), axis=0)).sum(axis=1).min() > 100

    def test_the_upper_object_hides_the_lower_and_that_is_said(self, tmp_path: Path) -> None:
        files = write("indexed-png", [image(("low", ring()), ("high", blob()))], [])
        common = int((ring() & blob()).sum())
        assert files.warnings == [
            f"sub/photo.jpg: objects overlap in {common} pixels, which only the upper one keeps."
        ]
        (low, high), _ = read_masks(
            saved(tmp_path, files.content["sub/photo.mask.png"]), (HEIGHT, WIDTH), []
        )
        np.testing.assert_array_equal(high.runs.decode(), blob())
        np.testing.assert_array_equal(low.runs.decode(), ring() & ~blob())

    def test_an_image_of_more_objects_than_indices_costs_itself_alone(self) -> None:
        files = write(
            "indexed-png",
            [image(*[("x", ring())] * 256, name="a.png"), image(("x", ring()), name="b.png")],
            [],
        )
        assert list(files.content) == ["b.mask.png"]
        (said,) = files.missing
        assert said.startswith("a.png isn't in the export: it has 256 objects, an indexed PNG")

    def test_grey_masks(self, tmp_path: Path) -> None:
        """0 and 255 with soft edges are one object, small values a label map."""
        path, values = tmp_path / "g.png", np.zeros((HEIGHT, WIDTH), np.uint8)
        values[5:10, 5:10], values[10, 5:10], values[11, 5:10] = 255, 128, 127
        Image.fromarray(values).save(path)
        (one,), _ = read_masks(path, (HEIGHT, WIDTH), ["cup"])
        assert one.label == "cup"
        np.testing.assert_array_equal(one.runs.decode(), values > 127)
        Image.fromarray((values > 0) * np.uint8(2) + (values > 127) * np.uint8(1)).save(path)
        (two, three), _ = read_masks(path, (HEIGHT, WIDTH), ["cup", "dish"])
        assert (two.label, three.label) == ("dish", "object")
        np.testing.assert_array_equal(three.runs.decode(), values > 127)

    def test_another_size_and_damage_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is not an image"):
            read_masks(saved(tmp_path, b"nonsense"), (HEIGHT, WIDTH), [])
        data = write("indexed-png", [image(("cup", ring()))], []).content["sub/photo.mask.png"]
        with pytest.raises(InputError, match="is 70x50: expected the image's size 50x70"):
            read_masks(saved(tmp_path, data), (WIDTH, HEIGHT), [])


class TestYolo:
    @staticmethod
    def inside(polygon: np.ndarray) -> Mask:
        """The pixels whose centres lie in the polygon, by crossings to the right: even-odd, from
        the definition."""
        rows, cols = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        odd = blank()
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if y0 != y1:
                crosses = (y0 > rows) != (y1 > rows)
                odd ^= crosses & (cols < x0 + (rows - y0) * (x1 - x0) / (y1 - y0))
        return odd

    @pytest.mark.parametrize(
        "mask", [two_parts(), blob(), ~blank(), np.eye(HEIGHT, WIDTH, dtype=bool)]
    )
    def test_polygons_hold_exactly_the_masks_pixels(self, mask: Mask) -> None:
        filled = np.logical_or.reduce([self.inside(part.outline) for part in parts_of(mask)])
        np.testing.assert_array_equal(filled, without_holes(mask))

    def test_an_object_is_a_line_and_an_images_losses_a_warning(self) -> None:
        files = write("yolo", [image(("cup", ring()), ("dish", two_parts()))], ["dish"])
        lines = files.content["labels/sub/photo.txt"].decode().splitlines()
        assert [line.split()[0] for line in lines] == ["1", "0"]
        numbers = np.array(lines[0].split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT)
        np.testing.assert_allclose(
            [numbers.min(0), numbers.max(0)], [(8.25, 5.25), (29.75, 24.75)], atol=1e-3
        )
        assert files.warnings == [
            "sub/photo.jpg: 1 hole filled; 1 object of several parts joined by thin lines."
        ]
        assert 'names:\n  0: "dish"\n  1: "cup"\n' in files.content["data.yaml"].decode()


class TestLabelme:
    @pytest.mark.parametrize("mask", [ring(), two_parts(), blob()])
    def test_its_masks_are_the_boxes_pixels(self, mask: Mask) -> None:
        """LabelMe lays a shape's mask at [y0 : y1 + 1, x0 : x1 + 1] of the points (x0, y0), (x1,
        y1)."""
        document = json.loads(
            write("labelme", [image(("cup", mask))], []).content["sub/photo.json"]
        )
        (shape,) = document["shapes"]
        (x0, y0), (x1, y1) = (map(int, point) for point in shape["points"])
        patch = np.array(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(bool)
        back = blank()
        back[y0 : y1 + 1, x0 : x1 + 1] = patch
        np.testing.assert_array_equal(back, mask)
        assert (document["imagePath"], document["imageHeight"], document["imageWidth"]) == (
            "photo.jpg",
            HEIGHT,
            WIDTH,
        )
        assert shape["shape_type"] == "mask"


@pytest.mark.parametrize(
    "form", ["indexed-png", "labelme", "labelme-polygons", "png", "voc", "yolo"]
)
def test_images_that_differ_in_their_suffix_alone_stay_apart(form: str) -> None:
    files = write(
        form, [image(("a", ring()), name="x.jpg"), image(("a", blob()), name="x.png")], []
    )
    names = [name for name in files.content if "x." in name]
    assert len(names) == (4 if form == "voc" else 2)
    assert (
        files.warnings[0] == "Several images are called x: their files keep the suffix in the name."
    )


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'xyz' is unknown: expected one of coco, coco-polygons"):
        write("xyz", [], [])
