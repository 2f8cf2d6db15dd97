"""What other programs are given: names, numbers of objects and polygons as they like them. The
rules of Ultralytics are those of its documentation and of version 8.4's loader, which
tests/cli/test_ultralytics.py runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from foreignfiles import source
from pycocotools import mask as coco_mask

from vtmr.formats import FORMATS, AnnotatedImage, Annotation, Files, read, write
from vtmr.formats.coco import CocoFile
from vtmr.formats.outlines import edge_rings, joined, parts_of
from vtmr.formats.yolo import locate
from vtmr.masks import Mask, RunLengths

HEIGHT, WIDTH = 60, 80


def blank() -> Mask:
    return np.zeros((HEIGHT, WIDTH), bool)


def square(top: int = 10, left: int = 10, side: int = 20) -> Mask:
    mask = blank()
    mask[top : top + side, left : left + side] = True
    return mask


def image(name: str, *masks: Mask, label: str = "cup", crowd: bool = False) -> AnnotatedImage:
    objects = tuple(Annotation(label, RunLengths.encode(mask), crowd) for mask in masks)
    return AnnotatedImage(name, HEIGHT, WIDTH, objects)


def yolo_lines(*masks: Mask, name: str = "a.png") -> tuple[list[np.ndarray], Files]:
    """Every line's polygon in pixels."""
    files = write("yolo", [image(name, *masks)], [])
    text = files.content["labels/a.txt"].decode()
    numbers = [np.array(line.split()[1:], float) for line in text.splitlines()]
    return [line.reshape(-1, 2) * (WIDTH, HEIGHT) for line in numbers], files


class TestNames:
    """One image of a troublesome name lies beside a good one, whose files come out all the same."""

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize("name", ["caf\udce9.png", "gr\udcfcn/\udcff.png", "😀 ü.jpg"])
    def test_names_that_are_not_utf8(self, form: str, name: str, tmp_path: Path) -> None:
        files = write(form, [image("good.png", square()), image(name, square())], [])
        assert files.missing == []
        for path, content in files.content.items():
            assert content.decode("utf-8", "strict") if path.endswith((".json", ".txt")) else True
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if form.startswith("coco"):
            coco = CocoFile.parse((tmp_path / "annotations.json").read_bytes())
            assert [one.name for one in coco.images.values()] == ["good.png", name]

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(
        "stem", ["x" * 249, "写" * 83, "sub/" + "é" * 124, "y" * 100 + "\udce9" * 149]
    )
    def test_the_longest_names(self, form: str, stem: str, tmp_path: Path) -> None:
        name = f"{stem}.png"
        twin = f"{stem[:-1]}z.png"  # the same, but for what is cut
        images = [image("good.png", square()), image(name, square()), image(twin, square())]
        files = write(form, images, [])
        per_set = {"label-studio": 2, "voc": 3 * 2 + 2, "yolo": 3 + 1}
        in_one_file = form.startswith("coco") or form in ("cvat", "datumaro")
        assert len(files.content) == per_set.get(form, 1 if in_one_file else 3)
        for path, content in files.content.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)  # the file system takes it
        for link in files.links:
            assert all(len(os.fsencode(part)) <= 255 for part in link.path.split("/"))

    @pytest.mark.parametrize("form", FORMATS)
    @pytest.mark.parametrize(
        "name",
        ["../../evil/x.jpg", "/etc/x.jpg", "a/../../x.jpg", r"..\..\x.jpg", r"\x.jpg", "a//x.jpg"],
    )
    def test_names_that_lead_out_are_missing(self, form: str, name: str) -> None:
        files = write(form, [image("good.png", square()), image(name, square())], [])
        assert files.missing == [f"{name} isn't in the export: its name leads out of the folder."]
        assert files.content
        for path in [*files.content, *(link.path for link in files.links)]:
            assert "evil" not in path and "x" not in Path(path).stem.split("-")
            assert ".." not in path and not path.startswith("/")

    @pytest.mark.parametrize("form", ["yolo", "voc", "labelme", "indexed-png", "png", "datumaro"])
    def test_a_whole_name_that_is_another_ones_stem(self, form: str) -> None:
        names = ["a.jpg", "a.png", "a.jpg.png"]
        files = write(form, [image(name, square()) for name in names], [])
        if form == "datumaro":
            (text,) = files.content.values()
            items = [item["id"] for item in json.loads(text)["items"]]
            assert items == names
        else:
            for name in names:
                mine = [path for path in files.content if f"/{name}." in f"/{path}"]
                folder = [path for path in files.content if f"/{name}/" in f"/{path}"]
                assert mine or folder, name
        assert any("keep the suffix" in sentence for sentence in files.warnings)

    @pytest.mark.parametrize("letter", ["\u202f", "\u00a0", "\u200d", "\u2028", "\u0085"])
    def test_cvat_is_told_names_to_the_letter(self, letter: str) -> None:
        """It knows an image by them: a screenshot of macOS has a narrow space in its name."""
        name = f"at 3.04{letter}PM.png"
        (text,) = write("cvat", [image(name, square())], []).content.values()
        root = ElementTree.fromstring(text)
        assert [one.get("name") for one in root.iter("image")] == [name]


