"""What any server of ours is made safe with: who may ask, how much, how many at once, and the
records on the wire."""

from __future__ import annotations
