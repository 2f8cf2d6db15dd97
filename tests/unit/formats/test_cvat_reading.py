"""CVAT's XML: what it says becomes masks, and what is wrong costs itself alone.

The files are written by hand after the format's description; the masks that they mean are known
from their coordinates.
"""

from __future__ import annotations

import pytest
from foreignfiles import assert_masks, block, cvat, only, source

from vtmr.errors import InputError
from vtmr.formats import read


def test_masks_polygons_boxes_and_ellipses() -> None:
    """The mask is 2 x 3 pixels with one missing, as in CVAT's own documentation."""
    found, said = only(
        read(
            "cvat",
            source(
                cvat(
                    '<mask label="m" rle="0, 4, 1, 1" left="5" top="6" width="3" height="2" '
                    'z_order="3"/>',
                    '<polygon label="p" points="10,10;20,10;20,20;10,20"/>',
                    '<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>',
                    '<box label="turned" xtl="30" ytl="20" xbr="40" ybr="24" rotation="90"/>',
                    '<ellipse label="e" cx="50.5" cy="30.5" rx="1.2" ry="0.4"/>',
                    '<points label="x" points="1,1"/><tag label="t"/><new label="n"/>',
                    '<polygon label="bad" points="1,1;2"/>',
                )
            ),
        )
    )
    mask = block(6, 5, 8, 8)
    mask[7, 6] = False
    wanted = {
        "p": block(10, 10, 20, 20),
        "b": block(5, 30, 9, 40),
        "turned": block(17, 33, 27, 37),
        "e": block(30, 49, 31, 52),
        "m": mask,
    }
    assert_masks(found, wanted)
    for sentence in (
        "sub/a.jpg: 1 points left out: it has no area.",
        "sub/a.jpg: 1 new left out: it is unknown.",
        "annotations.xml: 2 boxes came as filled shapes.",
        "sub/a.jpg: the polygon number 9 was left out. A polygon has fewer than three points: "
        "expected x1, y1, x2, y2, x3, y3, …",
    ):
        assert sentence in said


@pytest.mark.parametrize(
    "attributes",
    [
        'rle="0, 4" left="5" top="6" width="3" height="2"',
        'rle="0, -4, 10" left="5" top="6" width="3" height="2"',
        'rle="6" left="58" top="6" width="3" height="2"',
        'rle="x" left="5" top="6" width="3" height="2"',
        'rle="9" left="5" top="6" width="0" height="2"',
        'left="5" top="6" width="3"',
        f'rle="{"1," * 99}1" left="5" top="6" width="3" height="2"',
        f'rle="{"9" * 9999}" left="5" top="6" width="3" height="2"',
    ],
)
def test_a_bad_mask_costs_itself_alone(attributes: str) -> None:
    good = '<box label="b" xtl="30" ytl="5" xbr="40" ybr="9"/>'
    files = cvat(f'<mask label="m" {attributes}/>', good)
    found, said = only(read("cvat", source(files)))
    assert_masks(found, {"b": block(5, 30, 9, 40)})
    assert any("sub/a.jpg: the mask number 1 was left out." in one for one in said)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<annotations><track/></annotations>", "XML for videos"),
        ("<coco/>", "begins with <coco>"),
        ("<annotations><image></annotations>", "isn't XML that can be read: mismatched tag"),
        ("", "isn't XML that can be read: no element found"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>',
            "declares a document type or entities",
        ),
        (
            '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>',
            "declares a document type or entities",
        ),
    ],
)
def test_other_files_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read("cvat", source({"a.xml": text}))


def test_an_xml_of_another_kind_among_others_is_named() -> None:
    files = {
        **cvat('<box label="b" xtl="1" ytl="1" xbr="4" ybr="9"/>'),
        "pom.xml": "<project/>",
    }
    _, said = only(read("cvat", source(files)))
    assert any(one.startswith("pom.xml was left out.") for one in said)
