"""Every format out by one command and in by the other, from a folder to its copy; and what the
commands say of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import Command
from test_import_annotations import coco_file, objects

from vtmr.formats import READERS

SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]
OTHER = [[40, 30, 60, 30, 60, 45, 40, 45]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.png and sub/b.jpg, 80 x 60, without annotations."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.jpg"):
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / name)
    return folder


@pytest.mark.parametrize("form", READERS)
def test_out_and_in_again(form: str, photos: Path, command: Command, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    shapes = [("a.png", SQUARE), ("a.png", OTHER), ("sub/b.jpg", OTHER)]
    command("import-annotations", photos, coco_file(photos, *shapes))
    wanted = {"a.png": [("cup", 100), ("cup", 300)], "sub/b.jpg": [("cup", 300)]}
    assert objects(photos) == wanted
    out = tmp_path / "out"
    done = command("export-annotations", photos, "--format", form, "--out", out)
    assert done.code == 0, done.err
    tried = command("import-annotations", copy, out, "--dry-run")
    assert tried.out == "Would add 3 objects on 2 images\n       3 cup\n"
    assert not (copy / ".vtmr").exists()
    done = command("import-annotations", copy, out)
    assert done.out == "3 objects on 2 images\n"
    assert done.err.splitlines()[0] == f"vtmr: {out} is read as {form}."
    assert objects(copy) == wanted
    again = command("import-annotations", copy, out)
    again.assert_refused("3 of the file's 3 objects are on their images already")


def test_masks_by_a_pattern(photos: Path, command: Command, tmp_path: Path) -> None:
    """In a folder of their own."""
    masks = tmp_path / "masks"
    (masks / "sub").mkdir(parents=True)
    values = np.zeros((60, 80), np.uint8)
    values[10:20, 10:20] = 255
    Image.fromarray(values).save(masks / "a_mask.png")
    Image.fromarray(values).save(masks / "sub" / "b_mask.png")
    given = ("--format", "indexed-png", "--pattern", "{name}_mask.png")
    done = command("import-annotations", photos, masks, *given)
    assert (done.out, done.err) == ("2 objects on 2 images\n", "")
    assert objects(photos) == {"a.png": [("object", 100)], "sub/b.jpg": [("object", 100)]}


def test_what_cannot_be_read(photos: Path, command: Command, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    command("import-annotations", photos, given).assert_refused("of no format that vtmr reads")
    command("import-annotations", photos, given, "--format", "xyz").assert_refused(
        "'xyz' is unknown: expected auto, coco"
    )
    (given / "a.xml").write_text('<!DOCTYPE x [<!ENTITY e "e">]><annotations/>')
    command("import-annotations", photos, given / "a.xml").assert_refused(
        "a.xml", "declares a document type or entities"
    )
