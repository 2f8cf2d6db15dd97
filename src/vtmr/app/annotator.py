"""What stands behind the API: the project's images, pictures, sessions and documents, and one
change at a time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vtmr.app.apart import others_mask
from vtmr.app.document import Content, Document, Item
from vtmr.app.documents import Head
from vtmr.app.importing import Arrival, Arrivals, arrivals, asks, known_already
from vtmr.app.labelling import Labelling
from vtmr.app.lesson import Lesson, read_lesson
from vtmr.app.operations import OPERATIONS, PLAYED, clicking, read_change, read_clicks
from vtmr.app.outcomes import Outcome, find
from vtmr.app.pictures import Picture, Pictures
from vtmr.app.plans import Target
from vtmr.app.playing import MAX_KEY, Playing, Replays
from vtmr.app.project import Entry, find_images
from vtmr.app.reading import Reading, unreadable
from vtmr.app.sessions import Sessions
from vtmr.app.store import NotSavedError, Store
from vtmr.app.views import Json, Opened, document_json, masks_json
from vtmr.app.windows import Windows
from vtmr.app.workbench import Workbench
from vtmr.errors import InputError
from vtmr.formats import Annotation, read
from vtmr.formats.png import read_masks
from vtmr.formats.records import DEFAULT_LABEL
from vtmr.formats.sources import bytes_source
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request
from vtmr.serving.worker import Pool, Worker
from vtmr.session.live import Told
from vtmr.types import Predictor

Result = TypeVar("Result")

_MAX_REVISION = 1 << 53
_STATES = ("untouched", "in_work", "review", "done")
_UNTOUCHED, _DAMAGED = Head("untouched", 0, 0), Head("damaged", 0, 0)


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
        follow_links: bool = False,
    ) -> None:
        """made_with: model and versions, kept with every mask. follow_links: links to images and
        folders are taken, wherever they lead.

        Raises InputError as Store and list_images.
        """
        self._folder = folder.resolve()
        # Another one after each start, so that a page that is open notices it.
        self._session = secrets.token_hex(8)
        self.name = self._folder.name
        found = find_images(folder, follow_links=follow_links)
        self.entries = {entry.id: entry for entry in found.images}
        self._left_out = found.left_out
        self.store = Store(folder.resolve())
        # What is to be told at the end; this, when the disk doesn't answer in time.
        self.farewell = "Everything that was acknowledged is saved, in the journal."
        self.store.add_labels(labels)
        self.model, self._made_with = predictor.name, made_with
        self._sessions = Sessions(predictor)
        self._lesson = Lesson(predictor)
        self.pictures = Pictures(predictor, self._sessions.forget)
        self._windows = Windows()
        self._worker = Worker()
        self.replays = Replays(self._worker.let_others)
        # Threads of their own, so that those who wait for a large image leave the others alone.
        self.files = Pool("vtmr-files", 4)
        self.exporting = Pool("vtmr-export", 2, waiting=6, most=2, what="exports")
        self.importing = Pool("vtmr-import", 2, waiting=6, most=2, what="imports")
        # Many, since most of them wait for a disk: `Turns` says how many decode at a time.
        decoders, thumbnailer = Pool("vtmr-decode", 8), Pool("vtmr-thumbnail", 4)
        self._checking = Pool("vtmr-check", 1)
        self._pools = (
            self.files,
            self.exporting,
            self.importing,
            self._checking,
            decoders,
            thumbnailer,
        )
        self._reading, self._thumbnails = Reading(decoders), Reading(thumbnailer)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.labelling = Labelling(self.store, self._turns, self.files)
        self._newest: defaultdict[str, int] = defaultdict(
            int
        )  # per image: a preview counts while none came later

    async def check(self) -> None:
        """Looks for damaged annotations, however long that takes."""
        with suppress(Refusal):  # it is ending
            await self._checking.run(self.store.check)

    def close(self) -> None:
        """Writes everything whole, and waits for nobody whose answer nobody waits for."""
        for pool in (self._worker, *self._pools):
            pool.close()
        self.farewell = self.store.close()

    @property
    def busy(self) -> bool:
        """Whether a thread still works, on a file that doesn't come for one."""
        return any(pool.busy for pool in (self._worker, *self._pools))

    def notices(self) -> list[str]:
        """What the user should know of the folder, a sentence each."""
        links = []
        count = self._left_out.counts["link"]
        if count:
            one = count == 1
            word = "link to an image or folder was" if one else "links to images or folders were"
            links.append(
                f"{count} {word} left out: a link may lead out of the folder. Put the files "
                "themselves here, annotate the folder they lie in, or start with --follow-links."
            )
        damaged = [
            f"{self.entries[found].name if found in self.entries else 'An image'}: {sentence}"
            for found, sentence in sorted(self.store.damaged.items())
        ]
        return [*links, *self.store.told(), *damaged]

    def entry(self, image_id: str) -> Entry:
        """Raises Refusal (404)."""
        if image_id not in self.entries:
            raise Refusal(404, "not_found", "There is no such image in this folder.")
        return self.entries[image_id]

    def project_json(self) -> Json:
        """Everything about the folder but the list of images."""
        heads = [self.store.heads.get(entry.name, _UNTOUCHED) for entry in self.entries.values()]
        states = Counter(head.state for head in heads)
        counts = {state: states[state] for state in _STATES}
        labels = self.store.all_labels()
        return {
            "name": self.name,
            "model": self.model,
            "read_only": self.store.read_only,
            "notices": self.notices(),
            "labels": [label.name for label in labels],
            "colours": {label.name: label.colour for label in labels if label.colour},
            "attributes": {
                label.name: label.to_json()["attributes"] for label in labels if label.attributes
            },
            "keep_apart": self.store.keep_apart,
            "session": self._session,
            "counts": {"images": len(heads), **counts, "unreadable": len(self.pictures.errors)},
        }

    async def change_project(self, body: Any) -> Json:
        """Changes the project's settings, and answers `project_json` when they are on disk. Raises
        Refusal."""
        fields = Fields(body)
        keep_apart = fields.optional_boolean("keep_apart")
        fields.done()
        if self.store.read_only is not None:
            raise Refusal(403, "read_only", self.store.read_only)
        try:
            await self.in_pool(partial(self.store.put_keep_apart, keep_apart))
        except NotSavedError as error:
            raise Refusal(507, "not_saved", str(error)) from error
        return self.project_json()

    def images_json(self) -> Json:
        """The list of images."""
        images = [self._image_json(entry) for entry in self.entries.values()]
        return {"images": images, "left_out": self._left_out.to_json()}

    async def open(self, image_id: str) -> Opened:
        """Decodes the image and reads its document. Raises Refusal: 404, or 422 when it can't be
        read."""
        entry = self.entry(image_id)
        picture = await self.picture(entry)
        document = await self.in_pool(lambda: self.store.document(entry.name))
        if document is None:
            document = Document(entry.name, picture.height, picture.width)
        return Opened(entry, picture, document, await self.in_pool(entry.mask_beside))

    async def in_pool(self, function: Callable[[], Result]) -> Result:
        """Runs it beside the event loop. Raises Refusal (422) for what can't be read."""
        return await unreadable(self.files.run(function))

    async def picture(self, entry: Entry) -> Picture:
        """The open image. Raises Refusal (422)."""
        found = await self.in_pool(lambda: self.pictures.find(entry))
        if found is not None:
            return found
        return await unreadable(self._reading.get(entry.name, lambda: self.pictures.get(entry)))

    async def values_json(self, image_id: str) -> Json:
        """The range of an image of more than 8 bits, and its usual window; null for any other.

        Raises Refusal (422).
        """
        entry = self.entry(image_id)
        version = (await self.picture(entry)).version
        found = await self.in_pool(lambda: self._windows.values(entry, version))
        return {"values": found.to_json() if found is not None else None}

    async def tile(
        self, entry: Entry, place: tuple[int, int, int], window: tuple[int, int] | None
    ) -> bytes:
        """A tile as JPEG. window: which values are shown from black to white.

        Raises InputError where there is none, Refusal (422) where the image can't be read.
        """
        picture = await self.picture(entry)
        if window is None:
            return await self.files.run(lambda: picture.tile(*place))
        shown = await self.files.run(lambda: self._windows.pyramid(entry, picture.version, *window))
        return await self.files.run(lambda: picture.tile(*place, shown))

    async def thumbnail(self, entry: Entry) -> bytes:
        """A JPEG. Raises Refusal (422)."""
        return await unreadable(
            self._thumbnails.get(entry.name, lambda: self.pictures.thumbnail(entry))
        )

    async def opened_json(self, image_id: str) -> Json:
        """The document with all masks."""
        opened = await self.open(image_id)
        return {
            "document": document_json(opened),
            "masks": masks_json(opened, Content()),
        }

    async def change(self, image_id: str, body: Any) -> Json:
        """Makes one change and answers when it is on disk. Raises Refusal."""
        start = time.perf_counter()
        fields = Fields(body)
        op = fields.choice("op", (*OPERATIONS, "undo", "redo", "done", "review"))
        revision = fields.integer("revision", 0, _MAX_REVISION)
        self.entry(image_id)
        self._require_writable()
        self._newest[image_id] += 1
        key = fields.text("key", MAX_KEY) if op in PLAYED and fields.has("key") else None
        with self.replays.begun(image_id, key) as playing:
            async with self._turns[image_id]:
                opened = await self.open(image_id)
                _require_same_size(opened)
                _require_current(opened, revision)
                after, touched, predict_ms, notes = await self._after(opened, op, fields, playing)
                playing.require_wanted()
                if after is not opened.document:
                    await self._commit(opened.document, after)
        changed = replace(opened, document=after)
        return {
            "document": document_json(changed),
            "masks": masks_json(changed, opened.document.content),
            "object": touched,
            "labels": self.store.labels,
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
        clicks, region, keep_rest = _given(lambda: read_clicks(fields))
        keep_apart = fields.boolean("keep_apart", False)
        fields.done()
        self.entry(image_id)
        self._newest[image_id] += 1
        number = self._newest[image_id]
        opened = await self.open(image_id)
        _require_same_size(opened)
        _require_current(opened, revision)
        item = Item("", "") if item_id is None else find(opened.document.content, item_id)

        def require_newest(done: int = 0, of: int = 0) -> None:
            if self._newest[image_id] != number:
                raise Refusal(409, "overtaken", "A newer preview or change of this image came.")

        # Asked between steps, too: after a start of the server all clicks are played again.
        bench = self._bench(opened, require_newest)
        target = Target(opened.document.content, keep_apart=keep_apart)
        plan = clicking(target, item, clicks, region, keep_rest)

        def run() -> Item:
            # Asked when the worker gets to it: a pointer that moves leaves previews behind it.
            require_newest()
            return find(plan(bench).content, item.id)

        seen = await self._work(run)
        return {"mask": seen.mask.to_json(), "ms": round(bench.predict_ms, 2)}

    async def lesson_json(self, body: Any) -> Json:
        """The mask of the lesson's clicks, of which nothing is kept. Raises Refusal."""
        clicks = read_lesson(Fields(body))
        mask = await self._work(lambda: self._lesson.answer(clicks))
        return {"mask": mask.to_json()}

    async def import_coco(self, content: bytes, repeated: str = "ask") -> Json:
        """Adds a COCO file's annotations to the images that it names.

        repeated: what to do with objects that are there already. Raises Refusal; 409 when they are
        and it is "ask".
        """
        self._require_writable()
        found = await unreadable(self.importing.run(lambda: self._arrivals(content)))
        if repeated == "ask":
            await self.importing.run(lambda: self._require_new(found))
        return await self.bring(found, repeated)

    async def bring(self, found: Arrivals, repeated: str) -> Json:
        """Puts what files bring onto its images, one change each; how many came, and what didn't.

        Raises Refusal (403) for a folder that can't be changed.
        """
        self._require_writable()
        imported: dict[str, int] = {}
        skipped = list(found.said)
        for arrival in found.images:
            try:
                count = await self._import(arrival, repeated)
                if count:
                    imported[arrival.entry.id] = count
            except (InputError, Refusal) as error:
                skipped.append(f"{arrival.entry.name}: {error}")
        return {"imported": imported, "skipped": skipped}

    def _arrivals(self, content: bytes) -> Arrivals:
        """What a COCO file brings. Raises InputError when it isn't one."""
        source = bytes_source("The file", content, len(content))
        return arrivals(read("coco", source), self.entries.values(), self._folder)

    def _require_new(self, found: Arrivals) -> None:
        """Raises Refusal (409) when objects of the file are on their images already."""
        known = known_already(self.store, found)
        if any(known):
            more = {"repeated": sum(known), "new": len(known) - sum(known)}
            raise Refusal(409, "already_imported", asks(**more), more)

    async def _import(self, arrival: Arrival, repeated: str) -> int:
        """One image's annotations as one change; how many."""
        name = arrival.entry.name
        async with self._turns[arrival.entry.id]:
            found = await self.files.run(lambda: self.store.document(name))
            before = found or Document(name, arrival.height, arrival.width)
            after, count = await self.importing.run(
                lambda: arrival.after(before, self._made_with, repeated=repeated)
            )
            if after is not before:
                await self._commit(before, after)
        return count

    async def _after(
        self, opened: Opened, op: str, fields: Fields, playing: Playing
    ) -> tuple[Document, str | None, float, tuple[str, ...]]:
        """The document after the change, the object that it was about, the milliseconds of the
        prediction, and what the user should know of a file that was read."""
        before = opened.document
        if op == "done":
            done = fields.boolean("done")
            fields.done()
            return before.accepted(done), None, 0.0, ()
        if op == "review":
            review = fields.boolean("review")
            fields.done()
            return before.to_review(review), None, 0.0, ()
        if op in ("undo", "redo"):
            fields.done()
            move = before.undone if op == "undo" else partial(before.moved, 1)
            return _given(move), None, 0.0, ()
        label = self.store.labels[0] if self.store.labels else DEFAULT_LABEL
        beside = await self._beside(opened) if op == "import_mask" else None
        target = Target(before.content, label, beside)
        plan = _given(lambda: read_change(op, fields, target))
        bench = self._bench(opened, self.replays.told(playing))
        outcome: Outcome = await self._work(lambda: plan(bench))
        # What changed nothing hands back the very same objects, and is no step for undo.
        same = len(outcome.content.items) == len(before.content.items) and all(
            new is old for new, old in zip(outcome.content.items, before.content.items, strict=True)
        )
        return (
            before if same else before.changed(op, outcome.content),
            outcome.object_id,
            bench.predict_ms,
            (*outcome.notes, *filter(None, [bench.note])),
        )

    async def _beside(self, opened: Opened) -> tuple[list[Annotation], tuple[str, ...]] | None:
        """The masks in the file beside the image and what it was taken for, None where there is
        none. Raises Refusal."""
        found = opened.beside
        if found is None:
            return None
        shape = opened.picture.height, opened.picture.width

        def read() -> tuple[list[Annotation], tuple[str, ...]]:
            with found.opened() as path:
                return read_masks(path, shape, self.store.labels)

        # Like an image, so that a slow one holds up neither predictions nor other images.
        return await unreadable(self._reading.get(found.name, read))

    async def _work(self, function: Callable[[], Result]) -> Result:
        """Runs it on the worker; what the user gave wrong becomes 400."""
        try:
            return await self._worker.run(function)
        except InputError as error:
            raise bad_request(str(error)) from error

    async def _commit(self, before: Document, after: Document) -> None:
        try:
            await self.files.run(lambda: self.store.commit(before, after))
        except NotSavedError as error:
            raise Refusal(507, "not_saved", str(error)) from error

    def _bench(self, opened: Opened, told: Told) -> Workbench:
        content, shape = opened.document.content, (opened.picture.height, opened.picture.width)
        return Workbench(
            opened.picture,
            self._sessions,
            self.store.labels,
            self._made_with,
            lambda item_id: others_mask(content, item_id, shape),
            told,
        )

    def _image_json(self, entry: Entry) -> Json:
        head = self.store.heads.get(entry.name, _UNTOUCHED)
        if entry.id in self.store.damaged:
            head = _DAMAGED
        try:
            version = entry.version()
            error = self.store.damaged.get(entry.id) or self.pictures.errors.get(entry.name)
        except InputError as gone:
            version, error = "", str(gone)
        record = {"id": entry.id, "name": entry.name, "state": head.state, "objects": head.objects}
        labels = list(head.labels or ())
        return {**record, "labels": labels, "version": version, "error": error}

    def _require_writable(self) -> None:
        if self.store.read_only is not None:
            raise Refusal(403, "read_only", self.store.read_only)


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
        more = {"document": document_json(opened), "masks": masks_json(opened, Content())}
        raise Refusal(409, "conflict", sentence, more)


def _require_same_size(opened: Opened) -> None:
    """Raises Refusal (403) for a document that was made for an image of another size."""
    if opened.read_only is not None:
        raise Refusal(403, "read_only", opened.read_only)
