"""Where the image of a task is: in the task itself, in a folder that was opened, or on the Label
Studio server. Nothing else is read."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from vtmr.errors import InputError
from vtmr.images.stream import plain_file
from vtmr.plugins.labelstudio.host import MOST_BYTES, Host, too_large
from vtmr.serving.answers import Refusal
from vtmr.serving.bodies import bad_request, shown

_UPLOADS = "/data/upload/"  # each under a name of its own, whose content never changes
_LOCAL_FILES = "/data/local-files/"


@dataclass(frozen=True, slots=True)
class Found:
    """An image file that can be read. name: errors call it; version: two files of the same are
    the same, None where only their bytes tell."""

    name: str
    version: Hashable | None
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Sources:
    """What may be read. host: None without a Label Studio server; folder: that which Label Studio
    serves local files from (its LOCAL_FILES_DOCUMENT_ROOT), None where the server is asked."""

    host: Host | None = None
    folder: Path | None = None

    def find(self, value: object) -> Found:
        """The image that a task's field names. Raises Refusal; `read` of the answer too."""
        if isinstance(value, list):
            raise bad_request(
                f"The task has a list of {len(value)} images: expected one image a task."
            )
        if not isinstance(value, str) or not value.strip():
            raise bad_request(f"The task's image is {shown(value)}: expected its address.")
        value = value.strip()
        if value[:5].lower() == "data:":
            return _in_the_task(value)
        try:
            parts = urlsplit(value)
            address = self.host.address(value) if self.host is not None else None
        except ValueError as error:
            raise bad_request(f"The task's image {shown(value)} is no address.") from error
        is_path = not parts.scheme and not parts.netloc
        if is_path and not parts.path.startswith("/"):
            raise bad_request(
                f"The task's image {shown(value)} is no address: expected one that begins with "
                "/data/, http or data:."
            )
        ours = address is not None or is_path
        if ours and self.folder is not None and parts.path.endswith(_LOCAL_FILES):
            return _in_the_folder(self.folder, parts.query)
        if address is None or self.host is None:
            raise self._elsewhere(value, on_the_host=is_path)
        host, version = self.host, address if _UPLOADS in parts.path else None
        return Found(_file_name(parts.path), version, lambda: host.read(address))

    def _elsewhere(self, value: str, *, on_the_host: bool) -> Refusal:
        if self.host is None and on_the_host:
            return bad_request(
                f"The task's image {shown(value)} is on the Label Studio server: start vtmr serve "
                "label-studio with --label-studio and its address."
            )
        known = f" at {self.host.url}" if self.host is not None else ", which isn't configured"
        return bad_request(
            f"The task's image {shown(value)} is on another server than Label Studio{known}: vtmr "
            "reads none but that. Upload the image, or serve it as a local file."
        )


def _in_the_task(url: str) -> Found:
    """A data URL. Raises Refusal."""
    head, comma, body = url.partition(",")
    if not comma:
        raise bad_request(
            "The task's image is a data URL without a comma: expected base64 after it."
        )
    try:
        data = unquote_to_bytes(body)
        if head.lower().endswith(";base64"):
            # Long base64 often comes in lines, whose ends the strict decoder refuses.
            data = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"The task's image is a data URL that isn't base64: {error}.") from error
    version = hashlib.sha256(data).hexdigest()
    return Found("The task's image", version, lambda: data)


def _in_the_folder(folder: Path, query: str) -> Found:
    """A local file: `?d=` and its path in the folder. Raises Refusal."""
    wanted = parse_qs(query).get("d", [""])[0]
    try:
        root = folder.resolve(strict=True)
        # Without its slash: joined as it is, an absolute path would take the root's place.
        path = (root / wanted.lstrip("/")).resolve()
        # What lies elsewhere isn't even looked for.
        if not path.is_relative_to(root) or path == root:
            raise bad_request(
                f"The local file {shown(wanted)} isn't in the folder of --local-files: expected "
                "one that is."
            )
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise bad_request(f"The local file {shown(wanted)} can't be read: {reason}.") from error
    version = (str(path), status.st_mtime_ns, status.st_size)
    return Found(path.name, version, lambda: _content(path))


def _content(path: Path) -> bytes:
    """Raises Refusal."""
    try:
        with plain_file(path) as stream:
            data = stream.read(MOST_BYTES + 1)
    except InputError as error:
        raise bad_request(f"The local file {path.name!r} can't be read.") from error
    if len(data) > MOST_BYTES:
        raise too_large()
    return data


def _file_name(path: str) -> str:
    return path.rpartition("/")[2] or "The task's image"
