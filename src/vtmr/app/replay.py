"""What the disk holds at the start: heads, damaged documents, the journal's changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from vtmr.app.directory import Directory
from vtmr.app.document import Document, follow
from vtmr.app.documents import (
    UNREADABLE,
    document_ids,
    leads_out,
    path_of,
    read_document,
    read_head,
)
from vtmr.app.journal import JOURNAL, Entries
from vtmr.app.labels import Labels
from vtmr.app.memory import Memory
from vtmr.app.project import image_id
from vtmr.errors import InputError
from vtmr.session.eventlog import whole_number


@dataclass(slots=True)
class Trouble:
    """What isn't as it was written. damaged: image ids whose documents can't be read, with a
    sentence; notices: sentences about everything else; lost: those of them that say that work is
    gone; repaired: image ids whose files are to be kept aside before they are written anew."""

    damaged: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Adds a notice, once."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    def note_loss(self, sentence: str) -> None:
        """Adds a notice that work is gone, once."""
        self.note(sentence)
        if sentence not in self.lost:
            self.lost.append(sentence)

    def blame(self, found_id: str, error: BaseException | str) -> InputError:
        """The error to raise for a document that can't be read; remembered."""
        self.damaged[found_id] = (
            f"the annotations in {path_of(found_id)} can't be read ({reason(error)}). Restore that "
            "file from a copy or move it away."
        )
        return InputError(self.damaged[found_id])

    def accept(self, document: Document, found_id: str, sentence: str | None) -> Document:
        """The document as it was read, with what was wrong with its file."""
        if sentence is not None:
            self.note(f"The annotations of {document.name}: {sentence}.")
            self.repaired.append(found_id)
        return document


def read_heads(folder: Directory, memory: Memory, trouble: Trouble) -> None:
    """Every document's first line; where that is damaged, the whole document. Raises OSError."""
    for found_id in document_ids(folder):
        try:
            known = read_head(folder, found_id)
            if known is not None:
                memory.heads[known[0]] = known[1]
                continue
            document, sentence = read_document(folder, found_id)
            # As changed, so that the next fold writes its first line anew.
            memory.keep(trouble.accept(document, found_id, sentence), changed=True)
        except (OSError, *UNREADABLE) as error:
            trouble.blame(found_id, error)


def replay(
    entries: Entries,
    read: Callable[[str], Document | None],
    memory: Memory,
    labels: Labels,
    trouble: Trouble,
) -> bool:
    """Follows the journal's changes that their documents don't hold yet; whether all were sound.

    read: the document of an image, as `Store.document`.
    """
    before = len(trouble.notices)
    for sentence in entries.damaged:
        trouble.note_loss(f"{sentence}: that change is lost.")
    if entries.torn:
        trouble.note(
            f"The last {entries.torn} bytes of {JOURNAL} are a change that was cut off before it "
            "was acknowledged: they are left out."
        )
    broken: set[str] = set()
    for entry in entries.records:
        name = entry["image"]
        try:
            if leads_out(name):
                raise ValueError("the image would lie outside the folder")
            after = _followed(entry, read, broken, trouble)
        except (OSError, *UNREADABLE) as error:
            broken.add(name)
            trouble.note_loss(
                f"The change {entry['revision']} of {name} in {JOURNAL} can't be followed "
                f"({reason(error)}): it is lost."
            )
            continue
        if after is not None:
            memory.keep(after, changed=True)
            labels.add(after.labels, passing=True)
    return len(trouble.notices) == before


def _followed(
    entry: dict[str, Any],
    read: Callable[[str], Document | None],
    broken: set[str],
    trouble: Trouble,
) -> Document | None:
    """The document after one change of the journal, None where it holds that already.

    broken: the images of which changes are missing.
    """
    name, revision = entry["image"], entry["revision"]
    before = _before(entry, read, trouble)
    if revision <= before.revision:
        return None
    if revision != before.revision + 1 and name not in broken:
        broken.add(name)
        trouble.note(
            f"Changes {before.revision + 1} to {revision - 1} of {name} are missing in {JOURNAL}: "
            "what came after them is kept."
        )
    return replace(follow(before, entry, gap=name in broken), revision=revision)


def _before(
    entry: dict[str, Any], read: Callable[[str], Document | None], trouble: Trouble
) -> Document:
    """The document that a change of the journal is for."""
    name = entry["image"]
    height, width = map(whole_number, entry["size"])
    found_id = image_id(name)
    if found_id in trouble.damaged and entry["revision"] == 1:
        # The whole history is in the journal: nothing of the damaged file is needed.
        trouble.note(f"{name}: {trouble.damaged.pop(found_id)} It is made again from {JOURNAL}.")
        trouble.repaired.append(found_id)
        return Document(name, height, width)
    return read(name) or Document(name, height, width)


def reason(error: BaseException | str) -> str:
    """What an error says, as a part of a sentence."""
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")
