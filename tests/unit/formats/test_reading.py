"""Other programs' files in: what each says becomes masks, and what is wrong costs itself alone.

The files are written by hand after each format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vtmr.errors import InputError
from vtmr.formats import AnnotatedImage, Annotation, read, write
from vtmr.formats.foreign import Foreign, Options
from vtmr.formats.labelstudio import CONFIG_FILE
from vtmr.formats.png import png_bytes
from vtmr.formats.registry import format_of
from vtmr.formats.runlength import encode_label_studio
from vtmr.formats.sources import Source, bytes_source, opened_source, source_of
from vtmr.formats.voc import voc_palette
from vtmr.masks import Mask, RunLengths

HEIGHT, WIDTH = 40, 60
SIZE = HEIGHT, WIDTH


def source(files: dict[str, bytes | str]) -> Source:
    content = {
        name: data.encode() if isinstance(data, str) else data for name, data in files.items()
    }
    return source_of(list(content), "the files", lambda name: io.BytesIO(content[name]))


def block(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def only(found: Foreign) -> tuple[list[tuple[str, Mask]], list[str]]:
    """The one image's objects, and everything that was said."""
    (image,) = found.images
    assert image.size in (None, SIZE)
    objects, said = image.decode(SIZE)
    masks = [(one.label, one.runs.decode()) for one in objects]
    return masks, [*found.said.sentences(), *said.sentences()]


def assert_masks(found: list[tuple[str, Mask]], wanted: dict[str, Mask]) -> None:
    assert [label for label, _ in found] == list(wanted)
    for label, mask in found:
        np.testing.assert_array_equal(mask, wanted[label])


def cvat(*shapes: str, name: str = "sub/a.jpg") -> dict[str, bytes | str]:
    inner = "".join(shapes)
    image = f'<image id="0" name="{name}" width="60" height="40">{inner}</image>'
    return {"annotations.xml": f"<annotations><version>1.1</version>{image}</annotations>"}


class TestCvat:
    def test_masks_polygons_boxes_and_ellipses(self) -> None:
        """The mask is 2 x 3 pixels with one missing, as in CVAT's own documentation."""
        found, said = only(
            read(
                "cvat",
                source(
                    cvat(
                        '<mask label="m" rle="0, 4, 1, 1" left="5" top="6" width="3" height="2" '
                        'z_order="3"/>',
                        '<polygon label="p" points="10,10;20,10;20,20;10,20"/>',
                        '<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>',
                        '<box label="turned" xtl="30" ytl="20" xbr="40" ybr="24" rotation="90"/>',
                        '<ellipse label="e" cx="50.5" cy="30.5" rx="1.2" ry="0.4"/>',
                        '<points label="x" points="1,1"/><tag label="t"/><new label="n"/>',
                        '<polygon label="bad" points="1,1;2"/>',
                    )
                ),
            )
        )
        mask = block(6, 5, 8, 8)
        mask[7, 6] = False
        wanted = {
            "p": block(10, 10, 20, 20),
            "b": block(5, 30, 9, 40),
            "turned": block(17, 33, 27, 37),
            "e": block(30, 49, 31, 52),
            "m": mask,
        }
        assert_masks(found, wanted)
        for sentence in (
            "sub/a.jpg: 1 points left out: it has no area.",
            "sub/a.jpg: 1 new left out: it is unknown.",
            "annotations.xml: 2 boxes came as filled shapes.",
            "sub/a.jpg: the polygon number 9 was left out. A polygon has fewer than three points: "
            "expected x1, y1, x2, y2, x3, y3, …",
        ):
            assert sentence in said

    @pytest.mark.parametrize(
        "attributes",
        [
            'rle="0, 4" left="5" top="6" width="3" height="2"',
            'rle="0, -4, 10" left="5" top="6" width="3" height="2"',
            'rle="6" left="58" top="6" width="3" height="2"',
            'rle="x" left="5" top="6" width="3" height="2"',
            'rle="9" left="5" top="6" width="0" height="2"',
            'left="5" top="6" width="3"',
            f'rle="{"1," * 99}1" left="5" top="6" width="3" height="2"',
            f'rle="{"9" * 9999}" left="5" top="6" width="3" height="2"',
        ],
    )
    def test_a_bad_mask_costs_itself_alone(self, attributes: str) -> None:
        good = '<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>'
        files = cvat(f'<mask label="m" {attributes}/>', good)
        found, said = only(read("cvat", source(files)))
        assert_masks(found, {"b": block(5, 30, 9, 40)})
        assert any("sub/a.jpg: the mask number 1 was left out." in one for one in said)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("<annotations><track/></annotations>", "XML for videos"),
            ("<coco/>", "begins with <coco>"),
            ("<annotations><image></annotations>", "isn't XML that can be read: mismatched tag"),
            ("", "isn't XML that can be read: no element found"),
            (
                '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>',
                "declares a document type or entities",
            ),
            (
                '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>',
                "declares a document type or entities",
            ),
        ],
    )
    def test_other_files_are_refused(self, text: str, says: str) -> None:
        with pytest.raises(InputError, match=says):
            read("cvat", source({"a.xml": text}))

    def test_an_xml_of_another_kind_among_others_is_named(self) -> None:
        files = {
            **cvat('<box label="b" xtl="1" ytl="1" xbr="4" ybr="9"/>'),
            "pom.xml": "<project/>",
        }
        _, said = only(read("cvat", source(files)))
        assert any(one.startswith("pom.xml was left out.") for one in said)


