"""Annotation formats in and out. Each writer gives files as bytes by name; the caller decides where
they go."""

from __future__ import annotations

from vtmr.formats.records import AnnotatedImage, Annotation, Files
from vtmr.formats.writers import FORMATS, write

__all__ = ["FORMATS", "AnnotatedImage", "Annotation", "Files", "write"]
