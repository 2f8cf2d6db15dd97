"""A process's own folder among the temporary files, and the removal of those whose process was
killed: they hold gigabytes, and nobody else would."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

_LOCK = "lock"
_YOUNG_S = 60.0  # a folder that new may not be locked yet


class OwnFolder:
    """Made at once and removed by `close`; while it is held, its lock says so."""

    def __init__(self, kind: str) -> None:
        """kind: what the folder's name says after `vtmr-`. Older ones of the kind that nobody holds
        are removed."""
        prefix = f"vtmr-{kind}-"
        for other in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            _remove_if_left(other)
        self._folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.path = Path(self._folder.name)
        self._lock = (self.path / _LOCK).open("w")
        _locked(self._lock)

    def close(self) -> None:
        self._lock.close()
        self._folder.cleanup()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _remove_if_left(folder: Path) -> None:
    """Removes a folder whose lock nobody holds; one that isn't ours to look into stays."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime < _YOUNG_S:
            return
        with (folder / _LOCK).open("r+") as lock:
            if _locked(lock):
                shutil.rmtree(folder, ignore_errors=True)


def _locked(file: IO[str]) -> bool:
    """Locks the file for as long as it is open. Whether it could be; never where the system has no
    such locks."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return False
    try:
        # The kernel lets go of it when the process ends, however that comes.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
