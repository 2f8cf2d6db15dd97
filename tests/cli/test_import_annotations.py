"""`vtmr import-annotations`, and what `vtmr export-annotations` makes of names and numbers that
formats or file systems don't like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from running import Command

from vtmr.app.store import Store

SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]
PARTS = [*SQUARE, [40, 30, 50, 30, 50, 40, 40, 40]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.png and sub/b.png, 80 x 60."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / name)
    return folder


def coco_file(folder: Path, *shapes: tuple[str, Any], label: str = "cup") -> Path:
    """An annotation for each (image's name, segmentation)."""
    images = [{"id": n, "file_name": name} for n, (name, _) in enumerate(shapes)]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "segmentation": segmentation}
        for n, (_, segmentation) in enumerate(shapes)
    ]
    content = {"images": images, "annotations": annotations}
    path = folder.parent / "instances.json"
    path.write_text(json.dumps({**content, "categories": [{"id": 1, "name": label}]}))
    return path


def objects(folder: Path) -> dict[str, list[tuple[str, int]]]:
    """Labels and areas by image."""
    store = Store(folder, write=False)
    found = {name: store.document(name) for name in store.heads}
    return {
        name: [(item.label, item.mask.area) for item in document.content.items]
        for name, document in found.items()
        if document is not None
    }


class TestImport:
    def test_objects_come_and_stay(self, photos: Path, command: Command) -> None:
        file = coco_file(photos, ("a.png", SQUARE), (r"C:\x\sub\b.png", PARTS))
        done = command("import-annotations", photos, file)
        assert (done.code, done.out) == (0, "2 objects on 2 images\n")
        assert done.err == f"vtmr: {file} is read as coco.\n"
        assert objects(photos) == {"a.png": [("cup", 100)], "sub/b.png": [("cup", 200)]}
        assert Store(photos, write=False).labels == ["cup"]

    def test_what_does_not_come_is_said(self, photos: Path, command: Command) -> None:
        file = coco_file(photos, ("a.png", SQUARE), ("gone.png", SQUARE), ("sub/b.png", []))
        done = command("import-annotations", photos, file)
        assert (done.code, done.out) == (0, "1 object on 1 image\n")
        _, gone, boxed = done.err.splitlines()
        assert gone == "vtmr: gone.png: there is no image of that name."
        assert boxed.startswith("vtmr: sub/b.png: annotation 2 was left out. There is no outline")

    def test_the_second_time_is_asked_about(self, photos: Path, command: Command) -> None:
        file = coco_file(photos, ("a.png", SQUARE))
        command("import-annotations", photos, file)
        command("import-annotations", photos, file).assert_refused(
            "1 of the file's 1 objects are on their images already", "--repeated skip"
        )
        more = coco_file(photos, ("a.png", SQUARE), ("a.png", PARTS))
        assert command("import-annotations", photos, more, "--repeated", "skip").out == (
            "1 object on 1 image\n"
        )
        assert command("import-annotations", photos, more, "--repeated", "add").out == (
            "2 objects on 1 image\n"
        )
        assert [area for _, area in objects(photos)["a.png"]] == [100, 200, 100, 200]
        command("import-annotations", photos, more, "--repeated", "x").assert_refused(
            "--repeated x is unknown"
        )

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "can't be read: No such file"),
            (b"", "isn't JSON"),
            (b"[]", "This is a list"),
            (b"{}", "isn't a COCO instance file"),
            ("ü".encode("latin-1"), "isn't UTF-8"),
        ],
    )
    def test_files_that_are_none(
        self, photos: Path, command: Command, content: bytes | None, says: str
    ) -> None:
        file = photos.parent / "x.json"
        if content is not None:
            file.write_bytes(content)
        command("import-annotations", photos, file).assert_refused("x.json", says)
        assert not (photos / ".vtmr").exists()

    def test_folders_that_cannot_be_changed(self, photos: Path, command: Command) -> None:
        file = coco_file(photos, ("a.png", SQUARE))
        command("import-annotations", photos / "nothing", file).assert_refused("is not a folder")
        other = Store(photos)
        command("import-annotations", photos, file).assert_refused("already being annotated")
        other.close()

    def test_files_beyond_the_pages_limit(
        self, photos: Path, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Here of a megabyte; most of the file is of images that aren't here."""
        for limit in ("importroutes.MAX_IMPORT", "imports.MAX_UPLOAD"):
            monkeypatch.setattr(f"vtmr.app.{limit}", 1 << 20)
        file = coco_file(photos, ("a.png", SQUARE))
        content = json.loads(file.read_text())
        content["images"] += [{"id": n, "file_name": f"far/{n}.png"} for n in range(1, 500)]
        content["annotations"] += [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[1.25, 2.5] * 300]}
            for n in range(1, 500)
        ]
        file.write_text(json.dumps(content))
        assert file.stat().st_size > 1 << 20
        done = command("import-annotations", photos, file)
        assert (done.code, done.out) == (0, "1 object on 1 image\n")
        assert done.err.splitlines()[-1].startswith("vtmr: The same holds for 479 more images")


