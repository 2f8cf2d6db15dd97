"""One object's history of clicks and edits: immutable, small at any image size, replayable."""

from __future__ import annotations

from vtmr.session.eventlog import EventLog
from vtmr.session.history import NOTHING_TO_TAKE, Session, replay
from vtmr.session.oneline import segment

__all__ = ["NOTHING_TO_TAKE", "EventLog", "Session", "replay", "segment"]
