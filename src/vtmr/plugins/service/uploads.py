"""Images and masks on their way in: as a file's own bytes, in a form, or as base64 in JSON; kept in
files, not in memory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from vtmr.plugins.service.limits import MEGABYTE, Limits
from vtmr.plugins.service.prompts import decoded_base64
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import (
    Fields,
    bad_request,
    declared_size,
    decoded_json,
    read_chunks,
    read_json,
)

_FIELD_BYTES = 1 << 20  # the prompts of a form
_RAW = ("application/octet-stream",)


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body. image: its file, where it came; mask: a PNG's bytes; prompts: decoded
    JSON."""

    image: Path | None
    mask: bytes | None
    prompts: Any


def kind_of(request: Request) -> str:
    """The body's type, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def largest_body(request: Request, limits: Limits) -> int:
    """The bytes that the body has or, where its head doesn't tell, may have."""
    most = limits.json_mb if kind_of(request) == "application/json" else limits.upload_mb
    size = declared_size(request)
    # Without a length the most is set aside: it is only known at the end.
    return most * MEGABYTE if size is None else size


@asynccontextmanager
async def uploaded_image(request: Request, folder: Path, limits: Limits) -> AsyncIterator[Path]:
    """The image in the body, as a file that is gone afterwards. Raises Refusal."""
    kind = kind_of(request)
    if kind == "application/json":
        fields = Fields(await read_json(request, limits.json_mb * MEGABYTE))
        data = decoded_base64(fields.take("image"), "image")
        fields.done()
        async with written(data, folder) as file:
            yield file
    elif kind == "multipart/form-data":
        async with read_form(request, folder, limits) as form:
            if form.image is None:
                raise bad_request("The form has no file 'image': send one, as curl's -F image=@….")
            yield form.image
    elif kind in _RAW or kind.startswith("image/"):
        with _part(folder) as file:
            async for chunk in read_chunks(request, limits.upload_mb * MEGABYTE):
                file.write(chunk)
            file.flush()
            if not file.tell():
                raise bad_request("The body is empty: expected an image file's bytes.")
            yield Path(file.name)
    else:
        raise wrong_type(kind, "image/jpeg (or another image's), multipart/form-data or ")


@asynccontextmanager
async def read_form(request: Request, folder: Path, limits: Limits) -> AsyncIterator[Form]:
    """A multipart body. Raises Refusal (400, 408, 413)."""
    # The image, and beside it what is asked of it.
    limit = limits.upload_mb * MEGABYTE + _FIELD_BYTES
    parser = MultiPartParser(
        request.headers,
        read_chunks(request, limit),
        max_files=2,
        max_fields=1,
        # Of fields alone, which the parser holds in memory; files it writes to the disk.
        max_part_size=_FIELD_BYTES,
    )
    try:
        content = await parser.parse()
    except MultiPartException as error:
        raise bad_request(f"The form can't be read: {error.message}") from error
    try:
        unknown = {name for name in content if name not in ("image", "mask", "prompts")}
        if unknown:
            name = sorted(unknown)[0]
            raise bad_request(f"The form has the unknown part {name[:60]!r}.")
        image, mask = _file(content.get("image"), "image"), _file(content.get("mask"), "mask")
        text = content.get("prompts")
        prompts = decoded_json(text, "'prompts'") if isinstance(text, str) else None
        if text is not None and not isinstance(text, str):
            raise bad_request("'prompts' is a file: expected a field with JSON.")
        mask_bytes = None if mask is None else await mask.read()
        if image is None:
            yield Form(None, mask_bytes, prompts)
            return
        with _part(folder) as file:
            while chunk := await image.read(MEGABYTE):
                file.write(chunk)
            file.flush()
            yield Form(Path(file.name), mask_bytes, prompts)
    finally:
        await content.close()


@asynccontextmanager
async def written(data: bytes, folder: Path) -> AsyncIterator[Path]:
    """The bytes as a file, which is gone afterwards."""
    with _part(folder) as file:
        await asyncio.to_thread(file.write, data)
        file.flush()
        yield Path(file.name)


def wrong_type(kind: str, others: str = "") -> Refusal:
    """415. others: types that are taken besides JSON."""
    return Refusal(
        415,
        "wrong_type",
        f"The body is {kind[:60] or 'of no type'}: expected Content-Type: {others}"
        "application/json.",
    )


def _part(folder: Path) -> Any:
    return tempfile.NamedTemporaryFile(dir=folder, suffix=".upload")


def _file(value: UploadFile | str | None, name: str) -> UploadFile | None:
    """A part that has to be a file. Raises Refusal."""
    if isinstance(value, str):
        raise bad_request(f"The form's part {name!r} is a field: expected a file, as curl's @….")
    return value
