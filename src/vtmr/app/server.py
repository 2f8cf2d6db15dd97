"""The annotator behind HTTP: every route of docs/api.md in one list, and the guard around them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import vtmr
from vtmr.app.annotator import Annotator
from vtmr.app.exports import Exports
from vtmr.app.importroutes import import_routes
from vtmr.app.lesson import PHOTO as LESSON_PHOTO
from vtmr.app.reading import unreadable
from vtmr.app.views import Json
from vtmr.errors import InputError
from vtmr.formats import FORMATS, READERS, WRITERS
from vtmr.serving.access import Access, Guard
from vtmr.serving.answers import Refusal, error_answer, json_answer
from vtmr.serving.bodies import Fields, bad_request, read_json, shown
from vtmr.serving.worker import Pool

MAX_BODY = 1 << 20
_CLOSING_S = 1.4  # of the three seconds that Ctrl-C may take

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
_CODES = {404: "not_found", 405: "method_not_allowed"}

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(annotator: Annotator, access: Access) -> Starlette:
    """The whole server. It closes the annotator when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        checking = asyncio.create_task(annotator.check())
        yield
        checking.cancel()
        await _within(_CLOSING_S, annotator.close)

    return Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", _Static(directory=_STATIC, check_dir=False)),
            *api_routes(annotator),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={Refusal: _refused, HTTPException: _no_route, Exception: _defect},
        lifespan=lifespan,
    )


def api_routes(annotator: Annotator) -> list[Route]:
    """The API of docs/api.md."""
    exports = Exports()

    async def project(request: Request) -> Response:
        return json_answer(_with_versions(annotator.project_json()))

    async def change_project(request: Request) -> Response:
        body = await read_json(request, MAX_BODY)
        return json_answer(_with_versions(await annotator.change_project(body)))

    async def images(request: Request) -> Response:
        return json_answer(await annotator.in_pool(annotator.images_json))

    async def image(request: Request) -> Response:
        return json_answer(await annotator.opened_json(request.path_params["image"]))

    async def thumbnail(request: Request) -> Response:
        entry = annotator.entry(request.path_params["image"])
        return _picture(await annotator.thumbnail(entry))

    async def tile(request: Request) -> Response:
        entry = annotator.entry(request.path_params["image"])
        level, column, row = (
            _tile_number(request.path_params[name]) for name in ("level", "column", "row")
        )
        window = _window(request.query_params)
        try:
            return _picture(await annotator.tile(entry, (level, column, row), window))
        except InputError as error:
            raise Refusal(404, "not_found", str(error)) from error

    async def values(request: Request) -> Response:
        return json_answer(await annotator.values_json(request.path_params["image"]))

    async def changes(request: Request) -> Response:
        return json_answer(
            await annotator.change(request.path_params["image"], await read_json(request, MAX_BODY))
        )

    async def preview(request: Request) -> Response:
        return json_answer(
            await annotator.preview(
                request.path_params["image"], await read_json(request, MAX_BODY)
            )
        )

    async def playing(request: Request) -> Response:
        image, key = request.path_params["image"], request.path_params["key"]
        annotator.entry(image)
        return json_answer(annotator.replays.to_json(image, key))

    async def stop(request: Request) -> Response:
        image, key = request.path_params["image"], request.path_params["key"]
        annotator.entry(image)
        Fields(await read_json(request, MAX_BODY)).done()
        return json_answer(annotator.replays.stop(image, key))

    async def labels(request: Request) -> Response:
        return json_answer(await annotator.labelling.as_json())

    async def change_labels(request: Request) -> Response:
        return json_answer(await annotator.labelling.change(await read_json(request, MAX_BODY)))

    async def lesson(request: Request) -> Response:
        return json_answer(await annotator.lesson_json(await read_json(request, MAX_BODY)))

    async def lesson_photo(request: Request) -> Response:
        return FileResponse(LESSON_PHOTO, media_type="image/jpeg", headers=_FOR_EVER)

    async def export(request: Request) -> Response:
        fields = Fields(await read_json(request, MAX_BODY))
        form, only_done = fields.choice("format", WRITERS), fields.boolean("only_done", False)
        fields.done()
        store, entries = annotator.store, annotator.entries.values()
        made = await unreadable(
            annotator.exporting.run(
                lambda: exports.make(store, entries, annotator.name, form, only_done=only_done)
            )
        )
        exports.keep(made)
        url = f"/api/v1/exports/{made.id}/{made.name}"
        told = {"warnings": list(made.warnings), "losses": list(made.losses)}
        return json_answer({"url": url, "name": made.name, **told})

    async def fetch(request: Request) -> Response:
        made = exports.get(request.path_params["export"], request.path_params["name"])
        if made is None:
            raise Refusal(404, "not_found", "This export is gone: make it again.")
        headers = {
            "content-disposition": f'attachment; filename="{made.name}"',
            "cache-control": "no-store",
        }
        return Response(made.data, 200, headers, "application/zip")

    async def openapi(request: Request) -> Response:
        return FileResponse(_HERE / "openapi.json", media_type="application/json")

    return [
        Route("/api/v1/project", project),
        Route("/api/v1/project", change_project, methods=["POST"]),
        Route("/api/v1/images", images),
        Route("/api/v1/images/{image}", image),
        Route("/api/v1/images/{image}/thumbnail.jpg", thumbnail),
        Route("/api/v1/images/{image}/tiles/{level}/{column}/{row}.jpg", tile),
        Route("/api/v1/images/{image}/values", values),
        Route("/api/v1/images/{image}/changes", changes, methods=["POST"]),
        Route("/api/v1/images/{image}/preview", preview, methods=["POST"]),
        Route("/api/v1/images/{image}/playing/{key}", playing),
        Route("/api/v1/images/{image}/playing/{key}", stop, methods=["POST"]),
        Route("/api/v1/labels", labels),
        Route("/api/v1/labels", change_labels, methods=["POST"]),
        Route("/api/v1/lesson", lesson, methods=["POST"]),
        Route("/api/v1/lesson/photo.jpg", lesson_photo),
        *import_routes(annotator),
        Route("/api/v1/exports", export, methods=["POST"]),
        Route("/api/v1/exports/{export}/{name}", fetch),
        Route("/api/v1/openapi.json", openapi),
    ]


