"""What stands behind the API: the project's images, pictures, sessions and documents, and one
change at a time."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vtmr.app.document import Content, Document, Item
from vtmr.app.operations import (
    DEFAULT_LABEL,
    OPERATIONS,
    Outcome,
    Target,
    find,
    read_change,
    read_clicks,
    with_annotations,
)
from vtmr.app.pictures import TILE, Picture, Pictures
from vtmr.app.project import Entry, list_images
from vtmr.app.sessions import Sessions
from vtmr.app.store import Head, NotSavedError, Store
from vtmr.app.workbench import Workbench, clicks_json, was_edited
from vtmr.errors import InputError
from vtmr.formats.coco import CocoFile
from vtmr.images import read_header
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request
from vtmr.serving.worker import Worker
from vtmr.types import Predictor

Json = dict[str, Any]
Result = TypeVar("Result")

_MAX_REVISION = 1 << 53
_UNTOUCHED = Head("untouched", 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An image that is open, with its document."""

    entry: Entry
    picture: Picture
    document: Document


class Annotator:
    """A folder being annotated. Its coroutines run in one event loop; one change of an image at a
    time."""

    def __init__(
        self,
        folder: Path,
        predictor: Predictor,
        *,
        labels: Sequence[str] = (),
        made_with: Mapping[str, str],
    ) -> None:
        """made_with: model and versions, kept with every mask.

        Raises InputError as Store and list_images.
        """
        self.name = folder.resolve().name
        self.entries = {entry.id: entry for entry in list_images(folder)}
        self.store = Store(folder.resolve())
        self.store.add_labels(labels)
        self.model, self._made_with = predictor.name, made_with
        self._sessions = Sessions(predictor)
        self.pictures = Pictures(predictor, self._sessions.forget)
        self._worker = Worker()
        # Threads of their own, so that those who wait for a large image leave the others alone.
        self._decoders, self._thumbnailer = ThreadPoolExecutor(2), ThreadPoolExecutor(1)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._newest: defaultdict[str, int] = defaultdict(
            int
        )  # per image: a preview counts while none came later

    def close(self) -> None:
        """Ends the threads and writes everything whole."""
        self._worker.close()
        self._decoders.shutdown(cancel_futures=True)
        self._thumbnailer.shutdown(cancel_futures=True)
        self.store.close()

    def entry(self, image_id: str) -> Entry:
        """Raises Refusal (404)."""
        if image_id not in self.entries:
            raise Refusal(404, "not_found", "There is no such image in this folder.")
        return self.entries[image_id]

    def project_json(self) -> Json:
        """Everything about the folder but the list of images."""
        heads = [self.store.heads.get(entry.name, _UNTOUCHED) for entry in self.entries.values()]
        counts = {
            state: sum(head.state == state for head in heads)
            for state in ("untouched", "in_work", "done")
        }
        return {
            "name": self.name,
            "model": self.model,
            "read_only": self.store.read_only,
            "labels": self.store.labels,
            "counts": {"images": len(heads), **counts, "unreadable": len(self.pictures.errors)},
        }

    def images_json(self) -> Json:
        """The list of images."""
        return {"images": [self._image_json(entry) for entry in self.entries.values()]}

    async def open(self, image_id: str) -> Opened:
        """Decodes the image and reads its document. Raises Refusal: 404, or 422 when it can't be
        read."""
        entry = self.entry(image_id)
        picture = await self.picture(entry)
        return Opened(entry, picture, await unreadable(lambda: self._document(entry.name, picture)))

    async def picture(self, entry: Entry) -> Picture:
        """The open image. Raises Refusal (422)."""
        found = await unreadable(lambda: self.pictures.find(entry))
        if found is not None:
            return found
        return await unreadable(lambda: self.pictures.get(entry), self._decoders)

    async def thumbnail(self, entry: Entry) -> bytes:
        """A JPEG. Raises Refusal (422)."""
        return await unreadable(lambda: self.pictures.thumbnail(entry), self._thumbnailer)

    async def opened_json(self, image_id: str) -> Json:
        """The document with all masks."""
        opened = await self.open(image_id)
        return {
            "document": document_json(opened),
            "masks": masks_json(opened.document.content, Content()),
        }

    async def change(self, image_id: str, body: Any) -> Json:
        """Makes one change and answers when it is on disk. Raises Refusal."""
        start = time.perf_counter()
        fields = Fields(body)
        op = fields.choice("op", (*OPERATIONS, "undo", "redo", "done"))
        revision = fields.integer("revision", 0, _MAX_REVISION)
        self.entry(image_id)
        self._require_writable()
        self._newest[image_id] += 1
        async with self._turns[image_id]:
            opened = await self.open(image_id)
            _require_current(opened, revision)
            after, touched, predict_ms, notes = await self._after(opened, op, fields)
            if after is not opened.document:
                await self._commit(opened.document, after)
        changed = Opened(opened.entry, opened.picture, after)
        return {
            "document": document_json(changed),
            "masks": masks_json(after.content, opened.document.content),
            "object": touched,
            "notes": list(notes),
            "ms": {
                "predict": round(predict_ms, 2),
                "total": round((time.perf_counter() - start) * 1000, 2),
            },
        }

    async def preview(self, image_id: str, body: Any) -> Json:
        """What a click would make, without making it. Raises Refusal; 409 when something newer
        came."""
        fields = Fields(body)
        revision, item_id = fields.integer("revision", 0, _MAX_REVISION), fields.take("object")
        clicks, region, keep_rest = read_clicks(fields)
        fields.done()
        self.entry(image_id)
        self._newest[image_id] += 1
        number = self._newest[image_id]
        opened = await self.open(image_id)
        _require_current(opened, revision)
        item = Item("", "") if item_id is None else find(opened.document.content, item_id)
        bench = self._bench(opened)

        def run() -> Item:
            if self._newest[image_id] != number:
                raise Refusal(409, "overtaken", "A newer preview or change of this image came.")
            return bench.clicked(item, clicks, region, keep_rest)

        seen = await self._work(run)
        return {"mask": seen.mask.to_json(), "ms": round(bench.predict_ms, 2)}

    async def import_coco(self, body: Any) -> Json:
        """Adds a COCO file's annotations to the images of the same name. Raises Refusal."""
        self._require_writable()
        coco = await unreadable(lambda: CocoFile.parse(body))
        by_name = {entry.name: entry for entry in self.entries.values()}
        by_last = {entry.path.name: entry for entry in self.entries.values()}
        imported: dict[str, int] = {}
        skipped: list[str] = []
        for number, (file_name, height, width) in coco.images.items():
            entry = by_name.get(file_name) or by_last.get(
                file_name.replace("\\", "/").rpartition("/")[2]
            )
            if entry is None:
                skipped.append(f"{file_name}: there is no image of that name.")
            elif coco.annotations[number]:
                try:
                    imported[entry.id] = await self._import_into(entry, coco, number, height, width)
                except (InputError, Refusal) as error:
                    skipped.append(f"{entry.name}: {error}")
        return {"imported": imported, "skipped": skipped}

    async def _import_into(
        self, entry: Entry, coco: CocoFile, number: int | str, height: int, width: int
    ) -> int:
        """One image's annotations as one change; how many."""
        async with self._turns[entry.id]:
            entry.require_inside()
            header = await asyncio.to_thread(read_header, entry.path)
            size = header.height, header.width
            if size != (height, width):
                raise InputError(
                    f"it has {size[1]}x{size[0]} pixels, the COCO file says {width}x{height}."
                )
            before = await asyncio.to_thread(self.store.document, entry.name) or Document(
                entry.name, *size
            )

            def content() -> Content:
                return with_annotations(before.content, coco.annotated(number), self._made_with)

            await self._commit(before, before.changed("import", await asyncio.to_thread(content)))
        return len(coco.annotations[number])

    async def _after(
        self, opened: Opened, op: str, fields: Fields
    ) -> tuple[Document, str | None, float, tuple[str, ...]]:
        """The document after the change, the object that it was about, the milliseconds of the
        prediction, and what the user should know of a file that was read."""
        before = opened.document
        if op == "done":
            done = fields.boolean("done")
            fields.done()
            return before.accepted(done), None, 0.0, ()
        if op in ("undo", "redo"):
            fields.done()
            return _given(lambda: before.moved(-1 if op == "undo" else 1)), None, 0.0, ()
        label = self.store.labels[0] if self.store.labels else DEFAULT_LABEL
        target = Target(before.content, label, opened.entry.mask_beside())
        plan, bench = _given(lambda: read_change(op, fields, target)), self._bench(opened)
        outcome: Outcome = await self._work(lambda: plan(bench))
        same = len(outcome.content.items) == len(before.content.items) and all(
            new is old for new, old in zip(outcome.content.items, before.content.items, strict=True)
        )
        return (
            before if same else before.changed(op, outcome.content),
            outcome.object_id,
            bench.predict_ms,
            outcome.notes,
        )

    async def _work(self, function: Callable[[], Result]) -> Result:
        """Runs it on the worker; what the user gave wrong becomes 400."""
        try:
            return await self._worker.run(function)
        except InputError as error:
            raise bad_request(str(error)) from error

    async def _commit(self, before: Document, after: Document) -> None:
        def save() -> None:
            self.store.add_labels([item.label for item in after.content.items])
            self.store.commit(before, after)

        try:
            await asyncio.to_thread(save)
        except NotSavedError as error:
            raise Refusal(507, "not_saved", str(error)) from error

    def _document(self, name: str, picture: Picture) -> Document:
        """The image's document. Raises InputError when it was made for an image of another size."""
        document = self.store.document(name) or Document(name, picture.height, picture.width)
        if (document.height, document.width) != (picture.height, picture.width):
            raise InputError(
                f"{name} has {picture.width}x{picture.height} pixels, but its annotations are of "
                "an image of "
                f"{document.width}x{document.height}: put the image back that was annotated."
            )
        return document

    def _bench(self, opened: Opened) -> Workbench:
        return Workbench(opened.picture, self._sessions, self.store.labels, self._made_with)

    def _image_json(self, entry: Entry) -> Json:
        head = self.store.heads.get(entry.name, _UNTOUCHED)
        try:
            version, error = entry.version(), self.pictures.errors.get(entry.name)
        except InputError as gone:
            version, error = "", str(gone)
        record = {"id": entry.id, "name": entry.name, "state": head.state, "objects": head.objects}
        return {**record, "version": version, "error": error}

    def _require_writable(self) -> None:
        if self.store.read_only is not None:
            raise Refusal(403, "read_only", self.store.read_only)


