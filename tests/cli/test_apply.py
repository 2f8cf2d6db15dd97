"""`vtmr apply`: prompts for many images in, masks out. The colour network answers a click with the
pixels of its colour, so that what a mask must be can be told from the picture."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image
from pycocotools import mask as coco_mask
from running import Command

from vtmr.masks import iou

ROOT = Path(__file__).parents[2]
RED, BLUE = (56, 54), (124, 66)  # places in the two shapes of the picture
BLUE_BOX = (104, 36, 144, 96)  # rows and columns of the blue rectangle, as shapes_image says


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three pictures of a red ellipse and a blue rectangle on green."""
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    for number, name in enumerate(("a.png", "000017.png", "inner/c.png")):
        Image.fromarray(shapes_image(seed=number)).save(folder / name)
    return folder


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def masks_in(out: Path) -> dict[tuple[str, str], np.ndarray[Any, Any]]:
    """The masks of annotations.json by image and label, decoded by pycocotools."""
    document = json.loads((out / "annotations.json").read_text())
    images = {image["id"]: image["file_name"] for image in document["images"]}
    labels = {category["id"]: category["name"] for category in document["categories"]}
    return {
        (images[one["image_id"]], labels[one["category_id"]]): coco_mask.decode(one["segmentation"])
        for one in document["annotations"]
    }


def overlap(mask: np.ndarray[Any, Any], box: tuple[int, int, int, int]) -> float:
    """IoU with a box's pixels."""
    x0, y0, x1, y1 = box
    whole = np.zeros(mask.shape, bool)
    whole[y0:y1, x0:x1] = True
    return float((whole & (mask > 0)).sum() / (whole | (mask > 0)).sum())


