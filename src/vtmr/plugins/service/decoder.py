"""The process that decodes what strangers sent: one job a line on stdin, its answer a line on
stdout.

It may take so much memory and no more, it gives way to those who answer clicks, and whatever an
image file makes a decoder do happens here. `decoding.py` starts it and ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import cv2

from vtmr.errors import InputError
from vtmr.images import read_image
from vtmr.images.opening import opened
from vtmr.maskfiles import read_mask
from vtmr.masks import RunLengths
from vtmr.plugins.service.scenes import write_scene

Job = Mapping[str, Any]


def measure(job: Job) -> Job:
    """Height and width by the file's header, however large."""
    with opened(job["file"]) as picture:
        return {"height": picture.height, "width": picture.width}


def decode(job: Job) -> Job:
    """Writes the scene beside; its height and width."""
    image = read_image(job["file"], max_pixels=job["most_pixels"])
    with Path(job["scene"]).open("wb") as stream:
        write_scene(stream, image)
    return {"height": image.shape[0], "width": image.shape[1]}


def decode_mask(job: Job) -> Job:
    """The mask's run lengths."""
    runs = RunLengths.encode(read_mask(job["file"], (job["height"], job["width"])))
    return {"counts": runs.counts.decode("ascii")}


JOBS = {"measure": measure, "decode": decode, "decode_mask": decode_mask}


def answer(job: Job, called: str) -> Job:
    """What the job gives, or {"error": one sentence}. called: what the sentence calls the file."""
    try:
        return JOBS[job["job"]](job)
    except (InputError, MemoryError) as error:
        # Readers take whatever a decoder raises for damage.
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            sentence = f"{called} takes more memory to decode than is allowed: scale it down."
        else:
            sentence = str(error).replace(job["file"], called)
        return {"error": sentence}


@contextmanager
def bounded_cpu(seconds: int) -> Iterator[None]:
    """So many seconds of a core and no more: SIGPROF, which nobody catches, ends the process.

    Not of the clock: on a busy machine a process that gives way may wait for long. Where the system
    has no such timer, whoever waits for the answer ends it.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _serve(lines: IO[str], answers: IO[str], seconds: int) -> None:
    for line in lines:
        job = json.loads(line)
        called = "The mask" if job["job"] == "decode_mask" else "The image"
        with bounded_cpu(seconds):
            told = answer(job, called)
        print(json.dumps(told), file=answers, flush=True)


def _bounded(megabytes: int, niceness: int) -> None:
    """Gives this process its limits, where the system has such."""
    # It is to give way: on all cores its threads would slow the clicks all the same.
    cv2.setNumThreads(1)
    if hasattr(os, "nice"):
        os.nice(niceness)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1_000_000,) * 2)
    # A crash on a hostile file mustn't write gigabytes of memory to the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(megabytes: int, niceness: int, seconds: int) -> None:
    """Answers until stdin ends, as it does when the service ends, however that comes."""
    _bounded(megabytes, niceness)
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _serve(sys.stdin, answers, seconds)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
