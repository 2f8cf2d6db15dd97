"""Open images and live sessions within their budgets, and images of every kind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import ColourNetwork, shapes_image
from PIL import Image

from vtmr.app import pictures as pictures_module
from vtmr.app.pictures import Pictures
from vtmr.app.project import list_images
from vtmr.app.sessions import Sessions
from vtmr.images import read_image
from vtmr.segmenter import Segmenter, segmenter_for
from vtmr.types import Click, MaskEdit

CLICKS = ((Click(56.5, 54.5),), (Click(124.5, 66.5),), (Click(20.5, 100.5, False),))


@pytest.fixture
def counted() -> tuple[Segmenter, list[int]]:
    """A segmenter, and a list that grows with every pass of its network."""
    network, passes = ColourNetwork(), []
    coarse = network.coarse
    network.coarse = lambda *arguments: (passes.append(1), coarse(*arguments))[1]  # type: ignore[method-assign]
    return segmenter_for(network), passes


def test_an_image_is_decoded_once_however_many_ask(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr(
        "vtmr.app.pictures.read_image", lambda path: (decoded.append(path), read_image(path))[1]
    )
    pictures, entry = (
        Pictures(segmenter_for(ColourNetwork()), lambda picture: None),
        list_images(folder)[0],
    )
    threads = [threading.Thread(target=pictures.get, args=(entry,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 1


def test_pictures_that_no_longer_fit_are_dropped_with_their_sessions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, counted: tuple[Segmenter, list[int]]
) -> None:
    """A budget of one and a half of these images."""
    predictor, passes = counted
    sessions = Sessions(predictor)
    pictures, (first, second) = Pictures(predictor, sessions.forget), list_images(folder)
    monkeypatch.setattr("vtmr.app.pictures._BUDGET_BYTES", int(1.5 * 120 * 160 * 4))
    picture = pictures.get(first)
    before = sessions.at(picture, None, CLICKS)[0].mask
    assert pictures.get(first) is picture
    pictures.get(second)
    again = pictures.get(first)
    assert again is not picture
    passes.clear()
    session, replayed = sessions.at(again, None, CLICKS)
    assert replayed
    assert len(passes) == 3
    np.testing.assert_array_equal(session.mask, before)


def test_a_file_that_changed_is_read_again(folder: Path) -> None:
    pictures, entry = (
        Pictures(segmenter_for(ColourNetwork()), lambda picture: None),
        list_images(folder)[0],
    )
    old = pictures.get(entry)
    Image.fromarray(255 - shapes_image()).save(entry.path)
    assert (pictures.get(entry).pyramid.image != old.pyramid.image).any()


def test_whoever_waits_for_a_large_image_leaves_the_others_alone(
    annotating: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a file is held up, fifty thumbnails and twenty openings of it wait; the open image
    takes a change."""
    annotator, ids = annotating.annotator, annotating.ids()
    annotating.open("shapes.png")
    release = threading.Event()
    for name in ("read_image", "read_thumbnail"):
        real = getattr(pictures_module, name)
        monkeypatch.setattr(
            pictures_module, name, lambda *given, real=real: (release.wait(20), real(*given))[1]
        )
    click = {"op": "click", "revision": 0, "object": None, "clicks": [{"x": 56, "y": 54}]}

    async def crowd() -> tuple[Any, list[Any]]:
        entry = annotator.entry(ids["sub/other.png"])
        waiting = [asyncio.create_task(annotator.thumbnail(entry)) for _ in range(50)]
        waiting += [asyncio.create_task(annotator.open(entry.id)) for _ in range(20)]
        await asyncio.sleep(0.05)
        changed = await asyncio.wait_for(annotator.change(ids["shapes.png"], click), 20)
        assert not any(task.done() for task in waiting)
        release.set()
        return changed, await asyncio.gather(*waiting)

    changed, answers = asyncio.run(crowd())
    assert changed["object"] == "o1"
    assert len(answers) == 70


class TestSessions:
    def test_what_was_seen_before_costs_no_prediction(
        self, folder: Path, counted: tuple[Segmenter, list[int]]
    ) -> None:
        """Undo and redo are look-ups; a changed click replays only from there on."""
        predictor, passes = counted
        sessions = Sessions(predictor)
        picture = Pictures(predictor, sessions.forget).get(list_images(folder)[0])
        sessions.at(picture, None, CLICKS)
        assert len(passes) == 3
        sessions.at(picture, None, CLICKS[:2])
        sessions.at(picture, None, CLICKS)
        assert len(passes) == 3
        sessions.at(picture, None, (*CLICKS[:2], (Click(21.5, 100.5, False),)))
        assert len(passes) == 4
        sessions.at(picture, None, ((MaskEdit.of(np.zeros((120, 160), bool)), *CLICKS[0]),))
        assert len(passes) == 5

    def test_sessions_beyond_the_budget_are_played_again(
        self, folder: Path, counted: tuple[Segmenter, list[int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("vtmr.app.sessions._BUDGET_BYTES", 0)  # keeps the least: four
        predictor, passes = counted
        sessions = Sessions(predictor)
        picture = Pictures(predictor, sessions.forget).get(list_images(folder)[0])
        clicks = (*CLICKS, *((Click(x, 54.5),) for x in (58.5, 60.5, 62.5)))
        sessions.at(picture, None, clicks)
        passes.clear()
        sessions.at(picture, None, clicks[:1])
        assert len(passes) == 1
        sessions.at(picture, None, clicks)
        assert len(passes) == 1


@pytest.mark.parametrize("kind", ["grey", "16 bit", "palette", "alpha", "one bit", "cmyk"])
def test_images_of_every_kind_open_and_answer(
    folder: Path, start: Callable[..., Any], kind: str
) -> None:
    colour = Image.fromarray(shapes_image())
    wide = (np.asarray(colour.convert("L")).astype(np.uint16) * 257).astype(np.uint16)
    made = {
        "grey": colour.convert("L"),
        "16 bit": Image.fromarray(wide),
        "palette": colour.convert("P"),
        "alpha": colour.convert("RGBA"),
        "one bit": colour.convert("1"),
        "cmyk": colour.convert("CMYK"),
    }[kind]
    made.save(folder / ("odd.tif" if kind == "cmyk" else "odd.png"))
    annotating = start(folder)
    (name,) = (name for name in annotating.ids() if name.startswith("odd"))
    document = annotating.open(name)["document"]
    assert (document["width"], document["height"]) == (160, 120)
    for path in ("thumbnail.jpg", "tiles/0/0/0.jpg"):
        assert (
            annotating.http.get(f"/api/v1/images/{document['image']}/{path}").headers[
                "content-type"
            ]
            == "image/jpeg"
        )
    assert annotating.click(name)["masks"]["o1"]["box"]
