"""The token and the port of a folder's last start, kept for its user alone, so that a tab that is
still open goes on after a restart.

They lie in the user's own state folder ($XDG_STATE_HOME, ~/.local/state), not beside the images:
who may look at those need not be who may change their annotations.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from vtmr.app.directory import Directory

_TOKEN = re.compile(r"[\w-]{32,64}", re.ASCII)
_LARGEST = 1000  # bytes
_UNUSED_S = 60 * 24 * 3600.0  # after which a token is no longer good


@dataclass(frozen=True, slots=True)
class Start:
    """What a start was reached by."""

    token: str
    port: int


def kept_start(folder: Path) -> Start | None:
    """The folder's last start by this user, None where nothing that can be trusted is kept."""
    path = _file(folder)
    try:
        place = Directory.open(path.parent)
        descriptor = place.file(path.name)
        with os.fdopen(descriptor, "rb") as file:
            # Of the open file: behind its path another one may have been put since.
            status = os.fstat(descriptor)
            record = json.loads(file.read(_LARGEST))
        token, port = record["token"], record["port"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    old = time.time() - status.st_mtime > _UNUSED_S
    if old or not _is_private(status) or not isinstance(token, str) or type(port) is not int:
        return None
    return Start(token, port) if _TOKEN.fullmatch(token) and 0 < port < 65536 else None


def keep_start(folder: Path, start: Start) -> bool:
    """Keeps it for the next start; whether that was possible."""
    path = _file(folder)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Directory.open(path.parent)
        data = json.dumps({"token": start.token, "port": start.port}).encode()
        place.write(path.name, data, mode=0o600)
        _forget_old(place)
    except OSError:
        return False
    return True


def _file(folder: Path) -> Path:
    # Hashed, as a path may be longer than a file's name can be; resolved, as links lead to it.
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return _state_folder() / "vtmr" / "starts" / f"{name}.json"


def _state_folder() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")


def _is_private(status: os.stat_result) -> bool:
    """Whether the file is this user's and nobody else may read it. Windows keeps a user's own
    folders private by other means."""
    if os.name == "nt":
        return True
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077


def _forget_old(place: Directory) -> None:
    """Removes what hasn't been used for long: folders come and go."""
    for name in place.names():
        status = place.status(name)
        if status is not None and time.time() - status.st_mtime > _UNUSED_S:
            with contextlib.suppress(OSError):
                place.remove(name)
