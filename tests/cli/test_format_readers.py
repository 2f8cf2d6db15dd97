"""Every export in the hands of the other side's own reader, and what Datumaro writes in ours.

The other programs can't be installed beside vtmr's pins (Datumaro and Label Studio's SDK need an
older OpenCV), so they have an environment of their own, which is made once, in build/peers, or
named by FORMAT_PEERS (its Python). What they found is compared pixel by pixel with what went out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtmr.formats import AnnotatedImage, Annotation, read, write
from vtmr.formats.sources import opened_source
from vtmr.masks import Mask, RunLengths

pytestmark = pytest.mark.proof
HERE = Path(__file__).parent
PINS = (
    *("datumaro==1.13.12", "labelme==6.3.1", "supervision==0.31.2"),
    *("label-studio-sdk==2.1.2", "cvat-sdk==2.80.0"),
)
HEIGHT, WIDTH = 60, 90
Found = dict[str, list[tuple[str, Mask]]]


@pytest.fixture(scope="module")
def peers() -> str:
    """The Python that has the other programs."""
    given = os.environ.get("FORMAT_PEERS")
    if given:
        return given
    folder = HERE.parents[1] / "build" / "peers"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", *PINS],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"The other programs can't be installed: {done.stderr[-300:]}")
        (folder / "ready").touch()
    return str(python)


def blank() -> Mask:
    return np.zeros((HEIGHT, WIDTH), bool)


def scenes() -> Found:
    """A ring beside two parts, a noisy blob on its own, nothing."""
    ring, parts = blank(), blank()
    ring[5:25, 8:30] = True
    ring[10:20, 14:20] = False
    parts[30:40, 40:60] = parts[45:50, 0:3] = True
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(3).normal(0, 3, (HEIGHT, WIDTH))
    blob = np.hypot(rows - 25, cols - 45) + noise < 15
    return {
        "a": [("cup", ring), ("dish", parts)],
        "b": [("cup", np.asarray(blob)), ("tea pot", np.eye(HEIGHT, WIDTH, 70, dtype=bool))],
        "c": [],
    }


def exported(form: str, folder: Path, photos: str = "") -> None:
    """The scenes in that format, with the photos where the reader looks for them."""
    images = []
    for name, objects in scenes().items():
        annotations = [Annotation(label, RunLengths.encode(mask)) for label, mask in objects]
        images.append(AnnotatedImage(f"{name}.png", HEIGHT, WIDTH, tuple(annotations)))
    files = write(form, images, [])
    for path, content in files.content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for image in images:
        target = folder / photos / image.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(target)


def found_by(peers: str, reader: str, folder: Path) -> Found:
    done = subprocess.run(
        [peers, HERE / "format_readers.py", reader, folder],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "QT_QPA_PLATFORM": "offscreen",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: Found = {}
    for name, objects in json.loads(done.stdout.partition("FOUND")[2]).items():
        found[name] = [(label, _mask(pixels)) for label, pixels in objects]
    return found


def _mask(pixels: list[int]) -> Mask:
    mask = np.zeros(HEIGHT * WIDTH, bool)
    mask[pixels] = True
    return mask.reshape(HEIGHT, WIDTH)


def assert_same(found: Found, wanted: Found, least: float = 1.0) -> None:
    """least: the smallest IoU of any object; 1 where every pixel is the same."""
    assert {name for name, objects in wanted.items() if objects} <= found.keys()
    for name, objects in wanted.items():
        theirs = found.get(name, [])
        assert [label for label, _ in theirs] == [label for label, _ in objects], name
        for (label, mine), (_, other) in zip(objects, theirs, strict=True):
            share = np.count_nonzero(mine & other) / np.count_nonzero(mine | other)
            assert share >= least, (name, label, share)


@pytest.mark.parametrize(
    ("form", "reader", "photos"),
    [
        ("datumaro", "datumaro", "images/default"),
        ("cvat", "datumaro-cvat", "images"),
        ("cvat", "cvat-sdk", ""),
        ("voc", "datumaro-voc", "JPEGImages"),
        ("label-studio", "label-studio", ""),
        ("labelme", "labelme", ""),
        ("coco", "supervision-coco", "images"),
    ],
)
def test_masks_are_read_to_the_last_pixel(
    peers: str, form: str, reader: str, photos: str, tmp_path: Path
) -> None:
    exported(form, tmp_path / "out", photos)
    assert_same(found_by(peers, reader, tmp_path / "out"), scenes())


def filled(mask: Mask) -> Mask:
    from vtmr.app.edits import without_holes

    return without_holes(mask)


@pytest.mark.parametrize(
    ("form", "reader", "photos", "least"),
    [
        # LabelMe paints a polygon's outline, too, a pixel wide, and so the seams into holes.
        ("labelme-polygons", "labelme", "", 0.6),
        # Polygons are joined by thin lines and lose their holes; supervision rounds points.
        ("yolo", "supervision-yolo", "images", 0.6),
    ],
)
def test_polygons_are_read_nearly(
    peers: str, form: str, reader: str, photos: str, least: float, tmp_path: Path
) -> None:
    exported(form, tmp_path / "out", photos)
    wanted = scenes()
    wanted["b"] = wanted["b"][:1]  # a line of single pixels has no area to be near to
    if form == "yolo":
        wanted = {
            name: [(label, filled(mask)) for label, mask in objects]
            for name, objects in wanted.items()
        }
    found = found_by(peers, reader, tmp_path / "out")
    found["b"] = found["b"][:1]
    assert_same(found, wanted, least)


@pytest.mark.parametrize(
    ("theirs", "form"),
    [
        ("coco_instances", "coco"),
        ("cvat", "cvat"),
        ("voc_segmentation", "voc"),
        ("datumaro", "datumaro"),
    ],
)
def test_what_datumaro_writes_is_read(
    peers: str, theirs: str, form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From what it read of ours, in its own formats; its COCO has polygons through the middles of
    pixels, which lose half a pixel all around, holes, and a line of single pixels."""
    tmp_path = tmp_path_factory.mktemp("datumaro")
    exported("datumaro", tmp_path / "out", "images/default")
    found_by(peers, "datumaro-writes", tmp_path / "out")
    found: Found = {}
    sentences = []
    with opened_source(tmp_path / "written" / theirs) as source:
        for image in read(form, source).images:
            objects, said = image.decode((HEIGHT, WIDTH))
            sentences += said.sentences()
            found[Path(image.names[0]).stem] = [(one.label, one.runs.decode()) for one in objects]
    wanted = scenes()
    if form == "coco":
        wanted["b"] = wanted["b"][:1]
        wanted["a"] = [(label, filled(mask)) for label, mask in wanted["a"]]
        assert len(sentences) == 1 and sentences[0].startswith("b.png: annotation")
        assert_same(found, wanted, 0.7)
    else:
        assert sentences == []
        assert_same(found, wanted)
