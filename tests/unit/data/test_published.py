"""The public benchmarks' layouts on tiny folders; what a value means is docs/method.md §D.7 and
§L.10."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tinysets import (
    mask,
    photo,
    save,
    write_berkeley,
    write_davis585,
    write_grabcut,
    write_sbd,
    write_united,
)

from vtmr.data import EvalSample, open_benchmark
from vtmr.data.published import read_instances
from vtmr.errors import DataError


def keys(samples: list[EvalSample]) -> list[tuple[str, str]]:
    return [(sample.image_id, sample.object_id) for sample in samples]


def object_rows(sample: EvalSample) -> list[int]:
    """The rows that are object; every one of a tiny mask's rows has one value."""
    image, gt_mask, ignore_mask = sample.load()
    assert image.shape == (*gt_mask.shape, 3)
    assert gt_mask.dtype == np.bool_
    assert ignore_mask is None
    return np.flatnonzero(gt_mask.all(axis=1)).tolist()


# --- images beside masks


def test_names_may_have_spaces_capitals_and_any_extension(tmp_path: Path) -> None:
    write_united(tmp_path, ["tennis racket 1.JPG", "b.jpeg", "c.png", "D.Jpg", "e.f.bmp"])
    samples = open_benchmark("davis", tmp_path)
    assert keys(samples) == [(stem, "0") for stem in ("D", "b", "c", "e.f", "tennis racket 1")]
    assert all(object_rows(sample) == [0] for sample in samples)
    assert {(sample.dataset, sample.source) for sample in samples} == {("davis", "davis")}


def test_a_mask_whose_name_differs_in_capitals_belongs_to_its_image(tmp_path: Path) -> None:
    save(tmp_path / "img" / "Bear.jpg", photo())
    save(tmp_path / "gt" / "bear.PNG", mask())
    assert keys(open_benchmark("davis", tmp_path)) == [("Bear", "0")]
    save(tmp_path / "img" / "BEAR.jpg", photo())
    with pytest.raises(
        DataError, match=r"gt lacks the mask of BEAR\.jpg"
    ):  # whose of the two is it?
        open_benchmark("davis", tmp_path)


def test_hidden_and_other_files_are_no_images(tmp_path: Path) -> None:
    write_united(tmp_path, ["a.jpg"])
    for name in ("img/._a.jpg", "img/Thumbs.db", "gt/._a.png", "gt/notes.txt"):
        (tmp_path / name).write_bytes(b"nothing")
    assert keys(open_benchmark("davis", tmp_path)) == [("a", "0")]


def test_two_files_of_one_stem_are_refused(tmp_path: Path) -> None:
    write_united(tmp_path, ["a.jpg"])
    save(tmp_path / "img" / "a.png", photo())
    with pytest.raises(DataError, match=r"img holds a\.jpg and a\.png: expected one file a stem"):
        open_benchmark("davis", tmp_path)


@pytest.mark.parametrize("missing", ["img/b.jpg", "gt/b.png"])
def test_a_missing_image_or_mask_is_named(tmp_path: Path, missing: str) -> None:
    write_united(tmp_path, ["a.jpg", "b.jpg"])
    (tmp_path / missing).unlink()
    expected = (
        r"img lacks the image of the mask b\.png"
        if "img" in missing
        else r"gt lacks the mask of b\.jpg"
    )
    with pytest.raises(DataError, match=expected):
        open_benchmark("davis", tmp_path)