def labelme(*shapes: Any, **more: Any) -> dict[str, bytes | str]:
    document = {"version": "5.5.0", "shapes": shapes, "imagePath": "a.jpg"}
    return {"sub/a.json": json.dumps(document | {"imageHeight": 40, "imageWidth": 60} | more)}


def shape(label: str, kind: str, points: Any, **more: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, **more}


class TestLabelMe:
    def test_every_shape_that_has_an_area(self) -> None:
        mask = block(2, 3, 6, 9)
        mask[4, 5] = False
        picture = base64.b64encode(png_bytes(mask[2:6, 3:9])).decode()
        found, said = only(
            read(
                "labelme",
                source(
                    labelme(
                        shape("p", "polygon", [[10, 10], [20, 10], [20, 20], [10, 20]]),
                        shape("r", "rectangle", [[40, 9], [30, 5]]),
                        shape("m", "mask", [[3, 2], [8, 5]], mask=picture),
                        shape("c", "circle", [[50.5, 30.5], [51.2, 30.5]]),
                        shape("l", "line", [[1, 1], [2, 2]]),
                        shape("short", "polygon", [[1, 1], [2, 2]]),
                        shape("odd", "polygon", [[1, 1], [2, 2], ["x", 3]]),
                        shape("none", "mask", [[3, 2], [8, 5]]),
                        "nonsense",
                    )
                ),
            )
        )
        wanted = {
            "p": block(10, 10, 20, 20),
            "r": block(5, 30, 9, 40),
            "m": mask,
            "c": block(30, 50, 31, 51),
        }
        assert_masks(found, wanted)
        assert sum("was left out" in one for one in said) == 5
        assert "sub/a.jpg: shape 5 was left out. A line has no area" in "".join(said)

    def test_a_group_of_one_label_is_one_object(self) -> None:
        left, right = [[1, 1], [5, 1], [5, 5], [1, 5]], [[9, 9], [12, 9], [12, 12], [9, 12]]
        found, _ = only(
            read(
                "labelme",
                source(
                    labelme(
                        shape("cup", "polygon", left, group_id=1),
                        shape("dish", "polygon", left, group_id=1),
                        shape("cup", "polygon", right, group_id=1),
                    )
                ),
            )
        )
        assert_masks(
            found, {"cup": block(1, 1, 5, 5) | block(9, 9, 12, 12), "dish": block(1, 1, 5, 5)}
        )

    def test_where_the_image_lies(self) -> None:
        for path, name in (
            ("a.jpg", "sub/a.jpg"),
            (r"..\photos\b.jpg", "photos/b.jpg"),
            (None, "sub/a.jpg"),
            ("../../../etc/passwd", "etc/passwd"),
        ):
            (image,) = read("labelme", source(labelme(imagePath=path))).images
            assert image.names[0] == name

    @pytest.mark.parametrize("content", ["[]", "{}", '{"shapes": 3}', "", "[" * 100_000, "\xff"])
    def test_other_files_are_refused(self, content: str) -> None:
        with pytest.raises(InputError):
            read("labelme", source({"a.json": content.encode("latin-1")}))


