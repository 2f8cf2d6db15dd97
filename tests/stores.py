"""Documents with a history for the store's tests, and what is in them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtmr.app.document import Content, Document, Item, to_json
from vtmr.app.store import Store
from vtmr.geometry import Box
from vtmr.serving.maskruns import MaskRuns
from vtmr.types import Click, MaskEdit

NAME = "a.jpg"


def item(number: int) -> Item:
    """An object whose fields all depend on the number."""
    mask = np.zeros((20, 30), bool)
    mask[2 : 4 + number, 3:9] = True
    steps = ((Click(number + 0.25, 2.5),), (MaskEdit.of(mask), Click(1.5, 1.5, False)))
    region = Box(0, 0, 10, 10 + number)
    label = f"label ü {number}"
    visible = number % 2 == 0
    return Item(
        f"o{number}", label, visible, False, region, steps, MaskRuns.encode(mask), {"v": "1"}
    )


def described(document: Document | None) -> object:
    """Everything in it, as JSON says it."""
    return None if document is None else to_json(document)


def grown(changes: int, name: str = NAME) -> list[Document]:
    """A document after 0 … `changes` changes, each of which adds an object."""
    documents = [Document(name, 20, 30)]
    for number in range(1, changes + 1):
        items = (*documents[-1].content.items, item(number))
        documents.append(documents[-1].changed("click", Content(items, number + 1)))
    return documents


def commit_all(store: Store, documents: list[Document]) -> None:
    for before, after in itertools.pairwise(documents):
        store.commit(before, after)


def objects_in(folder: Path, name: str = NAME) -> int:
    """How many objects a fresh reader finds on the image."""
    document = Store(folder, write=False).document(name)
    return len(document.content.items) if document else 0


def refusing(
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    *,
    only: Callable[[str], bool] = lambda path: True,
) -> None:
    """Makes a call of `os` on open files fail with that number, for files whose path is `only`."""
    real = getattr(os, call)

    def refuse(descriptor: int, *given: object) -> object:
        if only(path_of(descriptor)):
            raise OSError(number, os.strerror(number))
        return real(descriptor, *given)

    monkeypatch.setattr(os, call, refuse)


def is_journal(path: str) -> bool:
    return path.endswith("journal.jsonl")


def path_of(descriptor: int) -> str:
    """Of an open file or folder."""
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())
