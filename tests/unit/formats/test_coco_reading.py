"""COCO files as other programs write them. What is expected is drawn here, or counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from peaks import PEAK_KB

from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, cocoshapes, write
from vtmr.formats.coco import CocoFile
from vtmr.formats.cocoshapes import coco_runs, longest_outline_px
from vtmr.masks import RunLengths

SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]  # 100 pixels


def image(name: str = "a.png", key: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "file_name": name, "width": 60, "height": 40, **more}


def annotation(key: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": key, "image_id": 1, "category_id": 7, "segmentation": SQUARE, **more}


def document(*annotations: Any, images: Any = None, categories: Any = None) -> dict[str, Any]:
    return {
        "images": [image()] if images is None else images,
        "annotations": list(annotations),
        "categories": [{"id": 7, "name": "cat"}] if categories is None else categories,
    }


def found(content: Any, key: str = "1") -> list[tuple[str, int]]:
    """Labels and areas of an image's objects."""
    objects, _ = CocoFile.parse(content).annotated(key)
    return [(one.label, int(one.runs.decode().sum())) for one in objects]


def said(content: Any) -> list[str]:
    coco = CocoFile.parse(content)
    whole = coco.said
    for key in coco.images:
        whole.add_all(coco.annotated(key)[1])
    return whole.sentences()


class TestIds:
    @pytest.mark.parametrize(
        ("of_image", "named"),
        [(1, "1"), ("1", 1), (1, 1.0), (17, "000017"), ("000017", 17), (" 5 ", "5"), ("é", "é")],
    )
    def test_numbers_and_text_are_one(self, of_image: Any, named: Any) -> None:
        coco = CocoFile.parse(
            document(annotation(image_id=named), images=[image(key=of_image), image("b.png", 2)])
        )
        (key, _) = coco.images
        assert [one.id for one in coco.annotations[key]] == ["1"]
        assert coco.said.sentences() == []

    def test_a_files_name_in_the_place_of_its_id(self) -> None:
        coco = CocoFile.parse(document(annotation(image_id="a.png")))
        assert len(coco.annotations["1"]) == 1

    def test_digits_that_fit_two_ids_are_not_guessed(self) -> None:
        both = [image("a.png", "01"), image("b.png", "001")]
        assert said(document(annotation(image_id=1), images=both)) == [
            "Annotation 1 is of image 1, which the file doesn't list."
        ]

    def test_an_id_that_all_images_share_is_told_as_that(self) -> None:
        content = document(annotation(), images=[image("a.png"), image("b.png")])
        assert said(content) == [
            "a.png and b.png share the id 1: neither is read.",
            "Annotation 1 is of image 1, which several images share.",
        ]

    def test_an_id_of_two_images_means_neither(self) -> None:
        both = [image("a.png"), image("b.png"), image("c.png", "01")]
        content = document(annotation(), images=both)
        assert said(content) == [
            "a.png and b.png share the id 1: neither is read.",
            "Annotation 1 is of image 1, which several images share.",
        ]
        assert list(CocoFile.parse(content).images) == ["01"]

    def test_the_same_image_twice_is_one(self) -> None:
        assert found(document(annotation(), images=[image(), image()])) == [("cat", 100)]

    def test_annotations_keep_apart_when_their_ids_repeat(self) -> None:
        coco = CocoFile.parse(document(annotation(0), annotation(0), annotation(None)))
        assert [one.id for one in coco.annotations["1"]] == ["0", "0#2", "number 3"]


