"""A project's label config: which tag holds the image, which brush takes the masks, and which
labels take away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import bad_request

_MOST_CHARACTERS = 1 << 20
# Labels that take away where the config doesn't mark any, unless the brush has them too.
_TAKING_AWAY = ("negative", "background")


@dataclass(frozen=True, slots=True)
class BrushTag:
    """A <BrushLabels>. labels: empty where a task brings its own."""

    name: str
    image: str
    labels: tuple[str, ...]

    def takes(self, label: str) -> bool:
        """Whether a mask may have that label."""
        return not self.labels or label in self.labels


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What counts of a label config. keys: of each <Image>'s name the field of a task's data;
    negative: (control, label) pairs that take away."""

    keys: Mapping[str, str]
    brushes: tuple[BrushTag, ...]
    negative: frozenset[tuple[str, str]]

    def key(self, image: str) -> str:
        """The field of a task's data that holds that image. Raises Refusal."""
        if image not in self.keys:
            known = ", ".join(self.keys)
            raise bad_request(
                f"The regions are on {image!r}, which is no Image of the label config: expected "
                f"{known}."
            )
        return self.keys[image]

    def brush_for(self, image: str, label: str) -> tuple[BrushTag, str]:
        """The brush on that image that takes the label, and the label of the mask.

        A brush of a single label takes the masks of all keypoints and rectangles. Raises Refusal.
        """
        brushes = [brush for brush in self.brushes if brush.image == image]
        if not brushes:
            raise bad_request(
                f'The label config has no <BrushLabels toName="{image}">, which would take the '
                "masks: add it."
            )
        for brush in brushes:
            if brush.takes(label):
                return brush, label
        if len(brushes) == 1 and len(brushes[0].labels) == 1:
            return brushes[0], brushes[0].labels[0]
        known = ", ".join(name for brush in brushes for name in brush.labels)
        raise bad_request(
            f"No <BrushLabels> has the label {label!r}: give it one of that name. It has {known}."
        )


def parse_config(text: object) -> LabelConfig:
    """Raises Refusal for what is no label config, and for one in which no mask has a place."""
    if not isinstance(text, str) or not text.strip():
        raise bad_request("The label config is missing: expected the project's XML.")
    if len(text) > _MOST_CHARACTERS:
        raise bad_request(
            f"The label config has {len(text)} characters: expected at most {_MOST_CHARACTERS}."
        )
    # Entities can make gigabytes of a few lines, and no label config needs them.
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise bad_request("The label config declares a document type: expected tags alone.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise bad_request(f"The label config is no XML: {error}.") from error
    tags = list(_tags(root))
    keys = dict(_image(told) for kind, told, _ in tags if kind == "image")
    brushes = tuple(_brush(told, inner) for kind, told, inner in tags if kind == "brushlabels")
    if not keys or not brushes:
        missing = '<Image name="image" value="$image"/>' if not keys else "<BrushLabels>"
        raise bad_request(
            f"The label config has no {missing}: masks need an Image and BrushLabels on it."
        )
    return LabelConfig(keys, brushes, frozenset(_negative(tags, brushes)))


_Tag = tuple[str, dict[str, str], list[dict[str, str]]]


def _tags(root: ElementTree.Element) -> Iterator[_Tag]:
    """Every tag: its kind, its attributes and those of the labels in it; names in lower case, as
    Label Studio compares them."""
    for tag in root.iter():
        inner = [_attributes(child) for child in tag.iter() if child.tag.lower() == "label"]
        yield tag.tag.lower(), _attributes(tag), inner


def _attributes(tag: ElementTree.Element) -> dict[str, str]:
    return {name.lower(): value for name, value in tag.attrib.items()}


def _image(told: Mapping[str, str]) -> tuple[str, str]:
    """Name and field. Raises Refusal."""
    name, value = told.get("name", ""), told.get("value", "")
    if told.get("valuelist"):
        raise _several(name)
    if not name or not value.startswith("$") or len(value) < 2:
        raise bad_request(
            f"The label config's <Image> has name {name!r} and value {value!r}: expected a name "
            "and a field of the tasks' data, like $image."
        )
    return name, value[1:]


def _several(name: str) -> Refusal:
    return bad_request(
        f"The <Image> {name!r} shows several images (valueList): expected one image a task, value="
        '"$image".'
    )


def _brush(told: Mapping[str, str], labels: list[dict[str, str]]) -> BrushTag:
    names = tuple(_label(label) for label in labels)
    return BrushTag(told.get("name", ""), told.get("toname", ""), names)


def _label(told: Mapping[str, str]) -> str:
    """As results name it."""
    return told.get("alias") or told.get("value", "")


def _negative(tags: list[_Tag], brushes: tuple[BrushTag, ...]) -> Iterator[tuple[str, str]]:
    """Marked so (negative="true"), or called so where no brush has the name."""
    # A brush called background is for background, whose keypoints take nothing away.
    kept = {name for brush in brushes for name in brush.labels}
    for kind, told, labels in tags:
        if kind != "keypointlabels":
            continue
        for label in labels:
            name = _label(label)
            called = name.lower() in _TAKING_AWAY and name not in kept
            if label.get("negative", str(called)).lower() == "true":
                yield told.get("name", ""), name
