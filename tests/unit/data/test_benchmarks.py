"""Benchmarks by name, on tiny folders; GrabCut's values are those of docs/method.md §D.7 (0
background, 128 unknown, 255)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtmr.data import benchmarks, open_benchmark, validation_list
from vtmr.errors import DataError

LABELS = np.array([[0, 64, 128, 255], [0, 128, 200, 255]], np.uint8)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def photo(height: int = 2, width: int = 4) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def pairs(root: Path, *stems: str) -> Path:
    for stem in stems:
        save(root / "images" / f"{stem}.png", photo())
        save(root / "masks" / f"{stem}.png", LABELS)
    return root


def test_grabcut(tmp_path: Path) -> None:
    for name in ("flower.JPG", "21077.jpg", "bool.BMP"):
        save(tmp_path / "data_GT" / name, photo())
        save(tmp_path / "boundary_GT" / f"{Path(name).stem}.bmp", LABELS)
    samples = open_benchmark("grabcut", tmp_path)
    assert sorted(sample.image_id for sample in samples) == ["21077", "bool", "flower"]
    for sample in samples:
        image, gt_mask, ignore_mask = sample.load()
        assert (image.shape, sample.dataset, sample.object_id) == ((2, 4, 3), "grabcut", "0")
        assert gt_mask.tolist() == [[False, False, False, True], [False, False, True, True]]
        assert ignore_mask is not None
        assert ignore_mask.tolist() == [[False, False, True, False], [False, True, False, False]]


def test_grabcut_without_a_mask_or_with_one_of_another_size(tmp_path: Path) -> None:
    save(tmp_path / "data_GT" / "a.png", photo())
    save(tmp_path / "boundary_GT" / "b.bmp", LABELS)
    with pytest.raises(DataError, match=r"boundary_GT lacks the mask of a\.png"):
        open_benchmark("grabcut", tmp_path)
    (tmp_path / "boundary_GT" / "b.bmp").unlink()
    save(tmp_path / "boundary_GT" / "a.bmp", LABELS[:, :3])
    (sample,) = open_benchmark("grabcut", tmp_path)
    with pytest.raises(DataError, match="grabcut/a is 3x2, its image 4x2"):
        sample.load()


def test_pairs_and_the_limit(tmp_path: Path) -> None:
    pairs(tmp_path, "a", "b", "c")
    assert [sample.image_id for sample in open_benchmark("pairs", tmp_path)] == ["a", "b", "c"]
    (sample,) = open_benchmark("pairs", tmp_path, limit=1)
    image, gt_mask, ignore_mask = sample.load()
    assert (sample.dataset, sample.source, sample.image_id, sample.object_id) == (
        "pairs",
        "pairs",
        "a",
        "0",
    )
    assert image.shape == (2, 4, 3)
    assert gt_mask.tolist() == (LABELS >= 128).tolist()
    assert ignore_mask is None


def test_a_sample_whose_mask_has_another_size_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    pairs(tmp_path, "a")
    save(tmp_path / "images" / "a.png", photo(3, 4))
    (sample,) = open_benchmark("pairs", tmp_path)
    with pytest.raises(DataError, match="pairs/a is 4x2, its image 4x3"):
        sample.load()


def test_the_report_list_chooses_and_orders(tmp_path: Path) -> None:
    pairs(tmp_path / "duts", "a", "my b", "c")
    (tmp_path / "duts" / "report.txt").write_text("c\nmy b\n")
    assert [(s.dataset, s.image_id) for s in open_benchmark("report", tmp_path)] == [
        ("report", "c"),
        ("report", "my b"),
    ]
    (tmp_path / "duts" / "report.txt").write_text("gone\n")
    (sample,) = open_benchmark("report", tmp_path)
    with pytest.raises(DataError, match="duts has no 'gone'"):
        sample.load()


def test_a_missing_report_list_is_named(tmp_path: Path) -> None:
    pairs(tmp_path / "duts", "a")
    with pytest.raises(DataError, match=r"report\.txt can't be read: No such file"):
        open_benchmark("report", tmp_path)


def test_wrong_names_folders_and_limits(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data set 'grabcat'.*Did you mean 'grabcut'"):
        open_benchmark("grabcat", tmp_path)
    with pytest.raises(DataError, match="gone is not a folder"):
        open_benchmark("pairs", tmp_path / "gone")
    with pytest.raises(DataError, match="limit is 0"):
        open_benchmark("pairs", tmp_path, limit=0)


def test_the_validation_list_is_frozen() -> None:
    """The hash as docs promise it: sha256 of one line per object, source, stem and id between
    tabs."""
    objects = validation_list()
    lines = "".join(f"{source}\t{stem}\t{object_id}\n" for source, stem, object_id in objects)
    content = json.loads(Path(benchmarks.__file__).with_name("validation.json").read_text())
    assert hashlib.sha256(lines.encode()).hexdigest() == content["sha256"]
    assert len(set(objects)) == len(objects) > 100
    assert {source for source, _, _ in objects} <= benchmarks.OPENERS.keys()


def test_a_changed_validation_list_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "objects": [["duts", "a", "0"]],
        "sha256": hashlib.sha256(b"duts\ta\t0\n").hexdigest(),
    }
    monkeypatch.setattr("vtmr.data.benchmarks.resources.files", lambda _: tmp_path)
    (tmp_path / "validation.json").write_text(json.dumps(content))
    assert validation_list() == [("duts", "a", "0")]
    content["objects"] = [["duts", "b", "0"]]
    (tmp_path / "validation.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="doesn't match its own hash"):
        validation_list()


def test_validation_reads_each_source_by_its_own_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs(tmp_path / "duts", "a", "b")
    save(tmp_path / "ccp" / "images" / "x.png", photo())
    save(tmp_path / "ccp" / "labels" / "x.png", LABELS)
    wanted = [("ccp", "x", "200"), ("duts", "b", "0")]
    monkeypatch.setattr(benchmarks, "validation_list", lambda: wanted)
    samples = open_benchmark("validation", tmp_path)
    assert [(s.source, s.image_id, s.object_id) for s in samples] == wanted
    # Moved back by a pixel.
    assert samples[0].load()[1].tolist() == [[False, True, False, False]] * 2
    monkeypatch.setattr(benchmarks, "validation_list", lambda: [("duts", "gone", "0")])
    with pytest.raises(DataError, match="duts has no 'gone'"):
        open_benchmark("validation", tmp_path)[0].load()


def test_the_list_of_large_photos_is_frozen() -> None:
    content = json.loads(Path(benchmarks.__file__).with_name("large.json").read_text())
    lines = "".join("\t".join(item) + "\n" for item in content["objects"])
    assert hashlib.sha256(lines.encode()).hexdigest() == content["sha256"]
    assert len({tuple(item) for item in content["objects"]}) == len(content["objects"]) > 100
    assert {source for source, _, _ in content["objects"]} == {"large"}


def test_scenes_are_pairs_of_the_validation_objects_of_one_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both objects of x as one, in the order of the list; y has but one. Labels are moved back by a
    pixel."""
    for stem in ("x", "y"):
        save(tmp_path / "ccp" / "images" / f"{stem}.png", photo())
        save(tmp_path / "ccp" / "labels" / f"{stem}.png", LABELS)
    listed = [("ccp", "x", "128"), ("ccp", "x", "200"), ("ccp", "y", "200")]
    monkeypatch.setattr(benchmarks, "validation_list", lambda: listed)
    (scene,) = open_benchmark("scenes", tmp_path)
    assert (scene.source, scene.image_id, scene.object_id) == ("ccp", "x", "128+200")
    masks = {}
    for key in ("128", "200"):
        monkeypatch.setattr(benchmarks, "validation_list", lambda key=key: [("ccp", "x", key)])
        masks[key] = open_benchmark("validation", tmp_path)[0].load()[1]
    assert scene.load()[1].tolist() == (masks["128"] | masks["200"]).tolist()
    assert scene.load()[1].sum() > max(mask.sum() for mask in masks.values())