class TestCategories:
    @pytest.mark.parametrize(
        ("given", "categories", "label"),
        [
            ("7", [{"id": 7, "name": "cat"}], "cat"),
            (7.0, [{"id": "7", "name": "cat"}], "cat"),
            ("cat", [], "cat"),
            ("cat", None, "cat"),
            (None, None, "object"),
            (7, [{"id": 7, "name": 3}], "3"),
            (7, [{"id": 7, "name": " a\tb\n"}], "a b"),
            (7, [{"id": 7, "name": "x" * 300}], "x" * 100),
            (7, [{"id": 7, "name": "\ud83d"}], "object"),
            (7, [{"id": 7, "name": "\U0001f600"}], "\U0001f600"),
            (7, [{"id": 7, "name": ""}], "object"),
        ],
    )
    def test_labels(self, given: Any, categories: Any, label: str) -> None:
        content = document(annotation(category_id=given), categories=categories)
        assert found(content) == [(label, 100)]

    def test_an_unknown_one_is_said(self) -> None:
        content = document(annotation(category_id=8))
        assert found(content) == [("object", 100)]
        assert "has category 8, which isn't listed" in said(content)[0]

    @pytest.mark.parametrize("categories", [3, {"7": "cat"}, ["cat", None, {"id": 7}], "x"])
    def test_nonsense_costs_the_label_alone(self, categories: Any) -> None:
        assert found(document(annotation(), categories=categories)) == [("object", 100)]


class TestFiles:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
    def test_bytes_in_any_of_unicodes_forms(self, encoding: str) -> None:
        content = document(annotation(), categories=[{"id": 7, "name": "Größe"}])
        data = json.dumps(content, ensure_ascii=False).encode(encoding)
        assert found(data) == [("Größe", 100)]

    def test_numbers_that_json_lacks_cost_nothing_where_nobody_reads_them(self) -> None:
        text = json.dumps(document(annotation(area=float("nan"), bbox=[float("inf")])))
        assert "NaN" in text
        assert found(text.encode()) == [("cat", 100)]

    def test_lvis_names_its_images_by_address(self) -> None:
        url = "http://images.cocodataset.org/train2017/000000391895.jpg"
        coco = CocoFile.parse(document(images=[{"id": 1, "coco_url": url}]))
        assert coco.images["1"].name == url

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff\xfe\x00",
            "Größe".encode("latin-1"),
            b"[" * 100_000,
            b"[]",
            b'[{"image_id": 1, "segmentation": [], "score": 1}]',
            b"{}",
            b'{"images": [], "categories": []}',
            b'{"images": {"1": {}}, "annotations": []}',
            b'{"images": [{"id": 1}], "annotations": []}',
            b'{"images": [], "annotations": [3]}',
            b"null",
            b"1" * 5000,
        ],
    )
    def test_what_is_none_is_refused(self, content: bytes) -> None:
        with pytest.raises(InputError):
            CocoFile.parse(content)

    @pytest.mark.parametrize("side", [None, 0, -3, "x", 3.5, [], True, float("inf"), 10**30])
    def test_sizes_that_say_nothing_are_the_images_own(self, side: Any) -> None:
        coco = CocoFile.parse(document(annotation(), images=[image(width=side)]))
        assert coco.images["1"].size is None
        assert len(coco.annotated("1", (40, 60))[0]) == 1
        with pytest.raises(InputError, match="doesn't say the image's size"):
            coco.annotated("1")

    def test_sizes_as_text_are_read(self) -> None:
        assert CocoFile.parse(document(images=[image(width="60", height=40.0)])).images[
            "1"
        ].size == (40, 60)


