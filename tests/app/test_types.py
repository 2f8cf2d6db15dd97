"""The page's own types of what the server sends are those of the API's schema, name by name."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest

APP = files("vtmr.app")
SCHEMAS: dict[str, Any] = json.loads(APP.joinpath("openapi.json").read_text())["components"][
    "schemas"
]
TYPES = APP.joinpath("static", "js", "wire.d.ts").read_text()
# The page's name, and the schema's where that would mean something else in a browser.
NAMES = {
    "WireMask": "Mask",
    "Click": "Click",
    "AnnotatedObject": "Object",
    "ImageDocument": "Document",
    "Opened": "Opened",
    "Changed": "Changed",
    "Project": "Project",
    "ImageEntry": "Image",
    "ImageList": "Images",
    "Label": "Label",
    "LabelsChanged": "LabelsChanged",
    "Wish": "Wish",
    "Look": "Look",
    "Imported": "Imported",
    "Exported": "Exported",
}


def fields(name: str) -> dict[str, bool]:
    """The fields of an interface, those that it extends among them; whether each must be there."""
    found = re.search(
        rf"^export interface {name}(?: extends (\w+))? {{\n(.*?)^}}", TYPES, re.M | re.S
    )
    assert found, f"wire.d.ts has no interface {name}"
    inherited = fields(found[1]) if found[1] else {}
    own = re.findall(r"^  (\w+)(\??):", found[2], re.M)
    return inherited | {field: not optional for field, optional in own}


@pytest.mark.parametrize("name", NAMES)
def test_fields_are_those_of_the_schema(name: str) -> None:
    schema = SCHEMAS[NAMES[name]]
    required = schema.get("required", [])
    expected = {field: field in required for field in schema["properties"]}
    if name == "Click":
        expected["positive"] = True  # may be left out of what is sent; the page never does
    if name == "Wish":
        expected["format"] = True  # the same
    assert fields(name) == expected


def test_every_interface_is_compared() -> None:
    written = set(re.findall(r"^export interface (\w+)", TYPES, re.M))
    assert written - set(NAMES) == {"Pyramid", "LeftOut", "Values"}  # parts of others in the schema