def test_clicks_and_boxes_become_masks(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    prompts = write(
        tmp_path / "prompts.csv",
        "image,object,kind,x,y,positive,x0,y0,x1,y1,label",
        f"a.png,1,click,{RED[0]},{RED[1]},1,,,,,ellipse",
        "a.png,1,click,10,10,0,,,,,",
        "c.png,7,box,,,,100,30,150,100,rectangle",
    )
    out = tmp_path / "out"
    done = command("apply", photos, "--prompts", prompts, "--out", out)
    assert done.code == 0, done.err
    assert done.out == f"{out}: 2 masks on 2 images\n"
    assert "1 of 3 images have no prompts" in done.err
    masks = masks_in(out)
    assert masks.keys() == {("a.png", "ellipse"), ("inner/c.png", "rectangle")}
    assert overlap(masks["inner/c.png", "rectangle"], BLUE_BOX) > 0.95
    ellipse = masks["a.png", "ellipse"]
    assert ellipse[RED[1], RED[0]]
    assert not ellipse[10, 10]
    assert not ellipse[BLUE[1], BLUE[0]]


def test_a_detectors_boxes_become_masks(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    """Results name images by ids: here 17 is the file 000017.png, as in COCO itself."""
    results = [
        {"image_id": 17, "category_id": 3, "bbox": [100, 30, 50, 70], "score": 0.9},
        {"image_id": 17, "category_id": 3, "bbox": [0, 0, 20, 20], "score": 0.2},
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    out = tmp_path / "out"
    done = command("apply", photos, "--prompts", path, "--out", out, "--min-score", "0.5")
    assert done.code == 0, done.err
    assert "1 prompts score less than 0.5" in done.err
    masks = masks_in(out)
    assert masks.keys() == {("000017.png", "3")}
    assert overlap(masks["000017.png", "3"], BLUE_BOX) > 0.95
    line = json.loads((out / "masks.jsonl").read_text())
    assert line["objects"][0]["score"] == 0.9


def test_an_instance_file_says_what_results_mean(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    """As with pycocotools' loadRes; its own annotations are then no prompts."""
    instances = {
        "images": [{"id": 5, "file_name": "inner/c.png"}],
        "categories": [{"id": 3, "name": "rectangle"}],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 3, "bbox": [0, 0, 9, 9]}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    results = [{"image_id": 5, "category_id": 3, "bbox": [100, 30, 50, 70]}]
    (tmp_path / "results.json").write_text(json.dumps(results))
    out = tmp_path / "out"
    done = command(
        *("apply", photos, "--out", out, "--prompts", tmp_path / "results.json"),
        *("--prompts", tmp_path / "instances.json"),
    )
    assert done.code == 0, done.err
    assert masks_in(out).keys() == {("inner/c.png", "rectangle")}
    alone = command(
        "apply", photos, "--out", tmp_path / "alone", "--prompts", tmp_path / "results.json"
    )
    alone.assert_refused("No image is called '5'", "--prompts instances.json")


def test_a_rough_mask_is_corrected_by_a_click_here_or_refitted(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    """The mask has a hole in the blue rectangle and an island far away: a click in the hole fills
    it, and leaves the island with "here" alone."""
    rough = np.zeros((120, 160), np.uint8)
    rough[36:96, 104:144] = 255
    rough[56:76, 114:134] = 0
    rough[4:12, 4:12] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(rough).save(tmp_path / "masks" / "a.png")
    prompts = write(
        tmp_path / "prompts.csv",
        "image;object;kind;x;y;mask",
        f"a.png;1;click;{BLUE[0]};{BLUE[1]};",
        "a.png;1;mask;;;masks/a.png",
    )
    for correction, island in (("here", True), ("refit", False)):
        out = tmp_path / correction
        done = command(
            *("apply", photos, "--prompts", prompts, "--out", out, "--correction", correction)
        )
        assert done.code == 0, done.err
        (mask,) = masks_in(out).values()
        assert mask[BLUE[1], BLUE[0]]
        assert bool(mask[8, 8]) is island


def test_a_rough_mask_alone_is_tightened_or_kept(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    """Both shapes as one mask, each grown by five pixels: what is green goes from both. Then masks
    that the answer hardly meets, as one corner of a shape, and one that it hardly differs from:
    these come out as they were given."""
    image = shapes_image().astype(int)
    shapes = (image[..., 1] < 100) & (np.abs(image - (60, 150, 60)).sum(2) > 100)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    masks = {"both": cv2.dilate(shapes.astype(np.uint8), disc) > 0, "corner": np.zeros_like(shapes)}
    masks["corner"][40:50, 108:118] = True
    masks["whole"] = shapes
    for name, mask in masks.items():
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / f"{name}.png")
    rows = [f"a.png,{name},mask,{name}.png,{name}" for name in masks]
    prompts = write(tmp_path / "p.csv", "image,object,kind,mask,label", *rows)
    out = tmp_path / "out"
    done = command("apply", photos, "--prompts", prompts, "--out", out)
    assert done.code == 0, done.err
    assert "3 masks (2 as they were given) on 1 image" in done.out
    found = {label: mask > 0 for (_, label), mask in masks_in(out).items()}
    assert np.array_equal(found["corner"], masks["corner"])
    assert np.array_equal(found["whole"], masks["whole"])
    assert iou(masks["both"], shapes) < 0.85
    assert iou(found["both"], shapes) > 0.97


def test_bad_entries_cost_themselves_alone(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    write(
        tmp_path / "prompts.csv",
        "image,object,kind,x,y,x0,y0,x1,y1,mask,label",
        "a.png,good,click,56,54,,,,,,",
        "a.png,outside,click,5000,54,,,,,,",
        "a.png,half,click,56,54,,,,,,",
        "a.png,half,click,fifty,54,,,,,,",
        "a.png,two boxes,box,,,1,1,9,9,,",
        "a.png,two boxes,box,,,2,2,9,9,,",
        "a.png,nowhere,mask,,,,,,,../secret.png,",
        "a.png,gone,mask,,,,,,,gone.png,",
        "a.png,odd,circle,,,,,,,,",
        "broken.png,1,click,3,3,,,,,,",
        "missing.png,1,click,3,3,,,,,,",
        ",1,click,3,3,,,,,,",
    )
    out = tmp_path / "out"
    done = command("apply", photos, "--prompts", tmp_path / "prompts.csv", "--out", out)
    assert done.code == 2
    assert masks_in(out).keys() == {("a.png", "object")}
    assert "object half: prompts.csv, line 5: x is 'fifty'" in done.err
    assert "Traceback" not in done.err
    with (out / "failures.csv").open() as file:
        rows = {row["object"]: row["reason"] for row in csv.DictReader(file)}
    assert "outside the image" in rows["outside"]
    assert "2 boxes" in rows["two boxes"]
    assert "outside the CSV file's folder" in rows["nowhere"]
    assert "gone.png" in rows["gone"]
    assert "'circle' is unknown" in rows["odd"]
    assert f"9 failures in {out / 'failures.csv'}" in done.out


def test_a_run_goes_on_where_it_stopped(
    command: Command,
    colour_network: ColourNetwork,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the second image; then its line is cut in two, as by a crash. The result is that of
    a whole run, and what was done isn't done again."""
    prompts = write(
        tmp_path / "prompts.csv",
        "image,kind,x,y",
        *(f"{name},click,56,54" for name in ("000017.png", "a.png", "inner/c.png")),
    )
    whole = tmp_path / "whole"
    assert command("apply", photos, "--prompts", prompts, "--out", whole).code == 0
    from vtmr.batch import answering

    asked: list[str] = []
    read = answering.read_image

    def interrupted(path: Path) -> Any:
        asked.append(path.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(answering, "read_image", interrupted)
    out = tmp_path / "out"
    stopped = command("apply", photos, "--prompts", prompts, "--out", out)
    assert stopped.code == 130
    assert "keeps every finished image: run the same command again" in stopped.err
    assert not (out / "annotations.json").exists()
    journal = out / "masks.jsonl"
    journal.write_text(journal.read_text() + '{"image": "a.png", "key"')
    done = command("apply", photos, "--prompts", prompts, "--out", out)
    assert done.code == 0, done.err
    assert asked == ["000017.png", "a.png", "a.png", "c.png"]
    assert (out / "annotations.json").read_bytes() == (whole / "annotations.json").read_bytes()


def test_only_what_changed_is_done_again(
    command: Command,
    colour_network: ColourNetwork,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from vtmr.batch import answering

    asked: list[str] = []
    read = answering.read_image
    monkeypatch.setattr(answering, "read_image", lambda path: asked.append(path.name) or read(path))
    prompts, out = tmp_path / "prompts.csv", tmp_path / "out"
    for x, form in ((56, "coco"), (60, "coco"), (60, "labelme")):
        write(prompts, "image,kind,x,y", "a.png,click,56,54", f"c.png,click,{x},54")
        done = command("apply", photos, "--prompts", prompts, "--out", out, "--format", form)
        assert done.code == 0, done.err
    assert asked == ["a.png", "c.png", "c.png"]
    assert json.loads((out / "a.json").read_text())["shapes"]


@pytest.mark.parametrize(
    ("lines", "fragment"),
    [
        ([""], "has no header"),
        (["image,kind"], "lacks the column x and y"),
        (["kind,x,y"], "lacks the column image"),
        (["image,kind,x,y,postive"], "did you mean 'positive'?"),
        (["image,kind,x,y,x"], "two columns 'x'"),
        (["image,kind,x,y"], "of none of the 3 images: they hold nothing"),
        (["image,kind,x,y", "z.png,click,1,1"], "no image of that name"),
        (["{]"], "isn't JSON"),
        (["[]"], "isn't COCO's results"),
    ],
)
def test_files_that_are_no_prompts_are_refused(
    command: Command, photos: Path, tmp_path: Path, lines: list[str], fragment: str
) -> None:
    prompts = write(tmp_path / "prompts.csv", *lines)
    done = command("apply", photos, "--prompts", prompts, "--out", tmp_path / "out")
    done.assert_refused(fragment)


def test_what_is_read_is_never_written_over(
    command: Command, colour_network: ColourNetwork, photos: Path, tmp_path: Path
) -> None:
    """The rough mask beside its photo bears the very name that --format indexed-png gives."""
    Image.fromarray(np.full((120, 160), 255, np.uint8)).save(photos / "a.mask.png")
    before = (photos / "a.mask.png").read_bytes()
    prompts = write(photos / "p.csv", "image,kind,mask", "a.png,mask,a.mask.png")
    done = command(
        *("apply", photos, "--prompts", prompts, "--out", photos, "--format", "indexed-png")
    )
    done.assert_refused("would be replaced, which is read here")
    assert (photos / "a.mask.png").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "fragment"),
    [
        (["--format", "gif"], "The format 'gif' is unknown"),
        (["--correction", "there"], "'there' is unknown"),
        (["--jobs", "2", "--ray", "local"], "expected one of them"),
        (["--jobs", "0"], "whole number from 1"),
        (["--min-score", "much"], "expected a number"),
    ],
)
def test_wrong_flags_are_refused(
    command: Command, photos: Path, tmp_path: Path, flags: list[str], fragment: str
) -> None:
    prompts = write(tmp_path / "p.csv", "image,kind,x,y", "a.png,click,56,54")
    done = command("apply", photos, "--prompts", prompts, "--out", tmp_path / "out", *flags)
    done.assert_refused(fragment)


def started(*arguments: object) -> subprocess.Popen[str]:
    """`vtmr` in a process group of its own, with the bundled model."""
    slow_machine = {"RAY_raylet_start_wait_time_s": "300"}
    return subprocess.Popen(
        [sys.executable, "-m", "vtmr.cli", *map(str, arguments)],
        env=os.environ | slow_machine | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def succeed(*arguments: object) -> None:
    run = started(*arguments)
    out, err = run.communicate(timeout=600)
    assert run.returncode == 0, out + err


@pytest.mark.slow
def test_two_processes_killed_halfway_end_as_one(photos: Path, tmp_path: Path) -> None:
    """With the bundled model; the group is killed once a line is there, then the command is given
    again."""
    names = ["a.png", "000017.png", "inner/c.png"]
    prompts = write(
        tmp_path / "prompts.csv", "image,kind,x,y", *(f"{name},click,56,54" for name in names)
    )
    succeed("apply", photos, "--prompts", prompts, "--out", tmp_path / "one")
    two = ("apply", photos, "--prompts", prompts, "--out", tmp_path / "two", "--jobs", "2")
    run = started(*two)
    journal, end = tmp_path / "two" / "masks.jsonl", time.monotonic() + 300
    while not (journal.exists() and journal.stat().st_size):
        assert run.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    succeed(*two)
    files = [tmp_path / folder / "annotations.json" for folder in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.proof
def test_a_local_ray_ends_as_one_process(photos: Path, tmp_path: Path) -> None:
    """In `make test` the benchmark's runs are shared with a cluster (unit/bench/test_scale.py)."""
    prompts = write(
        tmp_path / "p.csv", "image,kind,x,y", "a.png,click,56,54", "inner/c.png,click,56,54"
    )
    for folder, flags in (("one", ()), ("ray", ("--ray", "local"))):
        succeed("apply", photos, "--prompts", prompts, "--out", tmp_path / folder, *flags)
    files = [tmp_path / folder / "annotations.json" for folder in ("one", "ray")]
    assert files[0].read_bytes() == files[1].read_bytes()
