"""The project's labels as the manager changes them: in the list, and on every object that has one.

A new name for a label is its name in every document's history, so that undo never brings the old
one back. What becomes of the objects of a deleted label is a change of each image like any other,
which can be undone there. Images that were accepted stay so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from vtmr.app.document import Content, Document, Item, Json, renaming, transition
from vtmr.app.labels import MAX_LABELS, Label, label_from_json, labels_from_json
from vtmr.app.project import image_id
from vtmr.app.store import NotSavedError, Store
from vtmr.errors import InputError
from vtmr.formats.records import MAX_LABEL
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import Fields, bad_request
from vtmr.serving.worker import Pool

OPERATIONS = ("add", "change", "rename", "order", "delete", "import")
_AT_ONCE = 64  # images that are changed with one write to the disk

# What the journal keeps of a change, and the document after it; None where nothing changes.
Change = Callable[[Document], tuple[Json, Document] | None]


@dataclass(slots=True)
class Changed:
    """What a change of a label did to objects. skipped: a sentence for each image that it couldn't
    be made on."""

    images: int = 0
    objects: int = 0
    skipped: list[str] = field(default_factory=list)


class Labelling:
    """Changes of the labels, one at a time. Its coroutines run in one event loop."""

    def __init__(self, store: Store, turns: Mapping[str, asyncio.Lock], pool: Pool) -> None:
        """turns: a lock for every image id, held while its document is changed; pool: reads and
        writes documents."""
        self._store, self._turns, self._pool = store, turns, pool
        self._alone = asyncio.Lock()

    async def as_json(self) -> Json:
        """All labels, with how many objects on how many images each has."""
        uses = await self._pool.run(self._uses)
        labels = []
        for label in self._store.all_labels():
            objects, images = uses.get(label.name, (0, 0))
            labels.append(label.to_json() | {"objects": objects, "images": images})
        return {"labels": labels}

    async def change(self, body: Any) -> Json:
        """Makes one change and answers when it is on disk. Raises Refusal."""
        fields = Fields(body)
        op = fields.choice("op", OPERATIONS)
        make = {
            "add": self._add,
            "change": self._change,
            "rename": self._rename,
            "order": self._order,
            "delete": self._delete,
            "import": self._import,
        }[op]
        if self._store.read_only is not None:
            raise Refusal(403, "read_only", self._store.read_only)
        # Two at once could each read the labels before the other wrote them.
        async with self._alone:
            try:
                changed = await make(fields)
            except InputError as error:
                raise bad_request(str(error)) from error
            except NotSavedError as error:
                raise Refusal(507, "not_saved", str(error)) from error
        counts = {"images": changed.images, "objects": changed.objects}
        return {**await self.as_json(), "changed": counts, "skipped": changed.skipped}

    async def _add(self, fields: Fields) -> Changed:
        label = _read_label(fields)
        labels = self._store.all_labels()
        if any(known.name == label.name for known in labels):
            raise _taken(label.name)
        return await self._put([*labels, label])

    async def _change(self, fields: Fields) -> Changed:
        """Another colour, or other attributes."""
        label = self._known(fields.text("label", MAX_LABEL))
        record = label.to_json()
        for name in ("colour", "attributes"):
            if fields.has(name):
                record[name] = fields.take(name)
        fields.done()
        changed = label_from_json(record)
        labels = self._store.all_labels()
        return await self._put([changed if one.name == label.name else one for one in labels])

    async def _rename(self, fields: Fields) -> Changed:
        label, to = self._known(fields.text("label", MAX_LABEL)), fields.text("to", MAX_LABEL)
        fields.done()
        labels = self._store.all_labels()
        if label.name == to:
            return Changed()
        if any(one.name == to for one in labels):
            raise _taken(to)

        def renamed(before: Document) -> tuple[Json, Document] | None:
            after = before.renamed(label.name, to)
            return renaming(after, label.name, to), after

        changed = await self._on_objects(label.name, renamed, also_past=True)
        # Whoever gives it a name wants it to stay, also without objects.
        fresh = replace(label, name=to, passing=False)
        kept = [one for one in self._store.all_labels() if one.name != to]
        await self._put([fresh if one.name == label.name else one for one in kept])
        return changed

    async def _order(self, fields: Fields) -> Changed:
        names = fields.items("labels", 0, MAX_LABELS)
        fields.done()
        known = {label.name: label for label in self._store.all_labels()}
        if not all(isinstance(name, str) for name in names) or sorted(names) != sorted(known):
            raise bad_request("'labels' isn't a new order: expected every label, each once.")
        return await self._put([known[name] for name in names])

    async def _delete(self, fields: Fields) -> Changed:
        """objects: what becomes of those that have it, {"delete": true} or {"label": another}."""
        label = self._known(fields.text("label", MAX_LABEL))
        fate = fields.take("objects", None)
        fields.done()
        changed = Changed()
        if fate is None:
            await self._require_unused(label.name)
        else:
            to = self._fate(label.name, fate)
            changed = await self._on_objects(label.name, lambda old: _parted(old, label.name, to))
        labels = self._store.all_labels()
        await self._put([one for one in labels if one.name != label.name])
        return changed

    async def _import(self, fields: Fields) -> Changed:
        """Labels of a file: new ones are added in their order, known ones take its colours and
        attributes."""
        labels = {label.name: label for label in self._store.all_labels()}
        for found in labels_from_json(fields.take("labels")):
            known = labels.get(found.name, found)
            colour = found.colour or known.colour
            attributes = found.attributes or known.attributes
            labels[found.name] = Label(found.name, colour, attributes)
        fields.done()
        if len(labels) > MAX_LABELS:
            raise bad_request(f"That makes {len(labels)} labels: expected at most {MAX_LABELS}.")
        return await self._put(list(labels.values()))

    async def _put(self, labels: Sequence[Label]) -> Changed:
        """Raises NotSavedError."""
        await self._pool.run(lambda: self._store.put_labels(labels))
        return Changed()

    def _known(self, name: str) -> Label:
        """Raises Refusal (404)."""
        for label in self._store.all_labels():
            if label.name == name:
                return label
        raise Refusal(404, "not_found", f"There is no label {name!r}.")

    def _fate(self, label: str, fate: Any) -> str | None:
        """The label that objects get instead, None for objects that go. Raises Refusal."""
        fields = Fields(fate, "'objects'")
        if fields.has("label"):
            to = self._known(fields.text("label", MAX_LABEL)).name
            if to == label:
                raise bad_request("'objects' names the label that is deleted: expected another.")
        else:
            to = None
            if not fields.boolean("delete"):
                raise bad_request("'delete' is false: expected true, or another label.")
        fields.done()
        return to

    async def _require_unused(self, label: str) -> None:
        """Raises Refusal (409)."""
        uses = await self._pool.run(self._uses)
        objects, images = uses.get(label, (0, 0))
        if objects:
            raise Refusal(
                409,
                "label_in_use",
                f"{objects} objects on {images} images are called {label!r}: say in 'objects' "
                "what becomes of them. Nothing has changed.",
                {"objects": objects, "images": images},
            )

    async def _on_objects(self, label: str, change: Change, *, also_past: bool = False) -> Changed:
        """Changes every document with objects of that label; those that can't be read are told.
        also_past: and those that had some, which undo or redo would bring back.

        Raises NotSavedError; what was changed until then stays so.
        """
        changed = Changed()
        names = await self._pool.run(lambda: self._images_with(label, also_past))
        for first in range(0, len(names), _AT_ONCE):
            some = names[first : first + _AT_ONCE]
            async with AsyncExitStack() as held:
                # In one order, and who changes an image holds but one: nobody waits in a circle.
                for found_id in sorted(image_id(name) for name in some):
                    await held.enter_async_context(self._turns[found_id])
                await self._pool.run(partial(self._commit, some, label, change, changed))
        return changed

    def _commit(self, names: Sequence[str], label: str, change: Change, changed: Changed) -> None:
        made: list[tuple[Json, Document]] = []
        images = objects = 0
        for name in names:
            try:
                before = self._store.document(name)
            except InputError as error:
                changed.skipped.append(f"{name}: {error}")
                continue
            after = change(before) if before is not None else None
            if before is not None and after is not None:
                made.append(after)
                images += label in before.labels
                objects += before.labels.get(label, 0)
        if made:
            self._store.commit_together(made)
        changed.images += images
        changed.objects += objects

    def _images_with(self, label: str, also_past: bool) -> list[str]:
        """Their names; an image whose annotations can't be read is among them, to be told."""
        found = []
        for name in sorted(self._store.heads):
            try:
                found_there = label in self._store.labels_on(name) or (
                    also_past and label in self._store.past_labels_on(name)
                )
            except InputError:
                found_there = True
            if found_there:
                found.append(name)
        return found

    def _uses(self) -> dict[str, tuple[int, int]]:
        """Objects and images by label; images that can't be read aren't counted."""
        objects: dict[str, int] = {}
        images: dict[str, int] = {}
        for name in list(self._store.heads):
            try:
                labels = self._store.labels_on(name)
            except InputError:
                continue
            for label, count in labels.items():
                objects[label] = objects.get(label, 0) + count
                images[label] = images.get(label, 0) + 1
        return {label: (count, images[label]) for label, count in objects.items()}


def _parted(before: Document, label: str, to: str | None) -> tuple[Json, Document] | None:
    """Without objects of that label: they get another one, or go."""
    items: list[Item] = []
    for item in before.content.items:
        if item.label != label:
            items.append(item)
        elif to is not None:
            items.append(replace(item, label=to))
    if tuple(items) == before.content.items:
        return None
    content = Content(tuple(items), before.content.next_id)
    op = "delete" if to is None else "set"
    after = before.changed(op, content, stays_done=True)
    return transition(before, after), after


def _read_label(fields: Fields) -> Label:
    """Raises Refusal or InputError."""
    record: Json = {"name": fields.text("label", MAX_LABEL)}
    for name in ("colour", "attributes"):
        if fields.has(name):
            record[name] = fields.take(name)
    fields.done()
    return label_from_json(record)


def _taken(name: str) -> Refusal:
    return Refusal(
        409,
        "label_exists",
        f"There is a label {name!r} already. To make one of two, delete the other and give its "
        "objects to this one.",
    )
