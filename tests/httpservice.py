"""What tests of the service share: the photo that they send, and a service's parts."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fakes import ColourNetwork, shapes_image
from PIL import Image
from pycocotools import mask as coco_mask

from vtmr.plugins.service.engine import Engine
from vtmr.plugins.service.limits import Limits
from vtmr.segmenter import segmenter_for


def png_of(pixels: Any) -> bytes:
    """An image or a mask as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


PHOTO = png_of(shapes_image())
PHOTO_ID = hashlib.sha256(PHOTO).hexdigest()
ON_ELLIPSE = {"x": 56.5, "y": 54.5}


def engine_in(folder: Path, limits: Limits) -> Engine:
    """With the colour network; two predictions at a time."""
    for name in ("images", "incoming"):
        (folder / name).mkdir(parents=True)
    return Engine(segmenter_for(ColourNetwork()), folder / "images", limits, 2)


PNG, JSON = {"content-type": "image/png"}, {"content-type": "application/json"}


def decoded(record: dict[str, Any]) -> Any:
    """A mask of an answer, by COCO's own tools: bool H x W."""
    return np.asarray(coco_mask.decode(record), np.bool_)


class Process:
    """A running service in a folder for temporary files of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "vtmr.cli", "serve", "--port", "0", *flags]
        environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        self.port = int(address.rstrip("/").rpartition(":")[2])

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, bytes]:
        """On a connection of its own, so that any worker may take it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def mask(self, **more: Any) -> tuple[int, bytes]:
        body = json.dumps({"image_id": PHOTO_ID, "clicks": [ON_ELLIPSE], **more})
        return self.ask("POST", "/v1/masks", body.encode(), JSON)

    def workers(self) -> list[int]:
        """The processes that answer, by their parent."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        pids = [int(word) for word in listed.split()]
        return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """The exit code, and what stderr holds."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said
