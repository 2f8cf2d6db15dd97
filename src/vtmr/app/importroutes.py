"""The routes by which other programs' files come in (docs/api.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vtmr.app.annotator import Annotator
from vtmr.app.importing import REPEATED
from vtmr.app.imports import MAX_UPLOAD, Imports, Wish, look_at, picture_of
from vtmr.app.reading import unreadable
from vtmr.formats import READERS
from vtmr.formats.registry import AUTO
from vtmr.serving.answers import Refusal, json_answer
from vtmr.serving.bodies import (
    Fields,
    bad_request,
    content_type,
    read_body,
    read_json,
    shown,
)

MAX_IMPORT = 64 << 20  # bytes of a COCO file
_MAX_WISH = 1 << 16
_MAX_PATTERN = 200  # characters
_FORMATS = (AUTO, *READERS)

Endpoint = Callable[[Request], Awaitable[Response]]


def import_routes(annotator: Annotator) -> list[Route]:
    """COCO at once; anything in two steps, with a look before."""
    imports = Imports()

    async def import_coco(request: Request) -> Response:
        repeated = request.query_params.get("repeated", "ask")
        if repeated not in REPEATED:
            raise bad_request(f"'repeated' is {shown(repeated)}: expected {', '.join(REPEATED)}.")
        content = await read_body(request, MAX_IMPORT)
        return json_answer(await annotator.import_coco(content, repeated))

    async def look(request: Request) -> Response:
        content, wish = await _wish_of(request)
        store, entries = annotator.store, list(annotator.entries.values())
        found = await unreadable(
            annotator.importing.run(lambda: look_at(store, entries, content, wish))
        )
        imports.keep(found)
        return json_answer(found.to_json())

    async def picture(request: Request) -> Response:
        found = imports.get(request.path_params["look"])
        arrival = found.arrival(request.path_params["image"])
        if arrival is None:
            raise Refusal(404, "not_found", "Nothing would come onto this image.")
        thumbnail = await annotator.thumbnail(arrival.entry)
        drawn = await annotator.importing.run(lambda: picture_of(arrival, thumbnail))
        return Response(drawn, 200, {"cache-control": "no-store"}, "image/jpeg")

    async def make(request: Request) -> Response:
        fields = Fields(await read_json(request, _MAX_WISH))
        repeated = fields.choice("repeated", ("skip", "add"))
        fields.done()
        found = imports.take(request.path_params["look"])
        return json_answer(await annotator.bring(found.found, repeated))

    return [
        Route("/api/v1/import", import_coco, methods=["POST"]),
        Route("/api/v1/imports", look, methods=["POST"]),
        Route("/api/v1/imports/{look}", make, methods=["POST"]),
        Route("/api/v1/imports/{look}/{image}.jpg", picture),
    ]


async def _wish_of(request: Request) -> tuple[bytes | None, Wish]:
    """The files that were sent and how they are to be read; None for those in the folder.

    A ZIP has its wish in the query, the folder has it in the body.
    """
    if content_type(request) == "application/zip":
        content = await read_body(request, MAX_UPLOAD, "application/zip")
        form = request.query_params.get("format", AUTO)
        pattern = request.query_params.get("pattern", "")
        if form not in _FORMATS:
            raise bad_request(f"'format' is {shown(form)}: expected {', '.join(_FORMATS)}.")
        if len(pattern) > _MAX_PATTERN:
            raise bad_request(f"'pattern' is longer than {_MAX_PATTERN} characters.")
        return content, Wish(form, pattern)
    fields = Fields(await read_json(request, _MAX_WISH))
    form = fields.choice("format", _FORMATS, AUTO)
    pattern = fields.text("pattern", _MAX_PATTERN) if fields.has("pattern") else ""
    fields.done()
    return None, Wish(form, pattern)
