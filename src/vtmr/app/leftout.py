"""What the list of a folder's images leaves out, and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

_KEPT = 200  # names of each kind that are told

# Kinds, in the order in which they are told, with the sentence about each.
WHY = {
    "format": "Pictures of a format that vtmr doesn't read: convert them to TIFF, PNG or JPEG.",
    "heif": "HEIC photos, which need pillow-heif: pip install pillow-heif, then start again.",
    "link": "Links, which may lead out of the folder: --follow-links takes those to images and "
    "folders.",
    "broken": "Links that lead nowhere, or round in a circle.",
    "folder": "Folders that may not be listed.",
    "special": "Pipes, devices and the like in the place of images.",
    "many": "Images beyond the first 100,000.",
    "mask": "Masks: each is offered with the image that it belongs to.",
    "other": "Files that aren't images.",
}
# What photographers and laboratories have, and no decoder here reads.
FOREIGN = frozenset(
    (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw")
    + (".psd", ".psb", ".xcf", ".svg", ".eps", ".ai", ".pdf", ".ico", ".tga", ".exr", ".hdr")
    + (".dcm", ".nii", ".mhd", ".nrrd", ".czi", ".lif", ".nd2", ".svs", ".ndpi", ".vsi")
    + (".jxl", ".jxr", ".heics", ".avifs", ".mp4", ".mov", ".avi", ".mkv")
)


class LeftOut:
    """Names by kind: the first few, and how many there are."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[str, list[str]] = {}

    def add(self, kind: str, name: str) -> None:
        """kind: a key of WHY."""
        self.counts[kind] += 1
        kept = self._names.setdefault(kind, [])
        if len(kept) < _KEPT:
            kept.append(name)

    def to_json(self) -> list[dict[str, Any]]:
        """A record per kind: why, how many, and the first names."""
        return [
            {"why": why, "count": self.counts[kind], "names": self._names[kind]}
            for kind, why in WHY.items()
            if self.counts[kind]
        ]