def tasks(*results: Any, image: str = "/data/upload/1/0a1b2c3d-a.jpg", **more: Any) -> Any:
    annotations = [{"result": list(results), "was_cancelled": False}]
    task = {"id": 1, "data": {"image": image}, "annotations": annotations} | more
    return {"tasks.json": json.dumps([task])}


def region(kind: str, label: str | None, number: int = 0, **value: Any) -> dict[str, Any]:
    labels = {kind: [label]} if label else {}
    return {
        "id": f"r{number}" if number else f"r-{label}",
        "type": kind,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {**value, **labels},
    }


class TestLabelStudio:
    def test_brushes_polygons_rectangles_and_ellipses(self) -> None:
        mask = block(2, 3, 6, 9)
        stream = list(encode_label_studio(mask))
        found, said = only(
            read(
                "label-studio",
                source(
                    tasks(
                        region("brushlabels", "m", format="rle", rle=stream),
                        region(
                            "polygonlabels", "p", points=[[10, 25], [50, 25], [50, 75], [10, 75]]
                        ),
                        region("rectanglelabels", "r", x=50, y=10, width=10, height=20),
                        region("rectangle", None, 7, x=0, y=0, width=10, height=10),
                        region("labels", "beside", 7),
                        region(
                            "ellipselabels", "e", x=50.5 / 0.6, y=30.5 / 0.4, radiusX=1, radiusY=1
                        ),
                        region("keypointlabels", "k", x=1, y=1),
                        region("brushlabels", "short", format="rle", rle=stream[:9]),
                        region("brushlabels", "odd", format="rle", rle=[1000]),
                        {**region("polygonlabels", "turned", points=[]), "image_rotation": 90},
                    )
                ),
            )
        )
        wanted = {
            "m": mask,
            "p": block(10, 6, 30, 30),
            "r": block(4, 30, 12, 36),
            "beside": block(0, 0, 4, 6),
            "e": block(30, 50, 31, 51),
        }
        assert_masks(found, wanted)
        assert sum("was left out" in one for one in said) == 4
        assert "tasks.json: 2 rectangles came as filled shapes." in said

    def test_a_rectangle_turns_around_its_corner(self) -> None:
        turned = region("rectanglelabels", "r", x=50, y=50, width=10, height=10, rotation=90)
        found, _ = only(read("label-studio", source(tasks(turned))))
        assert_masks(found, {"r": block(20, 26, 26, 30)})

    @pytest.mark.parametrize(
        ("image", "names"),
        [
            ("/data/upload/1/0a1b2c3d-a.jpg", ("/data/upload/1/0a1b2c3d-a.jpg", "a.jpg")),
            ("/data/local-files/?d=sub/a%20b%FF.jpg", ("sub/a b\udcff.jpg",)),
            ("s3://bucket/x/a.jpg", ("s3://bucket/x/a.jpg",)),
        ],
    )
    def test_how_images_are_named(self, image: str, names: tuple[str, ...]) -> None:
        (found,) = read("label-studio", source(tasks(image=image))).images
        assert found.names == names

    def test_which_annotation_counts(self) -> None:
        first, second = (
            region("rectanglelabels", label, x=0, y=0, width=10, height=10) for label in "ab"
        )
        skipped = {"result": [second], "was_cancelled": True}
        kept = {"result": [first]}
        files = tasks(annotations=[skipped, kept, kept], predictions=[{"result": [second]}])
        found, said = only(read("label-studio", source(files)))
        assert [label for label, _ in found] == ["a"]
        assert "of 2 annotations the first came." in "".join(said)
        files = tasks(annotations=[skipped], predictions=[{"result": [second]}])
        found, said = only(read("label-studio", source(files)))
        assert [label for label, _ in found] == ["b"]
        assert "a prediction came." in "".join(said)

    @pytest.mark.parametrize("content", ['[{"image": "a.jpg", "label": []}]', "3", "[3]", "[{}"])
    def test_other_files_are_refused(self, content: str) -> None:
        with pytest.raises(InputError, match="Label Studio's"):
            read("label-studio", source({"a.json": content}))