def document_json(opened: Opened) -> Json:
    """The document as the page sees it, without masks."""
    document, picture = opened.document, opened.picture
    beside = opened.entry.mask_beside() if not document.content.items else None
    return {
        "image": opened.entry.id,
        "name": document.name,
        "width": document.width,
        "height": document.height,
        "revision": document.revision,
        "state": document.state,
        "undo": document.undo_name,
        "redo": document.redo_name,
        "mask_beside": beside.name if beside else None,
        "tiles": {"size": TILE, "levels": picture.levels, "version": picture.version},
        "objects": [_item_json(item) for item in document.content.items],
    }


def masks_json(content: Content, before: Content) -> Json:
    """The masks of the objects that are new or look different from before."""
    olds = {item.id: item.mask for item in before.items}
    return {
        item.id: item.mask.to_json() for item in content.items if item.mask is not olds.get(item.id)
    }


async def unreadable(function: Callable[[], Result], pool: Executor | None = None) -> Result:
    """Runs it in a thread (of the pool); a file that can't be read becomes 422."""
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, function)
    except InputError as error:
        raise Refusal(422, "unreadable", str(error)) from error


def _item_json(item: Item) -> Json:
    return {
        "id": item.id,
        "label": item.label,
        "visible": item.visible,
        "locked": item.locked,
        "edited": was_edited(item.steps),
        "area": item.mask.area,
        "box": list(item.mask.box.as_tuple()) if item.mask.box else None,
        "clicks": clicks_json(item),
    }


def _given(function: Callable[[], Result]) -> Result:
    """What the user gave wrong becomes 400."""
    try:
        return function()
    except InputError as error:
        raise bad_request(str(error)) from error


def _require_current(opened: Opened, revision: int) -> None:
    """Raises Refusal (409) with the current document when the change was meant for another
    revision."""
    document = opened.document
    if revision != document.revision:
        sentence = (
            f"The image is at revision {document.revision}, the change was made for {revision}: "
            "look again."
        )
        more = {"document": document_json(opened), "masks": masks_json(document.content, Content())}
        raise Refusal(409, "conflict", sentence, more)