@pytest.mark.parametrize("name", ["davis", "coco-mval"])
def test_whatever_is_not_zero_is_the_object(tmp_path: Path, name: str) -> None:
    """Ids 3 and 255 in grey, in a palette and in colour: one object, all of them."""
    write_united(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    save(tmp_path / "gt" / "a.png", mask(3, 0, 255))
    palette = [0, 0, 0] + [9, 9, 9] * 2 + [0, 0, 1] + [9, 9, 9] * 251 + [255, 255, 255]
    save(tmp_path / "gt" / "b.png", mask(3, 0, 255), palette)
    colour = np.zeros((6, 8, 3), np.uint8)
    colour[0, :, 2] = 1  # a blue that grey would lose
    colour[2, :, 0] = 128
    save(tmp_path / "gt" / "c.png", colour)
    assert [object_rows(sample) for sample in open_benchmark(name, tmp_path)] == [[0, 2]] * 3 + [
        [0]
    ]


def test_a_mask_of_another_size_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    write_united(tmp_path, ["a.jpg"])
    save(tmp_path / "gt" / "a.png", mask(width=7))
    (sample,) = open_benchmark("davis", tmp_path)
    with pytest.raises(DataError, match=r"a\.png is 7x6: expected the image's size 8x6"):
        sample.load()


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    write_united(tmp_path, ["a.jpg", "b.jpg"])
    (tmp_path / "gt" / "b.png").unlink()
    save(tmp_path / "gt" / "b.jpg", mask())
    with pytest.raises(DataError, match=r"gt lacks the mask of b\.jpg"):
        open_benchmark("davis", tmp_path)


def test_grabcut_reads_what_was_published(tmp_path: Path) -> None:
    write_grabcut(tmp_path, ["music.JPG", "book.bmp", "21077.jpg"])
    samples = open_benchmark("grabcut", tmp_path)
    assert keys(samples) == [("21077", "0"), ("book", "0"), ("music", "0")]
    _, gt_mask, ignore_mask = samples[0].load()
    assert ignore_mask is not None
    assert [gt_mask.any(axis=1).argmax(), ignore_mask.any(axis=1).argmax()] == [0, 1]
    assert (gt_mask.sum(), ignore_mask.sum()) == (8, 8)


# --- Berkeley: 100 images with 100 masks, or 96 with 100


def test_berkeley_with_an_image_for_each_mask(tmp_path: Path) -> None:
    stems = ["3096", "37073a", "37073b"]
    write_berkeley(tmp_path, [f"{s}.jpg" for s in stems], [f"{s}.png" for s in stems])
    assert keys(open_benchmark("berkeley", tmp_path)) == [(stem, "0") for stem in stems]


def test_berkeley_with_two_masks_of_one_image(tmp_path: Path) -> None:
    write_berkeley(tmp_path, ["3096.jpg", "37073.JPG"], ["3096.png", "37073a.png", "37073b.png"])
    save(tmp_path / "masks" / "37073b.png", mask(0, 255, 128))
    samples = open_benchmark("berkeley", tmp_path)
    assert keys(samples) == [("3096", "0"), ("37073", "a"), ("37073", "b")]
    _, gt_mask, ignore_mask = samples[2].load()
    assert ignore_mask is not None
    assert np.flatnonzero(gt_mask.any(axis=1)).tolist() == [1]
    assert np.flatnonzero(ignore_mask.any(axis=1)).tolist() == [2]


def test_only_a_letter_is_taken_off_a_name_and_only_in_berkeley(tmp_path: Path) -> None:
    write_berkeley(tmp_path / "b", ["3096.jpg"], ["3096.png", "30961.png"])
    with pytest.raises(DataError, match=r"images lacks the image of the mask 30961\.png"):
        open_benchmark("berkeley", tmp_path / "b")
    write_united(tmp_path / "d", ["3096.jpg"])
    save(tmp_path / "d" / "gt" / "3096a.png", mask())
    with pytest.raises(DataError, match=r"img lacks the image of the mask 3096a\.png"):
        open_benchmark("davis", tmp_path / "d")


# --- SBD


def test_every_instance_of_sbd_is_an_object(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"2008_000051": mask(1, 0, 3, 255), "2008_000002": mask(2)})
    save(tmp_path / "img" / "not listed.jpg", photo())
    samples = open_benchmark("sbd", tmp_path)
    assert keys(samples) == [
        ("2008_000051", "1"),
        ("2008_000051", "3"),
        ("2008_000051", "255"),
        ("2008_000002", "2"),
    ]
    assert [object_rows(sample) for sample in samples] == [[0], [2], [3], [0]]
    assert len(open_benchmark("sbd", tmp_path, limit=2)) == 2


def test_sbd_reads_no_more_files_than_its_limit_needs(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"a": mask(1, 2), "b": mask(1)})
    (tmp_path / "inst" / "b.mat").write_bytes(b"no MATLAB file")
    assert keys(open_benchmark("sbd", tmp_path, limit=2)) == [("a", "1"), ("a", "2")]
    with pytest.raises(DataError, match=r"b\.mat is no instance file of SBD"):
        open_benchmark("sbd", tmp_path)


@pytest.mark.parametrize("missing", ["img/a.jpg", "inst/a.mat"])
def test_what_val_txt_names_must_be_there(tmp_path: Path, missing: str) -> None:
    write_sbd(tmp_path, {"a": mask(1), "b": mask(1)})
    (tmp_path / missing).unlink()
    with pytest.raises(DataError, match=rf"{missing[:3]}\w* lacks 'a', which val\.txt names"):
        open_benchmark("sbd", tmp_path)


def test_sbd_without_its_list_and_with_a_map_of_another_size(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"a": mask(1, width=5)})
    (sample,) = open_benchmark("sbd", tmp_path)
    with pytest.raises(DataError, match="sbd/a is 5x6, its image 8x6"):
        sample.load()
    (tmp_path / "val.txt").unlink()
    with pytest.raises(DataError, match=r"val\.txt can't be read"):
        open_benchmark("sbd", tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"GTcls": mask()},
        {"GTinst": mask()},
        {"GTinst": {"Boundaries": 1}},
        {"GTinst": {"Segmentation": "x"}},
    ],
)
def test_other_matlab_files_are_refused(tmp_path: Path, content: dict) -> None:
    from scipy.io import savemat

    write_sbd(tmp_path, {"a": mask(1)})
    savemat(tmp_path / "inst" / "a.mat", content)
    with pytest.raises(DataError, match=r"a\.mat is no instance file of SBD"):
        open_benchmark("sbd", tmp_path)