class TestYolo:
    def test_polygons_boxes_and_confidences(self) -> None:
        lines = [
            "1 0.1 0.25 0.5 0.25 0.5 0.75 0.1 0.75",
            "0 0.5 0.5 0.1 0.2",
            "7 0.0 0.0 0.1 0.0 0.1 0.1 0.0 0.1 0.875",
            "",
            "1 2 3",
            "-1 0.5 0.5 0.1 0.2",
            "1 10 10 20 10 20 20",
            "cup 1 1",
        ]
        files: dict[str, bytes | str] = {
            "data.yaml": "names:\n  1: no\n  0: 'a: b'\n",
            "train/labels/a.txt": "\n".join(lines),
        }
        found, said = only(read("yolo", source(files)))
        wanted = {
            "no": block(10, 6, 30, 30),
            "a: b": block(16, 27, 24, 33),
            "class 7": block(0, 0, 4, 6),
        }
        assert_masks(found, wanted)
        assert [one.partition(":")[2][:8] for one in said if "was left out" in one] == [
            f" line {n} " for n in (5, 6, 7, 8)
        ]
        (image,) = read("yolo", source(files)).images
        assert image.names == ("train/images/a.txt", "a.txt")

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("data.yaml", "names: [cup, dish]"),
            ("any.yml", "names: {1: dish, 0: cup}"),
            ("classes.txt", "cup\ndish\n"),
            ("obj.names", "cup\r\ndish"),
        ],
    )
    def test_where_names_come_from(self, name: str, text: str) -> None:
        found, _ = only(read("yolo", source({name: text, "a.txt": "1 0.5 0.5 0.1 0.1"})))
        assert [label for label, _ in found] == ["dish"]

    def test_yaml_is_text_alone(self) -> None:
        """No object of Python's is made of it, and aliases don't multiply."""
        bomb = "a: &a [x]\n" + "\n".join(
            f"{n}: &{n} [{', '.join([f'*{b}'] * 9)}]"
            for b, n in zip("abcdefgh", "bcdefghi", strict=True)
        )
        for text in (
            "names: !!python/object/apply:os.system ['false']",
            bomb,
            "\t{",
            "x" * 2_000_000,
        ):
            found, _ = only(read("yolo", source({"d.yaml": text, "a.txt": "1 0.5 0.5 0.1 0.1"})))
            assert [label for label, _ in found] == ["class 1"]

    def test_other_text_is_named(self) -> None:
        files: dict[str, bytes | str] = {"README.txt": "Hello\nthere", "a.txt": ""}
        found = read("yolo", source(files))
        assert len(found.images) == 1
        assert any(one.startswith("README.txt was left out.") for one in found.said.sentences())


