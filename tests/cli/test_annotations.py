"""`vtmr annotate`, `vtmr export-annotations` and `vtmr replay`, on folders annotated through the
API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork
from PIL import Image
from running import Command
from starlette.testclient import TestClient

from vtmr.app.annotator import Annotator
from vtmr.app.server import create_app
from vtmr.cli.annotate import made_with
from vtmr.cli.predictors import load
from vtmr.serving.access import Access


@pytest.fixture
def annotated(photo: Path, colour_network: ColourNetwork) -> Path:
    """The folder of shapes.png with a clicked and an imported object, accepted."""
    folder = photo.parent
    loaded = load(str(photo))  # any file: the colour network stands in for what it would hold
    annotator = Annotator(folder, loaded.predictor, labels=["cup"], made_with=made_with(loaded))
    headers = {"Authorization": "Bearer secret"}
    with TestClient(
        create_app(annotator, Access("x", 1, "secret")), "http://x:1", headers=headers
    ) as http:
        (image,) = http.get("/api/v1/images").json()["images"]
        changes: tuple[dict[str, Any], ...] = (
            {"op": "click", "object": None, "clicks": [{"x": 56, "y": 54}]},
            {
                "op": "brush",
                "object": "o1",
                "points": [[5, 5], [30, 5]],
                "radius": 3,
                "mode": "add",
            },
            {"op": "click", "object": "o1", "clicks": [{"x": 124, "y": 66}]},
            {
                "op": "mask",
                "object": None,
                "mask": {"box": [60, 2, 80, 4], "runs": [0, 40]},
                "label": "bar",
            },
            {"op": "done", "done": True},
        )
        for revision, change in enumerate(changes):
            answer = http.post(
                f"/api/v1/images/{image['id']}/changes", json={**change, "revision": revision}
            )
            assert answer.status_code == 200, answer.text
    return folder


class TestReplay:
    def test_every_mask_comes_back_bit_for_bit(
        self, annotated: Path, photo: Path, command: Command
    ) -> None:
        done = command("replay", annotated, "--model", photo)
        assert done.code == 0, done.err
        assert done.out.splitlines() == [
            "shapes.png o1: identical",
            "shapes.png o2: identical",
            "2 of 2 masks are identical.",
        ]

    def test_another_network_is_told_by_its_iou(
        self, annotated: Path, photo: Path, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fakes.REACH", 4.0)
        clicked, drawn = json.loads(command("replay", annotated, "--model", photo, "--json").out)
        assert clicked["identical"] is False
        assert 0 < clicked["iou"] < 1
        assert clicked["same_setup"] is True
        assert drawn["identical"] is True

    def test_a_missing_image_is_said(
        self, annotated: Path, photo: Path, command: Command, tmp_path: Path
    ) -> None:
        model = tmp_path.parent / f"{tmp_path.name}.model"
        photo.rename(model)
        done = command("replay", annotated, "--model", model)
        assert "shapes.png o1: the image is gone" in done.out
        assert "0 of 2 masks are identical." in done.out


def test_folders_annotated_through_links_go_on_through_links(
    annotated: Path, photo: Path, command: Command, tmp_path: Path
) -> None:
    model = tmp_path.parent / f"{tmp_path.name}.model"
    photo.rename(model)
    photo.symlink_to(model)
    out = tmp_path / "out"
    export = ("export-annotations", annotated, "--format", "coco", "--out", out)
    assert "isn't in the folder any more" in command(*export).err
    assert command(*export, "--follow-links").err == ""
    add = ("import-annotations", annotated, out / "annotations.json", "--repeated", "add")
    nothing, both = command(*add), command(*add, "--follow-links")
    assert (nothing.out, nothing.code) == ("0 objects on 0 images\n", 2)
    assert (both.out, both.code) == ("2 objects on 1 image\n", 0)
    played = command("replay", annotated, "--model", model, "--follow-links")
    assert "shapes.png o1: identical" in played.out


class TestExport:
    def test_png_per_object(self, annotated: Path, command: Command, tmp_path: Path) -> None:
        done = command(
            "export-annotations",
            annotated,
            "--format",
            "png",
            "--out",
            tmp_path / "out",
            "--only-done",
        )
        assert done.out == f"{tmp_path / 'out'}: 2 files\n"
        bar = np.array(Image.open(tmp_path / "out" / "shapes" / "002-bar.png"))
        wanted = np.zeros((120, 160), np.uint8)
        wanted[2:4, 60:80] = 255
        np.testing.assert_array_equal(bar, wanted)

    def test_losses_are_said_on_stderr(
        self, annotated: Path, command: Command, tmp_path: Path
    ) -> None:
        done = command(
            "export-annotations", annotated, "--format", "yolo", "--out", tmp_path / "out"
        )
        assert done.code == 0
        assert done.err == "vtmr: shapes.png: 1 object of several parts joined by thin lines.\n"
        assert (tmp_path / "out" / "labels" / "shapes.txt").is_file()

    def test_a_link_in_the_target_is_not_followed(
        self, annotated: Path, command: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out" / "shapes").symlink_to(tmp_path / "elsewhere")
        command(
            "export-annotations", annotated, "--format", "png", "--out", tmp_path / "out"
        ).assert_refused("leads out")
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_a_photo_of_another_size_is_told_and_left_out(
        self, annotated: Path, photo: Path, command: Command, tmp_path: Path
    ) -> None:
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(photo)
        done = command("export-annotations", annotated, "--format", "png", "--out", tmp_path / "o")
        assert done.code == 2
        assert "shapes.png has 80x60 pixels, but its annotations are of an image of" in done.err
        assert not (tmp_path / "o" / "shapes").exists()

    def test_a_photo_that_is_gone_is_named(
        self, annotated: Path, photo: Path, command: Command, tmp_path: Path
    ) -> None:
        photo.rename(photo.with_name("renamed.png"))
        done = command("export-annotations", annotated, "--format", "png", "--out", tmp_path / "o")
        assert done.code == 0
        assert "shapes.png isn't in the folder any more, or under another name" in done.err
        assert len(list((tmp_path / "o" / "shapes").iterdir())) == 2

    def test_a_change_that_the_journal_lost_fails_the_export(
        self, annotated: Path, command: Command, tmp_path: Path
    ) -> None:
        journal = annotated / ".vtmr" / "journal.jsonl"
        journal.write_bytes(journal.read_bytes() + b"damaged\n")
        done = command("export-annotations", annotated, "--format", "png", "--out", tmp_path / "o")
        assert done.code == 2
        assert "that change is lost" in done.err
        assert len(list((tmp_path / "o" / "shapes").iterdir())) == 2

    def test_what_cannot_be_exported(
        self, annotated: Path, command: Command, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        command("export-annotations", annotated, "--format", "xyz", "--out", out).assert_refused(
            "'xyz' is unknown"
        )
        (tmp_path / "plain").mkdir()
        command(
            "export-annotations", tmp_path / "plain", "--format", "png", "--out", out
        ).assert_refused("no annotations")


class TestAnnotate:
    @pytest.mark.parametrize(
        ("flags", "fragment"),
        [
            (["--port", "70000"], "--port 70000"),
            (["--labels", "a,b\tc"], "The label 'b\\tc'"),
            (["--host", "nowhere.invalid."], "nowhere.invalid.:0 can't be used"),
        ],
    )
    def test_flags_that_make_no_sense(
        self,
        photo: Path,
        colour_network: ColourNetwork,
        command: Command,
        flags: list[str],
        fragment: str,
    ) -> None:
        command("annotate", photo.parent, "--no-browser", "--model", photo, *flags).assert_refused(
            fragment
        )

    def test_a_folder_that_is_not_there(self, command: Command, tmp_path: Path) -> None:
        command("annotate", tmp_path / "nothing").assert_refused("is not a folder")

    @pytest.mark.slow
    def test_the_address_comes_first_and_ctrl_c_ends(self, photo: Path) -> None:
        """In a process of its own, with the colour network put in the model's place."""
        code = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from fakes import ColourNetwork
import vtmr.segmenter.loading as loading
network = ColourNetwork()
network.threads, network.own_input_size = 1, network.spec.input_size
loading.load_network = lambda *a, **k: network
from vtmr.cli import main
sys.exit(main())
"""
        tests = str(Path(__file__).parents[1])
        command = [
            sys.executable,
            "-c",
            code,
            tests,
            "annotate",
            str(photo.parent),
            "--no-browser",
            "--model",
            str(photo),
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            address = process.stdout.readline()
            assert address.startswith("http://127.0.0.1:")
            assert len(address.strip().split("/?token=")[1]) >= 32
            second = subprocess.run(command, capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert f"already being annotated by process {process.pid}" in second.stderr
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(20) == 0
            assert process.stderr.read().splitlines() == [
                "1 image, model colour. Ctrl-C ends.",
                "Everything is saved.",
            ]