def _with_versions(project: Json) -> Json:
    """With what is the same for every project."""
    return {**project, "version": vtmr.__version__, **_formats_json()}


def _formats_json() -> dict[str, object]:
    """What goes out and what comes in, by name, and what menus say of each."""
    about = {name: {"title": one.title, "about": one.about} for name, one in FORMATS.items()}
    return {"formats": list(WRITERS), "import_formats": list(READERS), "about_formats": about}


class _Static(StaticFiles):
    """The page's files; the browser asks each time whether they are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


async def _page(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html", headers={"cache-control": "no-cache"})


def _tile_number(text: str) -> int:
    """Raises Refusal (400): Python itself refuses to read numbers of thousands of digits."""
    if not 1 <= len(text) <= 9 or not text.isascii() or not text.isdigit():
        shown = text if len(text) <= 20 else f"{text[:20]}…"
        raise bad_request(f"A tile's number is {shown!r}: expected a whole number from 0.")
    return int(text)


def _window(query: Mapping[str, str]) -> tuple[int, int] | None:
    """`low` and `high`, where they are given. Raises Refusal (400)."""
    if "low" not in query and "high" not in query:
        return None
    ends = []
    for name in ("low", "high"):
        text = query.get(name, "")
        if not re.fullmatch(r"-?[0-9]{1,5}", text):
            raise bad_request(f"{name!r} is {shown(text)}: expected a whole number of 16 bits.")
        ends.append(int(text))
    if ends[0] >= ends[1]:
        raise bad_request(f"'low' is {ends[0]}: expected less than 'high', {ends[1]}.")
    return ends[0], ends[1]


async def _within(seconds: float, function: Callable[[], None]) -> None:
    """Runs it in a thread that may be left behind: what it does is safe at any moment to end."""
    pool = Pool("vtmr-close", 1)
    with suppress(TimeoutError):
        await asyncio.wait_for(pool.run(function), seconds)


def _picture(data: bytes) -> Response:
    return Response(data, 200, _FOR_EVER, "image/jpeg")


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.answer
    raise error


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = (
        "This address takes another method."
        if status == 405
        else "There is nothing at this address."
    )
    headers = error.headers if isinstance(error, HTTPException) else None
    return error_answer(status, _CODES.get(status, "refused"), sentence, None, headers)


async def _defect(request: Request, error: Exception) -> Response:
    return error_answer(
        500, "defect", "An unexpected error, which is a defect of vtmr: the terminal shows more."
    )
