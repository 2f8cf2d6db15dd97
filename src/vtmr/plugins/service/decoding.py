"""Decoding beside the service: in processes of their own, small images in one, large ones in
another, each with limits of memory and time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vtmr.errors import InputError
from vtmr.plugins.service.limits import MEGABYTE, Limits
from vtmr.serving.worker import Pool

LARGE_PIXELS = 30 * MEGABYTE
_SMALL_NICENESS, _LARGE_NICENESS = 5, 10
_PATIENCE = 10  # times as long by the clock: it gives way to everybody else
_OUT_OF_TIME = -getattr(signal, "SIGPROF", 0) or None  # see decoder.bounded_cpu
_WAITING = 32


class _Child:
    """One decoding process, one job at a time; begun anew after it was lost."""

    def __init__(self, limits: Limits, niceness: int) -> None:
        self._seconds = limits.decode_s
        numbers = (limits.decoder_mb, niceness, self._seconds)
        self._arguments = [str(number) for number in numbers]
        self._process: subprocess.Popen[str] | None = None
        self._mutex = threading.Lock()

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises InputError for what can't be decoded within the limits."""
        with self._mutex:
            process = self._running()
            # The child bounds its own time on a core. This is for one that waits, and for systems
            # without such a timer.
            clock = threading.Timer(_PATIENCE * self._seconds, process.kill)
            clock.daemon = True
            clock.start()
            line = _exchanged(process, json.dumps(job))
            too_slow = clock.finished.is_set()
            clock.cancel()
            if not line:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1)  # its stdout has ended, so it is about to
                too_slow = self._end(process) == _OUT_OF_TIME or too_slow
        if not line:
            reason = f"takes longer than {self._seconds} s" if too_slow else "ended the decoder"
            raise InputError(
                f"The image {reason}, and can't be used: save it anew, as PNG or JPEG, and smaller."
            )
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise InputError(found["error"])
        return found

    def start(self) -> None:
        """So that the first image doesn't wait for it."""
        with self._mutex:
            self._running()

    def close(self) -> None:
        process = self._process
        if process is not None:
            self._end(process)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            command = [sys.executable, "-m", "vtmr.plugins.service.decoder", *self._arguments]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Libraries grumble about strangers' files there, which is nobody's news.
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
        return self._process

    def _end(self, process: subprocess.Popen[str]) -> int:
        """The exit code: its own, where it has ended already."""
        self._process = None
        # It may be killed at any time: the files that it writes are the asker's to remove.
        process.kill()
        code = process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what it wasn't told any more
                    stream.close()
        return code


class Decoding:
    """What is to be decoded, in the order in which it came, small and large images apart."""

    def __init__(self, limits: Limits) -> None:
        self._most_pixels = limits.megapixels * MEGABYTE
        self._small, self._large = (
            _Child(limits, _SMALL_NICENESS),
            _Child(limits, _LARGE_NICENESS),
        )
        self._small_turns, self._large_turns = (
            Pool("vtmr-decode", 1, waiting=_WAITING, most=1, what="images"),
            Pool("vtmr-decode-large", 1, waiting=_WAITING, most=1, what="large images"),
        )

    def start(self) -> None:
        """Starts the process for small images, which takes half a second, before one is there."""
        self._small.start()

    async def measure(self, file: Path) -> tuple[int, int]:
        """Height and width by the header, however large.

        Raises InputError for what is no image, Refusal (503) when too many wait.
        """
        job = {"job": "measure", "file": str(file)}
        found = await self._small_turns.run(lambda: self._small.ask(job))
        return found["height"], found["width"]

    async def decode(self, file: Path, scene: Path, pixels: int) -> None:
        """Writes the scene. pixels: as many as the file was measured to have. Raises as
        `measure`."""
        job = {
            "job": "decode",
            "file": str(file),
            "scene": str(scene),
            "most_pixels": self._most_pixels,
        }
        if pixels < LARGE_PIXELS:
            await self._small_turns.run(lambda: self._small.ask(job))
        else:
            await self._large_turns.run(lambda: self._large.ask(job))

    async def decode_mask(self, file: Path, height: int, width: int) -> bytes:
        """A mask file's run lengths, as COCO compresses them. Raises as `measure`."""
        job = {"job": "decode_mask", "file": str(file), "height": height, "width": width}
        if height * width < LARGE_PIXELS:
            found = await self._small_turns.run(lambda: self._small.ask(job))
        else:
            found = await self._large_turns.run(lambda: self._large.ask(job))
        return str(found["counts"]).encode("ascii")

    def close(self) -> None:
        """Ends both processes; what they had to do is dropped."""
        for pool in (self._small_turns, self._large_turns):
            pool.close()
        for child in (self._small, self._large):
            child.close()


def _exchanged(process: subprocess.Popen[str], line: str) -> str:
    """The answer to a line; "" where the process ended first."""
    if process.stdin is None or process.stdout is None:
        return ""
    try:
        print(line, file=process.stdin, flush=True)
        return process.stdout.readline()
    except (OSError, ValueError):  # ValueError: closed meanwhile
        return ""