def indexed(values: np.ndarray) -> bytes:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(voc_palette().reshape(-1).tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def coloured(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(voc_palette()[values.astype(int)]).save(stream, "PNG")
    return stream.getvalue()


class TestVoc:
    CLASSES = block(5, 5, 9, 9) * 1 + block(5, 20, 9, 30) * 15 + block(0, 50, 3, 60) * 255
    OBJECTS = block(5, 5, 9, 9) * 1 + block(5, 20, 9, 25) * 2 + block(5, 25, 9, 30) * 3
    LABELS = (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncup:128,0,0::\ndish:192,128,128::"
    )

    @pytest.mark.parametrize("picture", [indexed, coloured])
    def test_objects_and_their_classes(self, picture: Any) -> None:
        """Of palettes and of plain colours, as datumaro writes them; the void is no object."""
        found, said = only(
            read(
                "voc",
                source(
                    {
                        "SegmentationClass/a.png": picture(self.CLASSES),
                        "SegmentationObject/a.png": picture(self.OBJECTS),
                        "labelmap.txt": self.LABELS,
                    }
                ),
            )
        )
        assert [label for label, _ in found] == ["cup", "dish", "dish"]
        masks = [block(5, 5, 9, 9), block(5, 20, 9, 25), block(5, 25, 9, 30)]
        for (_, mask), wanted in zip(found, masks, strict=True):
            np.testing.assert_array_equal(mask, wanted)
        assert said == []

    @pytest.mark.parametrize("picture", [indexed, coloured])
    def test_labels_without_colours_have_vocs(self, picture: Any) -> None:
        """As datumaro writes them."""
        files: dict[str, bytes | str] = {
            "SegmentationClass/a.png": picture(block(5, 5, 9, 9) * 2),
            "labelmap.txt": "background:::\ncup:::\ndish:::\n",
        }
        found, _ = only(read("voc", source(files)))
        assert_masks(found, {"dish": block(5, 5, 9, 9)})

    def test_classes_alone_and_vocs_own_labels(self) -> None:
        """VOC2012's first class is the aeroplane, its fifteenth the person."""
        files: dict[str, bytes | str] = {"VOC/SegmentationClass/sub/a.png": indexed(self.CLASSES)}
        found, said = only(read("voc", source(files)))
        wanted = {"aeroplane": block(5, 5, 9, 9), "person": block(5, 20, 9, 30)}
        assert_masks(found, wanted)
        assert len(said) == 2
        (image,) = read("voc", source(files)).images
        assert image.names == ("sub/a.png",)

    def test_the_palette_is_vocs(self) -> None:
        """The first five and the last of VOClabelcolormap."""
        wanted = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (224, 224, 192)]
        assert [tuple(voc_palette()[n].tolist()) for n in (0, 1, 2, 3, 4, 255)] == wanted

    def test_a_picture_of_another_size_costs_its_image_alone(self) -> None:
        files: dict[str, bytes | str] = {"SegmentationClass/a.png": indexed(self.CLASSES[:9])}
        (image,) = read("voc", source(files)).images
        with pytest.raises(InputError, match="60x9: expected the image's size 60x40"):
            image.decode(SIZE)


def dm(*annotations: Any) -> dict[str, bytes | str]:
    item = {"id": "sub/a", "annotations": annotations, "image": {"path": "a.jpg", "size": [40, 60]}}
    categories = {"label": {"labels": [{"name": "cup"}, {"name": "dish"}]}}
    # The categories come last: the items are read before it is known what their labels are called.
    return {"annotations/x.json": json.dumps({"items": [item, 3], "categories": categories})}


class TestDatumaro:
    def test_every_annotation_that_has_an_area(self) -> None:
        runs = {"size": [40, 60], "counts": [0, 40, 2360]}
        found, said = only(
            read(
                "datumaro",
                source(
                    dm(
                        {"type": "mask", "label_id": 1, "rle": runs, "z_order": 5},
                        {"type": "polygon", "label_id": 0, "points": [1, 1, 5, 1, 5, 5, 1, 5]},
                        {"type": "bbox", "label_id": 9, "bbox": [10, 10, 4, 2]},
                        {"type": "label", "label_id": 1},
                        {"type": "mask", "label_id": 1},
                        {"type": "mask", "label_id": 1, "rle": {"size": [1, 1], "counts": [1]}},
                    )
                ),
            )
        )
        wanted = {
            "cup": block(1, 1, 5, 5),
            "object": block(10, 10, 12, 14),
            "dish": block(0, 0, 40, 1),
        }
        assert_masks(found, wanted)
        assert sum("was left out" in one for one in said) == 3
        assert "The item 3 is no image." in said

    @pytest.mark.parametrize(
        "content", ["{}", "[]", '{"items": []}', '{"items": [], "categories": 3}']
    )
    def test_other_files_are_refused(self, content: str) -> None:
        with pytest.raises(InputError, match="isn't Datumaro's JSON"):
            read("datumaro", source({"a.json": content}))


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "path", "name"),
        [
            ("{name}.mask.png", "sub/a.mask.png", "sub/a.png"),
            ("{name}_mask.png", "sub/a_mask.png", "sub/a.png"),
            ("masks/{name}.png", "masks/sub/a.png", "sub/a.png"),
            ("masks/{name}.png", "set/masks/a.png", "set/a.png"),
            ("{name}/{number}-{label}.png", "sub/a/007-cup.png", "sub/a.png"),
            ("{name}_*.png", "a_matte_3.png", "a_matte.png"),
        ],
    )
    def test_names(self, pattern: str, path: str, name: str) -> None:
        files: dict[str, bytes | str] = {path: png_bytes(block(1, 1, 5, 5)), "other.tiff": b""}
        found = read("indexed-png", source(files), Options(pattern))
        assert found.images[0].names == (name,)
        assert len(found.images) == 1

    @pytest.mark.parametrize(
        "pattern", ["mask.png", "{name}{name}.png", "{name}{x}.png", "*" * 300]
    )
    def test_patterns_that_are_none(self, pattern: str) -> None:
        with pytest.raises(InputError, match="The pattern"):
            read("png", source({"a.png": b""}), Options(pattern))

    def test_files_of_one_image_and_their_labels(self) -> None:
        files: dict[str, bytes | str] = {
            "a.cup.png": png_bytes(block(1, 1, 5, 5)),
            "a.dish.png": png_bytes(block(9, 9, 12, 12)),
            "a.none.png": b"no picture",
        }
        found, said = only(read("png", source(files), Options("{name}.{label}.png")))
        assert_masks(found, {"cup": block(1, 1, 5, 5), "dish": block(9, 9, 12, 12)})
        assert any(one.startswith("a.none.png") for one in said)

    def test_values_take_the_projects_labels(self) -> None:
        stream = io.BytesIO()
        Image.fromarray((block(1, 1, 9, 9) * 2).astype(np.uint8)).save(stream, "PNG")
        options = Options("", ("cup", "dish"))
        found, _ = only(read("indexed-png", source({"a.mask.png": stream.getvalue()}), options))
        assert [label for label, _ in found] == ["dish"]