class TestVoc:
    def test_labels_that_its_map_can_not_hold_come_back_each_for_itself(self) -> None:
        labels = ["#1 pick", "ratio 1:2", "ratio 1 2", "background", "cup", "#"]
        masks = [square(left=10 * number, side=5) for number in range(len(labels))]
        objects = [
            Annotation(label, RunLengths.encode(mask))
            for label, mask in zip(labels, masks, strict=True)
        ]
        files = write("voc", [AnnotatedImage("a.png", HEIGHT, WIDTH, tuple(objects))], [])
        assert sum("is called" in sentence for sentence in files.warnings) == 5
        (found,) = read("voc", source(files.content)).images
        back, _ = found.decode((HEIGHT, WIDTH))
        assert len({one.label for one in back}) == len(labels)
        for annotation, mask in zip(back, masks, strict=True):
            np.testing.assert_array_equal(annotation.runs.decode(), mask)
        assert back[4].label == "cup"


class TestIndexed:
    def test_an_image_of_too_many_objects_costs_itself_alone(self) -> None:
        crowd = image("crowd.png", *[square()] * 256)
        full = image("full.png", *[square()] * 255)
        files = write("indexed-png", [crowd, full, image("one.png", square())], [])
        assert list(files.content) == ["full.mask.png", "one.mask.png"]
        assert [sentence.partition(" ")[0] for sentence in files.missing] == ["crowd.png"]


class TestCocoPolygons:
    def test_pycocotools_makes_the_same_masks(self) -> None:
        """Random ones, with holes, corners that touch, and single pixels."""
        random = np.random.default_rng(5)
        masks = [random.random((HEIGHT, WIDTH)) < share for share in (0.05, 0.5, 0.95)]
        masks += [square(), ~square(), np.eye(HEIGHT, WIDTH, dtype=bool), ~blank()]
        files = write("coco-polygons", [image("a.png", *masks)], [])
        records = json.loads(files.content["annotations.json"])["annotations"]
        for record, mask in zip(records, masks, strict=True):
            shapes = coco_mask.frPyObjects(record["segmentation"], HEIGHT, WIDTH)
            np.testing.assert_array_equal(coco_mask.decode(coco_mask.merge(shapes)), mask)
            assert record["area"] == mask.sum()

    def test_a_square_is_its_corners(self) -> None:
        (ring,) = edge_rings(square(10, 20, 5))
        assert sorted(ring.tolist()) == [[20, 10], [20, 15], [25, 10], [25, 15]]

    def test_crowds_stay_crowds(self) -> None:
        for form in ("coco", "coco-polygons"):
            files = write(form, [image("a.png", square(), crowd=True)], [])
            (record,) = json.loads(files.content["annotations.json"])["annotations"]
            assert record["iscrowd"] == 1


class TestJoined:
    def test_every_point_is_visited_and_every_way_walked_back(self) -> None:
        """What isn't an edge of a ring is walked once in each direction."""
        rings = [
            part.edge for part in parts_of(square(5, 5, 4) | square(30, 50, 9) | square(50, 2, 3))
        ]
        whole = joined(rings)
        steps = zip(whole.tolist(), np.roll(whole, -1, axis=0).tolist(), strict=True)
        left = [(tuple(start), tuple(end)) for start, end in steps if start != end]
        for ring in rings:
            for start, end in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
                left.remove((tuple(start), tuple(end)))
        assert len(left) == 2 * (len(rings) - 1)
        assert sorted(left) == sorted((end, start) for start, end in left)

    def test_the_way_between_two_is_the_shortest(self) -> None:
        left, right = (part.edge for part in parts_of(square(10, 10, 10) | square(10, 40, 10)))
        whole = joined([left, right])
        steps = np.abs(whole - np.roll(whole, 1, axis=0)).sum(axis=1)
        assert steps.sum() == 40 + 40 + 2 * 20