class TestExport:
    @pytest.fixture
    def odd(self, photos: Path, command: Command) -> Path:
        """Beside a.png: a name that isn't UTF-8, the longest names, emoji for a label."""
        for name in (b"caf\xe9.png", b"x" * 249 + b".png", ("写" * 83).encode() + b".png"):
            (photos / "t.png").write_bytes((photos / "a.png").read_bytes())
            (photos / "t.png").rename(photos / os.fsdecode(name))
        names = [path.name for path in photos.iterdir() if path.suffix == ".png"]
        file = coco_file(photos, *[(name, SQUARE) for name in names], label="😀")
        done = command("import-annotations", photos, file)
        assert (done.code, done.out) == (0, "4 objects on 4 images\n"), done.err
        return photos

    @pytest.mark.parametrize("form", ["coco", "png", "indexed-png", "yolo", "labelme"])
    def test_no_name_blocks_an_export(
        self, odd: Path, command: Command, tmp_path: Path, form: str
    ) -> None:
        done = command("export-annotations", odd, "--format", form, "--out", tmp_path / "out")
        assert done.code == 0, done.err
        files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert len(files) == {"coco": 1, "yolo": 4 + 4 + 1}.get(form, 4)

    def test_coco_comes_back_by_its_odd_names(
        self, odd: Path, command: Command, tmp_path: Path
    ) -> None:
        command("export-annotations", odd, "--format", "coco", "--out", tmp_path / "out")
        file = tmp_path / "out" / "annotations.json"
        done = command("import-annotations", odd, file, "--repeated", "add")
        assert (done.out, done.err) == (
            "4 objects on 4 images\n",
            f"vtmr: {file} is read as coco.\n",
        )

    def test_yolo_is_a_data_set_that_can_be_trained_from(
        self, odd: Path, command: Command, tmp_path: Path
    ) -> None:
        """By the rules of Ultralytics: test_exports.py; here that photos lie beside labels."""
        out = tmp_path / "out"
        command("export-annotations", odd, "--format", "yolo", "--out", out)
        content = yaml.safe_load((out / "data.yaml").read_text("utf-8"))
        assert content == {"path": str(out), "train": "images", "val": "images", "names": {0: "😀"}}
        photos = sorted((out / "images").rglob("*.png"))
        assert len(photos) == 4
        for photo in photos:
            assert photo.resolve().parent == odd
            with Image.open(photo) as opened:
                assert opened.size == (80, 60)
            labels = Path(str(photo).replace("/images/", "/labels/")).with_suffix(".txt")
            assert len(labels.read_text().splitlines()) == 1
        again = command("export-annotations", odd, "--format", "yolo", "--out", out)
        assert again.code == 0, again.err

    def test_a_crowded_image_costs_itself_alone(
        self, photos: Path, command: Command, tmp_path: Path
    ) -> None:
        file = coco_file(photos, ("sub/b.png", SQUARE), *[("a.png", SQUARE)] * 256)
        command("import-annotations", photos, file)
        out = tmp_path / "out"
        done = command("export-annotations", photos, "--format", "indexed-png", "--out", out)
        assert done.code == 2
        assert done.out == f"{out}: 1 file\n"
        assert done.err.startswith("vtmr: a.png isn't in the export: it has 256 objects")
        assert (out / "sub" / "b.mask.png").is_file()

    def test_polygons_for_coco_alone(self, photos: Path, command: Command, tmp_path: Path) -> None:
        command("import-annotations", photos, coco_file(photos, ("a.png", PARTS)))
        out = tmp_path / "out"
        done = command("export-annotations", photos, "--format", "coco", "--polygons", "--out", out)
        assert done.code == 0, done.err
        (record,) = json.loads((out / "annotations.json").read_text())["annotations"]
        assert [len(polygon) for polygon in record["segmentation"]] == [8, 8]
        command(
            "export-annotations", photos, "--format", "png", "--polygons", "--out", out
        ).assert_refused("--polygons is for --format coco and labelme, not png")

    def test_what_cannot_be_written_costs_itself_alone(
        self, photos: Path, command: Command, tmp_path: Path
    ) -> None:
        command(
            "import-annotations",
            photos,
            coco_file(photos, ("a.png", SQUARE), ("sub/b.png", SQUARE)),
        )
        out = tmp_path / "out"
        (out / "a.json").mkdir(parents=True)  # a folder lies in the place of the file
        done = command("export-annotations", photos, "--format", "labelme", "--out", out)
        assert done.code == 2
        assert "a.json can't be written" in done.err
        assert (out / "sub" / "b.json").is_file()


def test_a_name_that_the_terminal_cannot_show_ends_no_command(
    photos: Path, command: Command, tmp_path: Path
) -> None:
    """Where the locale is strict about it, as a desktop's is."""
    command("import-annotations", photos, coco_file(photos, ("a.png", SQUARE)))
    out = tmp_path / os.fsdecode(b"gr\xfcn")
    code = "import sys; from vtmr.cli import main; sys.exit(main())"
    arguments: list[str | Path] = ["export-annotations", photos, "--format", "png", "--out", out]
    for encoding in ("utf-8:strict", "ascii:strict"):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("gr\\udcfcn: 1 file\n")
