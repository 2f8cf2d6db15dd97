"""Annotation formats in and out. Each writer gives files as bytes by name, and the caller decides
where they go; each reader gives images with their objects not decoded yet."""

from __future__ import annotations

from vtmr.formats.records import AnnotatedImage, Annotation, Files
from vtmr.formats.registry import FORMATS, READERS, WRITERS, Format, read, write

__all__ = [
    "FORMATS",
    "READERS",
    "WRITERS",
    "AnnotatedImage",
    "Annotation",
    "Files",
    "Format",
    "read",
    "write",
]
