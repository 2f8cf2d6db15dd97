"""An open image as the page sees it: records of plain values (docs/api.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vtmr.app.document import Content, Document, Item
from vtmr.app.pictures import TILE, Picture
from vtmr.app.project import Entry
from vtmr.app.workbench import box_of, clicks_json, was_edited

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An image that is open, with its document. beside: the mask file beside the image, if any."""

    entry: Entry
    picture: Picture
    document: Document
    beside: Entry | None = None

    @property
    def read_only(self) -> str | None:
        """A sentence when the document was made for an image of another size, else None."""
        document, picture = self.document, self.picture
        if (document.height, document.width) == (picture.height, picture.width):
            return None
        return (
            f"{document.name} has {picture.width}x{picture.height} pixels, but its annotations are "
            f"of an image of {document.width}x{document.height}: put the image back that was "
            "annotated. Until then they can be looked at, and aren't exported."
        )


def document_json(opened: Opened) -> Json:
    """The document as the page sees it, without masks."""
    document, picture = opened.document, opened.picture
    beside = None if document.content.items else opened.beside
    return {
        "image": opened.entry.id,
        "name": document.name,
        "width": picture.width,
        "height": picture.height,
        "read_only": opened.read_only,
        "revision": document.revision,
        "state": document.state,
        "undo": document.undo_name,
        "redo": document.redo_name,
        "mask_beside": beside.path.name if beside else None,
        "tiles": {"size": TILE, "levels": picture.levels, "version": picture.version},
        "objects": [_item_json(item, picture) for item in document.content.items],
    }


def masks_json(opened: Opened, before: Content) -> Json:
    """The masks of the objects that are new or look different from before; nothing of them lies
    outside the picture."""
    height, width = opened.picture.height, opened.picture.width
    olds = {item.id: item.mask for item in before.items}
    return {
        item.id: item.mask.within(height, width).to_json()
        for item in opened.document.content.items
        if item.mask is not olds.get(item.id)
    }


def _item_json(item: Item, picture: Picture) -> Json:
    mask = item.mask.within(picture.height, picture.width)
    prompt = box_of(item.steps)
    return {
        "id": item.id,
        "label": item.label,
        "visible": item.visible,
        "locked": item.locked,
        "crowd": item.crowd,
        "edited": was_edited(item.steps),
        "area": mask.area,
        "box": list(mask.box.as_tuple()) if mask.box else None,
        "prompt": None if prompt is None else [prompt.x0, prompt.y0, prompt.x1, prompt.y1],
        "clicks": clicks_json(item),
        "attributes": dict(item.attributes),
        "note": item.note,
    }
