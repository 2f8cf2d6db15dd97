"""vtmr's doors for other tools, each called as its own users call it.

`BAD` of a door holds what it must refuse, by a name; `refusal` sends it, checks that the error has
the tool's own form, and returns its text.
"""

from __future__ import annotations

from doors.batch import BatchDoor
from doors.cvat import CvatDoor, NuclioDoor
from doors.door import Door, Prompt
from doors.napari import NapariDoor
from doors.own import CommandDoor, PythonDoor, SamDoor
from doors.web import HttpDoor, LabelStudioDoor

__all__ = ["DOORS", "Door", "Prompt"]

DOORS: dict[str, type[Door]] = {
    "Python": PythonDoor,
    "command line": CommandDoor,
    "SAM-style": SamDoor,
    "HTTP": HttpDoor,
    "batch": BatchDoor,
    "CVAT": CvatDoor,
    "CVAT, serverless": NuclioDoor,
    "Label Studio": LabelStudioDoor,
    "napari": NapariDoor,
}