class TestBadAnnotations:
    @pytest.mark.parametrize(
        "bad",
        [
            {"id": 2, "image_id": 1, "category_id": 7, "bbox": [1, 1, 5, 5]},
            annotation(2, segmentation=[]),
            annotation(2, segmentation=[[]]),
            annotation(2, segmentation=None),
            annotation(2, segmentation={}),
            annotation(2, segmentation=""),
            annotation(2, segmentation=[[1, 1, 5, 5]]),
            annotation(2, segmentation=[[1, 1, 5, 5, 9]]),
            annotation(2, segmentation=[[1, 1, 5, 5, 9, "x"]]),
            annotation(2, segmentation=[[1, 1, 5, 5, 9, None]]),
            annotation(2, segmentation=[[[1, 1], [5, 5], [9]]]),
            annotation(2, segmentation=[1, 1, 5, 5, [9, 1]]),
            annotation(2, segmentation=[[1, 1, 5, 5, 9, 10**400]]),
            annotation(2, segmentation=[[100, 100, 120, 100, 120, 120]]),
            annotation(2, segmentation={"size": [60, 40], "counts": [2400]}),
            annotation(2, segmentation={"size": [40, 60], "counts": [2399]}),
            annotation(2, segmentation={"size": [40, 60], "counts": 1_000_000_000}),
            annotation(2, segmentation={"size": [40, 60], "counts": None}),
            annotation(2, segmentation={"size": [40, 60], "counts": "zzzzzzzzzzzzzzzzzzzz"}),
            annotation(2, segmentation={"size": [40, 60], "counts": [2400]}),
            annotation(2, image_id=5),
            annotation(2, image_id=None),
            annotation(2, image_id=[1]),
            annotation(2, image_id={"id": 1}),
            "text",
            None,
            [1],
        ],
        ids=lambda bad: str(bad)[:60],
    )
    def test_one_costs_itself_alone_and_is_named(self, bad: Any) -> None:
        content = document(annotation(1), bad, annotation(3))
        assert found(content) == [("cat", 100)] * 2
        (sentence,) = said(content)
        assert "nnotation 2" in sentence or "annotation number 2" in sentence

    def test_short_polygons_beside_others_enclose_nothing(self) -> None:
        content = document(annotation(segmentation=[*SQUARE, [], [1, 1], [3, 3, 4, 4]]))
        assert found(content) == [("cat", 100)]
        assert said(content) == ["a.png: annotation 1 lost 3 polygon(s) of under three points."]

    @pytest.mark.parametrize(
        "segmentation",
        [
            SQUARE[0],
            ["10", "10", "20", "10", "20", "20", "10", "20"],
            [[10, 10], [20, 10], [20, 20], [10, 20]],
            [[[10, 10], [20, 10], [20, 20], [10, 20]]],
        ],
        ids=["one without its list", "as text", "pairs", "a list of pairs"],
    )
    def test_lists_nested_otherwise_that_mean_one_thing(self, segmentation: Any) -> None:
        assert coco_runs(segmentation, 40, 60) == coco_runs(SQUARE, 40, 60)
        assert said(document(annotation(segmentation=segmentation))) == []

    @pytest.mark.parametrize(
        "segmentation", [[3, [10, 10, 20, 10, 20, 20]], "text", {"counts": [3, 5]}]
    )
    def test_what_cant_be_read_is_told_without_words_of_python(self, segmentation: Any) -> None:
        (sentence,) = said(document(annotation(segmentation=segmentation)))
        assert "can't be read" in sentence
        assert "expected polygons, as lists x1, y1, x2, y2, …, or run lengths" in sentence
        assert "Error" not in sentence

    def test_many_alike_are_counted(self) -> None:
        content = document(*[annotation(n, segmentation=[]) for n in range(100)])
        sentences = said(content)
        assert len(sentences) == 21
        assert sentences[-1] == "The same holds for 80 more annotations."

    @pytest.mark.parametrize("value", [1, True, "1"])
    def test_crowds_are_kept_as_such(self, value: Any) -> None:
        objects, _ = CocoFile.parse(document(annotation(iscrowd=value), annotation(2))).annotated(
            "1"
        )
        assert [one.crowd for one in objects] == [True, False]
        made = write("coco", [AnnotatedImage("a.png", 40, 60, tuple(objects))], [])
        records = json.loads(made.content["annotations.json"])["annotations"]
        assert [record["iscrowd"] for record in records] == [1, 0]


