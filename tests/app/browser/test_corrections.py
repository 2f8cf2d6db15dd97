"""The two ways of correcting side by side: what either shows at rest is what its click makes."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from desk import Desk
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
Photo = Callable[..., Desk]
SQUARE = ((200, 150), (260, 150), (260, 210), (200, 210), (200, 150))  # on the cup
CUP = (290, 235)


def told(desk: Desk, way: str) -> tuple[int, int]:
    """Pixels that come and go, as the button of that way says."""
    small = desk.page.locator(f"#way-{way} small")
    expect(small).to_contain_text("px")
    text = small.inner_text().replace(",", "")
    numbers = [re.search(rf"\{sign}(\d+)", text) for sign in ("+", "−")]
    return tuple(int(found[1]) if found else 0 for found in numbers)  # type: ignore[return-value]


def test_either_way_shows_what_its_click_makes(photo: Photo) -> None:
    desk = photo("coffee").press("a").drag(*SQUARE).press("c")
    before = desk.mask()
    here, refit = (desk.page.locator(f"#way-{way}") for way in ("here", "refit"))
    expect(here).to_have_attribute("aria-pressed", "true")  # of a mask that was drawn
    place = desk.window_point(*CUP)
    for way in ("here", "refit"):
        desk.page.locator(f"#way-{way}").click()
        desk.page.mouse.move(place[0] + 20, place[1])
        desk.page.mouse.move(*place)
        come, go = told(desk, way)
        told(desk, "refit" if way == "here" else "here")  # the other one shows its own
        desk.page.mouse.click(*place)
        after = desk.ready().mask()
        assert np.count_nonzero(after & ~before) == come
        assert np.count_nonzero(before & ~after) == go
        desk.press("Control+z")
    expect(refit).to_have_attribute("aria-pressed", "true")
    desk.press("k")
    expect(here).to_have_attribute("aria-pressed", "true")
