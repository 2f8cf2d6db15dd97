"""What is asked of each object, and what came of it: the records that cross processes and go to
disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vtmr.formats import Annotation
from vtmr.masks import RunLengths
from vtmr.types import BoxPrompt, Click, Correction


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of one object: a box or a rough mask to begin with, and clicks in their order.

    object: its name in messages and records. outline: the rough mask as COCO has it, JSON text that
    is decoded once the image's size is known. mask_path: the file that holds it otherwise. score:
    what the detector that found it says of it. crowd: COCO's iscrowd.
    """

    object: str
    label: str
    clicks: tuple[Click, ...] = ()
    box: BoxPrompt | None = None
    outline: str | None = None
    mask_path: Path | None = None
    score: float | None = None
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class ImageTask:
    """One image with all that is asked of it.

    name: its path below the folder that all images share, with forward slashes.
    """

    name: str
    path: Path
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mask depends on besides its prompts and its image.

    model_sha256: of the model file; correction: of clicks on rough masks that name none.
    """

    model: str
    model_sha256: str
    correction: Correction
    version: str


@dataclass(frozen=True, slots=True)
class Made:
    """A mask that was made, or kept. kept: a rough mask that nothing better was found for."""

    object: str
    annotation: Annotation
    score: float | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What there is no mask of, and why, as a sentence. object: "" for all of the image's."""

    image: str
    object: str
    reason: str

    def in_words(self) -> str:
        """One line for a terminal."""
        where = f"{self.image}, object {self.object}" if self.object else self.image
        return f"{where}: {self.reason}" if where else self.reason


@dataclass(frozen=True, slots=True)
class Answered:
    """An image's masks. key: of the task that it answers; see `key_of`."""

    name: str
    key: str
    height: int
    width: int
    made: tuple[Made, ...]
    failures: tuple[Failure, ...]

    @property
    def was_read(self) -> bool:
        """Whether the image could be read; one that couldn't is tried again by the next run."""
        return self.height > 0


def key_of(task: ImageTask, settings: Settings) -> str:
    """A digest of everything that the task's masks depend on: where it is the same, they are.

    Files count by their size and by when they were changed.
    """
    prompts = [asdict(prompt) for prompt in task.prompts]
    files = [task.path]
    files += [prompt.mask_path for prompt in task.prompts if prompt.mask_path is not None]
    told = json.dumps(
        [asdict(settings), task.name, prompts, [_state_of(path) for path in files]], default=str
    )
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _state_of(path: Path) -> list[int]:
    """Empty for a file that can't be looked at, which will be told when it is read."""
    try:
        found = path.stat()
    except OSError:
        return []
    # Not their bytes: then every image would be read before the first is answered.
    return [found.st_size, found.st_mtime_ns]


def to_line(answered: Answered) -> str:
    """One line of JSON, with its line end."""
    objects = []
    for made in answered.made:
        runs = made.annotation.runs
        objects.append(
            {
                "object": made.object,
                "label": made.annotation.label,
                "score": made.score,
                "crowd": made.annotation.crowd,
                "kept": made.kept,
                "segmentation": {
                    "size": [runs.height, runs.width],
                    "counts": runs.counts.decode("ascii"),
                },
            }
        )
    document = {
        "image": answered.name,
        "key": answered.key,
        "width": answered.width,
        "height": answered.height,
        "objects": objects,
        "failures": [[failure.object, failure.reason] for failure in answered.failures],
    }
    return json.dumps(document) + "\n"


def from_line(line: str) -> Answered:
    """The inverse. Raises ValueError, KeyError or TypeError for anything else."""
    document: dict[str, Any] = json.loads(line)
    name = document["image"]
    made = tuple(_made(entry) for entry in document["objects"])
    failures = tuple(Failure(name, object_id, why) for object_id, why in document["failures"])
    return Answered(name, document["key"], document["height"], document["width"], made, failures)


def _made(entry: dict[str, Any]) -> Made:
    height, width = entry["segmentation"]["size"]
    runs = RunLengths(height, width, entry["segmentation"]["counts"].encode("ascii"))
    annotation = Annotation(entry["label"], runs, entry["crowd"])
    return Made(entry["object"], annotation, entry["score"], entry["kept"])
