"""The project's settings: in its file, for whoever opens the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vtmr.app.store import NotSavedError, Store

Start = Callable[..., Any]
FILE = Path(".vtmr") / "project.json"


def keep_apart(annotating: Any) -> bool | None:
    found: bool | None = annotating.http.get("/api/v1/project").json()["keep_apart"]
    return found


def settle(annotating: Any, **settings: Any) -> Any:
    return annotating.http.post("/api/v1/project", json=settings)


def test_a_choice_is_the_projects(folder: Path, start: Start) -> None:
    annotating = start(folder, labels=["cup"])
    assert keep_apart(annotating) is None
    answer = settle(annotating, keep_apart=False)
    assert answer.status_code == 200
    assert answer.json() == annotating.http.get("/api/v1/project").json()
    assert answer.json()["keep_apart"] is False
    written = json.loads((folder / FILE).read_text())
    assert (written["keep_apart"], written["labels"]) == (False, ["cup"])


def test_whoever_opens_the_folder_reads_it(folder: Path, start: Start) -> None:
    settle(start(folder), keep_apart=True)
    store = Store(folder, write=False)
    assert store.keep_apart is True
    store.close()


def test_null_takes_it_back(annotating: Any, folder: Path) -> None:
    settle(annotating, keep_apart=True)
    assert settle(annotating, keep_apart=None).json()["keep_apart"] is None
    assert "keep_apart" not in json.loads((folder / FILE).read_text())


@pytest.mark.parametrize("body", [{}, {"keep_apart": "yes"}, {"keep_apart": 1}, {"apart": True}])
def test_what_is_no_setting_is_refused(annotating: Any, body: dict[str, Any]) -> None:
    answer = settle(annotating, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert keep_apart(annotating) is None


def test_a_folder_for_reading_only_keeps_its_settings(folder: Path, start: Start) -> None:
    annotating = start(folder)
    annotating.annotator.store.read_only = "Look, don't touch."
    assert settle(annotating, keep_apart=True).status_code == 403
    assert keep_apart(annotating) is None


def test_a_disk_that_refuses_leaves_it_as_it_was(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotating = start(folder)
    settle(annotating, keep_apart=False)

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vtmr.app.labels.Labels.save_now", refuse)
    assert settle(annotating, keep_apart=True).status_code == 507
    with pytest.raises(NotSavedError, match="No space left"):
        annotating.annotator.store.put_keep_apart(True)
    assert keep_apart(annotating) is False


def test_nonsense_in_the_file_is_no_choice(folder: Path, start: Start) -> None:
    (folder / FILE).parent.mkdir()
    (folder / FILE).write_text('{"labels": ["cup"], "keep_apart": "yes"}')
    annotating = start(folder)
    assert keep_apart(annotating) is None
    assert annotating.http.get("/api/v1/project").json()["labels"] == ["cup"]
