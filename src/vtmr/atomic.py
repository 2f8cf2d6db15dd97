"""Files on the user's disk: asked about, and written so that what was there stays whole.

A folder that may not be entered and a disk that is full are no defects of ours: they are told as
InputError. A file is replaced at once or added to, never half overwritten."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from vtmr.errors import InputError, VtmrWarning

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# What a file system answers to a call that it doesn't know.
_NOT_SUPPORTED = getattr(errno, "ENOTSUP", errno.EOPNOTSUPP)  # one number on Linux, two on macOS
_UNKNOWN = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, _NOT_SUPPORTED))
# What a disk answers that fails or is full.
_REFUSED = frozenset((errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS))


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replaces `path` by a file with these bytes, flushed to the disk; what was there stays until
    then.

    Raises InputError when the folder is missing, read-only or full; nothing half-written is left.
    """
    path = Path(path)
    # Without the file's own name, which may be as long as a name can be.
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            flush(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror or error}. Choose another place."
        ) from error
    finally:
        with suppress(OSError):  # it can't be there under a name that can't be
            partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """The folder with those above it, where they are missing.

    Raises InputError when it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} can't be made: {error.strerror or error}. Choose another."
        ) from error


def append(path: str | Path, text: str) -> None:
    """Adds the text to the end of the file, which is made where it is missing.

    Raises InputError.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror or error}. Make room or choose another "
            "place."
        ) from error


def flush(descriptor: int) -> bool:
    """Waits until an open file's bytes are on the disk; False where the file system can't say.

    Raises OSError when the disk refuses.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNKNOWN:
            raise
        return False
    return True


def flush_folder(descriptor: int) -> bool:
    """The same for an open folder's names: SMB, vboxsf, drvfs and some FUSE systems can't.

    Raises OSError when the disk fails or is full.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _REFUSED:
            raise
        return False
    return True


def take_lock(descriptor: int, *, wait: bool = False) -> bool | None:
    """Locks an open file against other processes until it is closed, however that happens.

    True: it is ours. False: another process has it. None: locks don't work here, because the file
    system doesn't know them or Python has none on this system.
    """
    if fcntl is None:
        return None
    try:
        how = fcntl.LOCK_EX
        if not wait:
            how |= fcntl.LOCK_NB
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        return None
    return True


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing into the folder as well, for as long as the block runs.

    The lock goes with its process, however that ends. Where the file system has no locks nothing is
    kept from anybody, and a VtmrWarning says so. Raises InputError when another process has the
    folder, with its number, and when the folder can't be written.
    """
    path = folder / ".lock"
    try:
        file = _locked(path)
    except OSError as error:
        raise InputError(
            f"{path} can't be written: {error.strerror or error}. Choose another place."
        ) from error
    with file:
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()  # while it is ours, so that nobody else's goes


def _locked(path: Path) -> TextIO:
    """The file, locked, with our number in it. Raises InputError when another process has it,
    OSError."""
    while True:
        file = _lock_file(path)
        held = take_lock(file.fileno())
        if held is None:
            warnings.warn(
                f"Locks don't work in {path.parent} (a network disk?): make sure that no other "
                "process writes there at the same time.",
                VtmrWarning,
                stacklevel=4,
            )
        if held is False:
            file.seek(0)
            owner = file.read(20).strip() or "unknown"
            file.close()
            raise InputError(
                f"{path.parent} is being written by process {owner}: wait for it, or name another "
                "folder."
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                return file
        file.close()  # its owner removed it between our opening and our locking


def _lock_file(path: Path) -> TextIO:
    """The file, open. What we write into it mustn't reach another one that a link leads to.

    Raises InputError for a link, a pipe and the like, OSError.
    """
    kind = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | kind, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(f"{path} is a link: remove it, or name another folder.") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise InputError(f"{path} is no plain file: remove it, or name another folder.")
    return os.fdopen(descriptor, "r+", encoding="ascii", errors="replace")


def is_file(path: str | Path) -> bool:
    """Whether there is a file. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.is_file)


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.is_dir)


def exists(path: str | Path) -> bool:
    """Whether there is anything. Raises InputError where the system doesn't let us look."""
    return _asked(Path(path), Path.exists)


def true_path(path: str | Path) -> Path:
    """The absolute path with links followed as far as they lead; a loop of links stays as it is."""
    return Path(os.path.realpath(path))


def _asked(path: Path, question: Callable[[Path], bool]) -> bool:
    try:
        return question(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be looked at: {reason}. Name another place.") from error