def test_a_cut_matlab_file_is_refused(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"a": mask(1)})
    path = tmp_path / "inst" / "a.mat"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.mat is no instance file of SBD"):
            open_benchmark("sbd", tmp_path)


def test_instances_as_published_are_read_without_scipy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sparse boundaries in a cell and categories beside them, compressed and not."""
    from scipy.io import savemat
    from scipy.sparse import csc_matrix

    boundaries = np.empty((2, 1), object)
    boundaries[:, 0] = [csc_matrix(mask(1).astype(float)), csc_matrix(mask(2).astype(float))]
    content = {"Segmentation": mask(1, 0, 2), "Boundaries": boundaries, "Categories": [[7], [3]]}
    for packed in (False, True):
        write_sbd(tmp_path, {"a": mask(1, 0, 2)})
        savemat(tmp_path / "inst" / "a.mat", {"GTinst": content}, do_compression=packed)
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "scipy.io", None)
            assert keys(open_benchmark("sbd", tmp_path)) == [("a", "1"), ("a", "2")]
            assert np.array_equal(read_instances(tmp_path / "inst" / "a.mat"), mask(1, 0, 2))


def test_a_pipe_in_place_of_instances_is_refused(tmp_path: Path) -> None:
    write_sbd(tmp_path, {"a": mask(1)})
    (tmp_path / "inst" / "a.mat").unlink()
    os.mkfifo(tmp_path / "inst" / "a.mat")
    with pytest.raises(DataError, match=r"a\.mat is no instance file of SBD .* is a pipe"):
        read_instances(tmp_path / "inst" / "a.mat")


# --- DAVIS-585


def test_davis585_begins_with_the_mask_of_its_name(tmp_path: Path) -> None:
    write_davis585(tmp_path, {"bike-packing": ["object1", "object2"], "blackswan": ["object1"]})
    for name, rows in (("davis585", [0, 1]), ("davis585-stm", [0, 1, 2])):
        samples = open_benchmark(name, tmp_path)
        assert keys(samples) == [
            ("bike-packing/00009", "object1"),
            ("bike-packing/00009", "object2"),
            ("blackswan/00009", "object1"),
        ]
        assert all(sample.dataset == name for sample in samples)
        assert all(object_rows(sample) == [0] for sample in samples)
        for sample in samples:
            assert sample.initial is not None
            assert np.flatnonzero(sample.initial().all(axis=1)).tolist() == rows


def test_davis585_can_begin_from_nothing_and_needs_no_other_masks_then(tmp_path: Path) -> None:
    write_davis585(tmp_path, {"bear": ["object1"]})
    (tmp_path / "bear" / "init_stm_object1_00009.png").unlink()
    (sample,) = open_benchmark("davis585-zero", tmp_path)
    assert sample.initial is None
    assert len(open_benchmark("davis585", tmp_path)) == 1
    with pytest.raises(
        DataError,
        match=r"bear lacks init_stm_object1_00009\.png, the mask to begin with of object1",
    ):
        open_benchmark("davis585-stm", tmp_path)


def test_a_folder_that_cant_be_listed_is_the_data_sets_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(DataError, match="can't be read: Permission denied"):
        open_benchmark("davis585", tmp_path)


def test_what_davis585_lacks_is_named(tmp_path: Path) -> None:
    write_davis585(tmp_path, {"bear": ["object1"]})
    (sample,) = open_benchmark("davis585", tmp_path)
    save(tmp_path / "bear" / "init_sp_object1_00009.png", mask(width=5))
    assert sample.initial is not None
    with pytest.raises(
        DataError, match=r"bear/object1_00009, the one to begin with, is 5x6, its image 8x6"
    ):
        sample.initial()
    save(tmp_path / "bear" / "00008.jpg", photo())
    (tmp_path / "bear" / "00009.jpg").unlink()
    with pytest.raises(
        DataError, match=r"bear lacks the image 00009\.jpg of the mask object1_00009\.png"
    ):
        open_benchmark("davis585", tmp_path)
    shutil.rmtree(tmp_path / "bear")
    (tmp_path / "__MACOSX").mkdir()
    with pytest.raises(DataError, match="holds no folder of a sequence"):
        open_benchmark("davis585", tmp_path)
    save(tmp_path / "cow" / "00001.jpg", photo())
    save(tmp_path / "cow" / "00001.png", mask())
    with pytest.raises(DataError, match=r"00001\.png isn't named as an object of a frame"):
        open_benchmark("davis585", tmp_path)
