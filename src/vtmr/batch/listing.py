"""From files of prompts to one task an image: which image each prompt is of, and which are left
out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vtmr.batch.cocoprompts import as_instances, parse_results, prompts_of
from vtmr.batch.csvprompts import read_csv
from vtmr.batch.records import Failure, ImageTask, Prompt
from vtmr.errors import InputError
from vtmr.formats.coco import CocoFile
from vtmr.formats.placing import place


@dataclass(slots=True)
class Listing:
    """What is to be done. tasks: by the image's name, in order; notes: sentences on what was passed
    over without costing anything."""

    tasks: list[ImageTask] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What the files hold, by the images' names as they have them."""

    prompts: dict[str, list[Prompt]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, prompts: Mapping[str, Sequence[Prompt]], failures: Sequence[Failure]) -> None:
        for name, several in prompts.items():
            self.prompts.setdefault(name, []).extend(several)
        self.failures += failures


def read_prompts(
    paths: Sequence[Path], images: Mapping[str, Path], root: Path, min_score: float | None = None
) -> Listing:
    """The tasks that the files of prompts set for the images.

    Args:
        paths: CSV files, COCO instance files and COCO results, told apart by what they hold. Beside
            results, an instance file says only what images and categories their ids mean.
        images: Files by name, which is the path below `root` with forward slashes.
        root: The folder that all images are below of.
        min_score: Prompts with a lower score are left out; those without one stay.

    Raises:
        InputError: For a file that can't be read as what it seems to be.
    """
    found = _read(paths, list(images))
    listing = Listing(failures=found.failures, notes=found.notes)
    placed = place(found.prompts, list(images), root, any_suffix=True)
    by_image: dict[str, list[Prompt]] = {}
    for name, prompts in found.prompts.items():
        if name in placed.files:
            by_image.setdefault(placed.files[name], []).extend(prompts)
        else:
            reason = placed.reasons.get(name, f"{name}: there is no image of that name.")
            listing.failures.append(_of_all(name, len(prompts), reason))
    below = 0
    for name in sorted(by_image):
        prompts = [prompt for prompt in by_image[name] if _scores(prompt, min_score)]
        below += len(by_image[name]) - len(prompts)
        if prompts:
            listing.tasks.append(ImageTask(name, images[name], tuple(prompts)))
    if below:
        listing.notes.append(f"{below:,} prompts score less than {min_score:g} and are left out.")
    unasked = len(images.keys() - {task.name for task in listing.tasks})
    if unasked:
        listing.notes.append(f"{unasked:,} of {len(images):,} images have no prompts.")
    return listing


def _read(paths: Sequence[Path], names: Sequence[str]) -> _Found:
    found = _Found()
    instances: list[CocoFile] = []
    results = []
    for path in paths:
        content = _content(path)
        try:
            if not _is_json(content):
                told = read_csv(path, content)
                found.add(told.prompts, told.failures)
                found.notes += told.notes
                continue
            entries = parse_results(content)
            if entries is None:
                instances.append(CocoFile.parse(content))
            else:
                results.append((path, entries))
        except InputError as error:
            raise _with_path(path, error) from error
    if len(instances) > 1 and results:
        raise InputError(
            f"{len(instances)} instance files are given beside results: expected one, which says "
            "what their ids mean."
        )
    # Only now: the instance file may be named after the results that need it.
    for path, entries in results:
        try:
            found.add(*prompts_of(as_instances(entries, next(iter(instances), None), names)))
        except InputError as error:
            raise _with_path(path, error) from error
    if not results:
        for coco in instances:
            found.add(*prompts_of(coco))
    return found


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from error


def _is_json(content: bytes) -> bool:
    """Whether it begins as a JSON object or list does, in UTF-8 or, with zero bytes, UTF-16."""
    start = content[:200].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    return start[:1] in (b"{", b"[")


def _with_path(path: Path, error: InputError) -> InputError:
    told = str(error)
    return error if told.startswith(str(path)) else InputError(f"{path}: {told}")


def _of_all(name: str, count: int, reason: str) -> Failure:
    """One failure for all prompts of an image."""
    several = f" ({count:,} objects)" if count > 1 else ""
    return Failure("", "", f"{reason.rstrip('.')}{several}.")


def _scores(prompt: Prompt, least: float | None) -> bool:
    return least is None or prompt.score is None or prompt.score >= least