class TestBounds:
    @pytest.fixture
    def untouched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """pycocotools isn't to be reached."""

        def reached(*_: Any) -> None:
            raise AssertionError("pycocotools was called")

        monkeypatch.setattr(cocoshapes.coco_mask, "frPyObjects", reached)

    @pytest.mark.usefixtures("untouched")
    @pytest.mark.parametrize(
        "segmentation",
        [
            [[-999999, 0, 999999, 10, 5, 5] * 1000],
            [[0, -999999, 10, 999999, 5, 5]] * 1000,
            [[0, 0, 511, 511, 511, 0] * 5000],
            {"size": [512, 512], "counts": [0] * 1_000_000},
            {"size": [512, 512], "counts": "0" * 1_000_000},
            {"size": [512, 512], "counts": 1_000_000_000},
            {"size": [512, 512], "counts": {"0": 1}},
        ],
        ids=range(7),
    )
    def test_what_costs_too_much_is_refused_before(self, segmentation: Any) -> None:
        with pytest.raises(InputError):
            coco_runs(segmentation, 512, 512)

    @pytest.mark.usefixtures("untouched")
    @pytest.mark.parametrize("size", [(0, 5), (-1, 5), (1 << 20, 1 << 20)])
    def test_so_are_sizes_that_no_image_has(self, size: tuple[int, int]) -> None:
        with pytest.raises(InputError, match="expected at least one"):
            coco_runs(SQUARE, *size)

    def test_every_outline_that_an_image_can_hold_is_allowed(self) -> None:
        """All edges of all pixels, of a chess board."""
        assert longest_outline_px(2000, 200) >= 2 * 2000 * 200
        board = np.indices((100, 120)).sum(axis=0) % 2 == 1
        runs = RunLengths.encode(board)
        made = write("coco-polygons", [AnnotatedImage("a", 100, 120, (Annotation("x", runs),))], [])
        (record,) = json.loads(made.content["annotations.json"])["annotations"]
        assert coco_runs(record["segmentation"], 100, 120) == runs

    def test_an_images_outlines_are_bounded_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here to 100 pixels: three squares of 40 go beyond, and what comes after is left out."""
        monkeypatch.setattr("vtmr.formats.coco._MOST_OUTLINES_PX", 100)
        content = document(*[annotation(n) for n in range(1, 6)])
        assert found(content) == [("cat", 100)] * 3
        assert [text.partition(" was")[0] for text in said(content)] == [
            "a.png: annotation 4",
            "a.png: annotation 5",
        ]

    def test_run_lengths_whose_sum_comes_round_are_refused(self) -> None:
        """Four times 2⁶² is nothing, in 64 bits."""
        huge = [1 << 62] * 4
        with pytest.raises(InputError, match="don't fill"):
            coco_runs({"size": [4, 4], "counts": [*huge, 16]}, 4, 4)

    def test_one_mask_has_one_text(self) -> None:
        plain = coco_runs({"size": [4, 4], "counts": [3, 5, 8]}, 4, 4)
        for counts in ([3, 0, 0, 5, 8], [3, 2, 0, 3, 8], [3, 5, 8, 0], [3, 5, 0, 0, 8, 0, 0]):
            assert coco_runs({"size": [4, 4], "counts": counts}, 4, 4) == plain

    @pytest.mark.slow
    def test_the_dearest_polygon_stays_small(self) -> None:
        """Just within the bound, in a process of its own: under 300 MB and 5 seconds
        of a processor."""
        code = """
import time
from vtmr.formats.cocoshapes import coco_runs
edges = 1990
polygon = [v for k in range(edges) for v in ((0, 999)[k % 2], k * 4)]
before = peak_kb()
start = time.process_time()
coco_runs([polygon], 8000, 1000)
print(peak_kb() - before, time.process_time() - start)
"""
        done = subprocess.run(
            [sys.executable, "-c", PEAK_KB + code], capture_output=True, text=True, check=True
        )
        more_kb, seconds = map(float, done.stdout.split())
        assert more_kb < 300 * 1024
        assert seconds < 5