def zipped(files: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


class TestSources:
    def test_a_zip_a_folder_and_a_file_say_the_same(self, tmp_path: Path) -> None:
        files = cvat('<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>')
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "annotations.xml").write_text(str(files["annotations.xml"]))
        (tmp_path / "x.zip").write_bytes(
            zipped({**files, "../out.xml": "", "__MACOSX/._a.xml": ""})
        )
        for path in (tmp_path / "in", tmp_path / "x.zip", tmp_path / "in" / "annotations.xml"):
            with opened_source(path) as opened:
                assert format_of(opened) == "cvat"
                found, said = only(read("cvat", opened))
            assert_masks(found, {"b": block(5, 30, 9, 40)})
            assert len(said) == 1

    def test_a_folders_links_and_pipes_are_passed_over(self, tmp_path: Path) -> None:
        import os

        (tmp_path / "secret.json").write_text("{}")
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "a.json").symlink_to(tmp_path / "secret.json")
        os.mkfifo(folder / "b.json")
        with opened_source(folder) as opened:
            assert opened.names == ()
            with pytest.raises(InputError, match="of no format"):
                format_of(opened)

    def test_a_zip_that_unpacks_to_too_much_is_read_no_further(self) -> None:
        bomb = zipped({"a.json": b" " * 5_000_000, "b.json": b" " * 5_000_000})
        assert len(bomb) < 20_000
        opened = bytes_source("The ZIP", bomb, 6_000_000)
        opened.read("a.json")
        with pytest.raises(InputError, match=r"b.json is too large"):
            opened.read("b.json")

    @pytest.mark.parametrize(
        "data", [b"PK\x03\x04", b"PK\x05\x06" + bytes(18), zipped({"a": "b"})[:-9]]
    )
    def test_damaged_and_empty_zips(self, data: bytes) -> None:
        with pytest.raises(InputError):
            format_of(bytes_source("The ZIP", data, 1000))

    def test_several_formats_are_asked_about(self) -> None:
        files = {**cvat(), **labelme(), "a.txt": "0 0.5 0.5 0.1 0.1", CONFIG_FILE: "<View/>"}
        with pytest.raises(InputError, match=r"several formats \(labelme, cvat, yolo\)"):
            format_of(source(files))

    def test_an_unknown_format_is_refused(self) -> None:
        with pytest.raises(InputError, match="'xyz' is unknown: expected auto, coco"):
            format_of(source(cvat()), "xyz")
        with pytest.raises(InputError, match="has no files of CVAT XML"):
            read("cvat", source(labelme()))


