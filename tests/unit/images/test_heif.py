"""HEIC photos with pillow-heif and without it. Expected pixels are those that were written; HEVC
loses a little."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from fakes import shapes_image
from PIL import Image

from vtmr.app.project import find_images
from vtmr.errors import InputError
from vtmr.images import decode_image, heif, read_header, read_image, read_thumbnail

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_0001.HEIC"
    pillow_heif.from_pillow(Image.fromarray(shapes_image())).save(path, quality=95)
    return path


def test_a_photo_is_read_as_it_was_written(photo: Path) -> None:
    image = read_image(photo)
    assert image.shape == (120, 160, 3)
    assert np.abs(image.astype(int) - shapes_image()).mean() < 12  # the picture is noisy
    assert (read_header(photo).height, read_header(photo).width) == (120, 160)
    assert read_thumbnail(photo, 40).shape == (30, 40, 3)
    assert np.array_equal(decode_image(photo.read_bytes()), image)


def test_it_is_turned_upright_once(tmp_path: Path) -> None:
    """EXIF's orientation 6, which is written as HEIF's own word for it: the rows of the file are
    the columns of the photo."""
    picture = Image.fromarray(shapes_image())
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.heic"
    pillow_heif.from_pillow(picture).save(path, quality=95, exif=exif.tobytes())
    assert read_image(path).shape == (160, 120, 3)
    assert (read_header(path).height, read_header(path).width) == (160, 120)


def test_damage_is_refused_in_a_sentence(photo: Path) -> None:
    data = photo.read_bytes()
    for broken in (data[:60], data[: len(data) // 2], data[:200] + b"\0" * 300 + data[500:]):
        with pytest.raises(InputError):
            decode_image(broken)


def test_without_the_package_it_is_said_what_to_install(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heif, "find_spec", lambda name: None)
    heif.reads_heif.cache_clear()
    try:
        with pytest.raises(InputError, match="pip install pillow-heif"):
            read_image(photo)
        found = find_images(photo.parent)
        assert found.images == []
        (told,) = found.left_out.to_json()
        assert told["names"] == ["IMG_0001.HEIC"]
        assert "pillow-heif" in told["why"]
    finally:
        monkeypatch.undo()
        heif.reads_heif.cache_clear()


def test_an_avif_of_the_same_family_stays_one() -> None:
    stream = io.BytesIO()
    Image.fromarray(shapes_image()).save(stream, "AVIF")
    assert not heif.is_heif(stream.getvalue()[:32])
