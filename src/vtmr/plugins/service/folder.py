"""Files by the hash of what they were made of, bounded in bytes, shared by all processes of the
service."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class BoundedFolder:
    """Whoever uses a file touches it; those that nobody has touched for longest make room.

    A file that a process has mapped stays readable there after it was removed.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self.path, self.most_bytes = path, most_bytes

    def touched(self, name: str) -> Path | None:
        """The file of that name, used just now; None where there is none."""
        path = self.path / name
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def keep(self, part: Path, name: str) -> Path:
        """Takes a finished file, which lies beside, under that name; older ones make room."""
        path = self.path / name
        # In one move: another process sees the whole file or none.
        part.replace(path)
        os.utime(path)
        self._make_room(name)
        return path

    def drop(self, name: str) -> bool:
        """Removes the file. Whether there was one."""
        try:
            (self.path / name).unlink()
        except FileNotFoundError:
            return False
        return True

    @property
    def nbytes(self) -> int:
        """Of all its files together."""
        return sum(size for _, size, _ in self._files())

    def __len__(self) -> int:
        return len(self._files())

    def _make_room(self, newest: str) -> None:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, name in files:
            if total <= self.most_bytes:
                return
            # Never the one that was just added: whoever sent it is about to ask about it.
            if name != newest and self.drop(name):
                total -= size

    def _files(self) -> list[tuple[int, int, str]]:
        """When each was used last, its bytes, its name."""
        found = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process made room
                    status = entry.stat()
                    found.append((status.st_mtime_ns, status.st_size, entry.name))
        return found