class TestDetails:
    """What is known of an object beside its label comes back from the formats that hold it."""

    @pytest.mark.parametrize(
        ("form", "keeps"),
        [
            ("coco", "both"),
            ("coco-polygons", "both"),
            ("labelme", "both"),
            ("labelme-polygons", "both"),
            ("cvat", "attributes"),
            ("datumaro", "attributes"),
            ("label-studio", "notes"),
            ("yolo", ""),
        ],
    )
    def test_attributes_and_notes(self, form: str, keeps: str) -> None:
        runs = RunLengths.encode(block(5, 5, 9, 9))
        attributes = (("size", "large & <old>"), ("seen", "true"))
        one = Annotation("cup", runs, False, attributes, "Look again")
        other = Annotation("cup", runs)
        files = write(form, [AnnotatedImage("a.jpg", HEIGHT, WIDTH, (one, other))], [])
        content = dict(files.content.items())
        (image,) = read(form.removesuffix("-polygons"), source(content)).images
        first, second = image.decode(SIZE)[0]
        assert first.attributes == (attributes if keeps in ("both", "attributes") else ())
        assert first.note == ("Look again" if keeps in ("both", "notes") else "")
        assert (second.attributes, second.note) == ((), "")
        lost = [told for told in files.warnings if "of an object is not in the export" in told]
        assert len(lost) == (keeps != "both")

    @pytest.mark.parametrize(
        ("meta", "note"),
        [
            ({"text": ["One", "two"]}, "One\ntwo"),
            ({"text": "One"}, "One"),
            ({"text": [3, None, "One"]}, "One"),
            ({"text": {"a": 1}}, ""),
            ("One", ""),
        ],
    )
    def test_notes_of_label_studio(self, meta: Any, note: str) -> None:
        """A region's meta is what its page made of it: one text or several."""
        one = Annotation("cup", RunLengths.encode(block(5, 5, 9, 9)))
        files = write("label-studio", [AnnotatedImage("a.jpg", HEIGHT, WIDTH, (one,))], [])
        tasks = json.loads(files.content["tasks.json"])
        tasks[0]["annotations"][0]["result"][0]["meta"] = meta
        (image,) = read("label-studio", source({"tasks.json": json.dumps(tasks)})).images
        (found,) = image.decode(SIZE)[0]
        assert found.note == note