class TestYolo:
    def test_an_object_of_parts_is_one_line_that_covers_them(self) -> None:
        mask = square(5, 5, 10) | square(40, 60, 12)
        (ring,), files = yolo_lines(mask)
        filled = blank().astype(np.uint8)
        cv2.fillPoly(filled, [np.floor(ring).astype(np.int32)], 1)  # as Ultralytics draws it
        assert (filled.astype(bool) & ~mask).sum() < 80  # a line a pixel wide
        assert not (mask & ~filled.astype(bool)).any()
        assert files.warnings == ["a.png: 1 object of several parts joined by thin lines."]

    def test_specks_are_left_out_and_said_once_for_an_image(self) -> None:
        """By area: under 4 pixels, or under a thousandth of the object."""
        first = square(5, 5, 10)
        first[40, 70] = first[50, 10] = first[50, 13] = True  # 1 px each
        second = square(5, 30, 10)
        second[30:32, 70:72] = True  # 4 px, of 104
        second[45, 45:48] = True  # 3 px
        lines, files = yolo_lines(first, second)
        assert len(lines) == 2
        assert lines[0].max() < 15
        assert (lines[1] > 69).any()
        assert not ((lines[1][:, 1] > 44) & (lines[1][:, 1] < 47)).any()
        assert files.warnings == [
            "a.png: 1 object of several parts joined by thin lines; 4 specks of 6 px left out."
        ]

    def test_a_thousandth_of_a_large_object_is_a_speck(self) -> None:
        large = np.zeros((200, 300), bool)
        large[:150, :200] = True
        large[180:185, 250:255] = True  # 25 px, of 30,025
        large[180:186, 280:286] = True  # 36 px
        runs = RunLengths.encode(large)
        files = write("yolo", [AnnotatedImage("a.png", 200, 300, (Annotation("x", runs),))], [])
        assert "1 speck of 25 px left out" in files.warnings[0]

    def test_an_object_of_specks_alone_keeps_its_largest(self) -> None:
        mask = blank()
        mask[5, 5] = mask[20, 20:22] = mask[40, 40] = True
        (ring,), _ = yolo_lines(mask)
        ends = [ring.min(0), ring.max(0)]
        np.testing.assert_allclose(ends, [(20.25, 20.25), (21.75, 20.75)], atol=1e-3)

    def test_every_line_is_one_that_ultralytics_takes_for_a_polygon(self) -> None:
        """More than six values, whole class numbers from 0, coordinates in [0, 1], no line
        twice."""
        random = np.random.default_rng(2)
        masks = [random.random((HEIGHT, WIDTH)) < share for share in (0.01, 0.3, 0.7)]
        files = write("yolo", [image("a.png", *masks, ~blank(), label="x")], ["y", "x"])
        lines = files.content["labels/a.txt"].decode().splitlines()
        assert len(set(lines)) == 4
        for line in lines:
            number, *values = line.split()
            assert number == "1"
            assert len(values) >= 6 and len(values) % 2 == 0
            assert 0 <= min(map(float, values)) <= max(map(float, values)) <= 1

    @pytest.mark.parametrize(
        ("name", "photo", "labels"),
        [
            ("a.png", "images/a.png", "labels/a.txt"),
            ("sub/a.b.jpg", "images/sub/a.b.jpg", "labels/sub/a.b.txt"),
            ("images/a.png", "images/images/a.png", "images/labels/a.txt"),
            ("x/images/y/a.png", "images/x/images/y/a.png", "images/x/labels/y/a.txt"),
            ("my images/a.png", "images/my images/a.png", "labels/my images/a.txt"),
        ],
    )
    def test_the_labels_lie_where_ultralytics_looks(
        self, name: str, photo: str, labels: str
    ) -> None:
        """In the photo's path the last folder called images becomes labels, the suffix .txt."""
        files = write("yolo", [image(name, square())], [])
        (link,) = files.links
        assert (link.path, link.photo, link.of) == (photo, name, labels)
        assert labels in files.content

    def test_of_images_that_differ_in_their_suffix_alone_each_has_its_labels(self) -> None:
        files = write("yolo", [image("x.jpg", square()), image("x.png", square())], [])
        for link in files.links:
            looked_for = link.path.replace("images/", "labels/").rsplit(".", 1)[0] + ".txt"
            assert looked_for == link.of
            assert looked_for in files.content

    def test_what_ultralytics_cannot_read_is_said(self) -> None:
        files = write("yolo", [image("a.gif", square())], [])
        assert files.warnings == ["a.gif: Ultralytics doesn't read .gif files."]

    @pytest.mark.parametrize(
        "labels",
        [
            ["cup"],
            ["😀", "👩‍👩‍👧"],
            ['a "b" \\ c', "d: e", "# f", "- g", "yes", "3", "null", "~", "{h}", "%i"],
            ["Größe", "写真", "ё", "é"],
            ["a\u0085b", "\u2028", "\x7f", "\u00a0c", "\ufeffd", "\x07"],
        ],
    )
    def test_data_yaml_gives_every_label_back(self, labels: list[str]) -> None:
        files = write("yolo", [], labels)
        content = yaml.safe_load(files.content["data.yaml"])
        assert content == {"train": "images", "val": "images", "names": dict(enumerate(labels))}

    def test_a_lone_surrogate_costs_itself_alone(self) -> None:
        files = write("yolo", [], ["a\ud83d", "b"])
        assert yaml.safe_load(files.content["data.yaml"])["names"] == {0: "a\ufffd", 1: "b"}

    def test_it_says_where_it_lies(self) -> None:
        files = write("yolo", [], ["cup"])
        locate(files, ["cup"], Path('/home/ü/my "set": 😀'))
        assert yaml.safe_load(files.content["data.yaml"])["path"] == '/home/ü/my "set": 😀'
        locate(files, ["cup"], Path("/home/gr\udcfcn"))
        assert "path" not in yaml.safe_load(files.content["data.yaml"])
