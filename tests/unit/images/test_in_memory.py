"""Pictures that never were a file on this machine: expected is what `read_image` gives of one."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from vtmr.errors import InputError
from vtmr.images import decode_image, image_of_pillow, read_image

RAMP = np.linspace(0, 255, 30 * 40 * 4).astype(np.uint8).reshape(30, 40, 4)
PICTURES = {
    "RGB": pillow.fromarray(RAMP[..., :3]),
    "RGBA": pillow.fromarray(RAMP),
    "grey": pillow.fromarray(RAMP[..., 0]),
    "16 bits": pillow.fromarray(RAMP[..., 0].astype(np.uint16) * 257),
    "a palette": pillow.fromarray(RAMP[..., :3]).quantize(16),
    "one bit": pillow.fromarray(RAMP[..., 0]).convert("1"),
}


def bytes_of(picture: pillow.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", PICTURES)
def test_bytes_and_pillows_pictures_are_read_as_a_file_is(name: str, tmp_path: Path) -> None:
    data = bytes_of(PICTURES[name])
    (tmp_path / "file.png").write_bytes(data)
    expected = read_image(tmp_path / "file.png")
    assert np.array_equal(decode_image(data), expected)
    assert np.array_equal(image_of_pillow(pillow.open(io.BytesIO(data))), expected)


@pytest.mark.parametrize("form", ["TIFF", "WEBP", "BMP", "JPEG"])
def test_other_formats_are_decoded_from_memory(form: str, tmp_path: Path) -> None:
    data = bytes_of(PICTURES["RGB"], form)
    (tmp_path / "file").write_bytes(data)
    assert np.array_equal(decode_image(data), read_image(tmp_path / "file"))


def test_a_picture_is_turned_upright_even_after_another_process_sent_it(tmp_path: Path) -> None:
    exif = pillow.Exif()
    exif[274] = 6  # a quarter turn
    data = bytes_of(PICTURES["RGB"], "JPEG", exif=exif)
    (tmp_path / "file.jpg").write_bytes(data)
    sent = pickle.loads(pickle.dumps(pillow.open(io.BytesIO(data))))
    shown = image_of_pillow(sent)
    assert shown.shape == (40, 30, 3)
    assert np.array_equal(shown, read_image(tmp_path / "file.jpg"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The photo is empty"),
        (b"no image at all", "The photo is not an image"),
        (bytes_of(PICTURES["RGB"])[:100], "The photo is damaged"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        decode_image(data, "The photo")


def test_the_size_is_checked_before_anything_is_decoded() -> None:
    data = bytes_of(PICTURES["RGB"])
    with pytest.raises(InputError, match="megapixels"):
        decode_image(data, max_pixels=1000)
    picture = pillow.open(io.BytesIO(data[:60]))  # a header without pixels
    with pytest.raises(InputError, match="megapixels"):
        image_of_pillow(picture, max_pixels=1000)
    with pytest.raises(InputError, match="damaged"):
        image_of_pillow(picture)


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="0x0 pixels"):
        image_of_pillow(pillow.new("RGB", (0, 0)))
