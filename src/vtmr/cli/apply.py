"""`vtmr apply`: prompts for many images in, masks out, in a format that other programs read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

import vtmr
from vtmr.app.exports import export_to_folder
from vtmr.app.project import list_images
from vtmr.atomic import exists, is_file, is_folder, true_path, write_atomically
from vtmr.batch import (
    Answered,
    Failure,
    Listing,
    Settings,
    opened,
    read_prompts,
    run,
)
from vtmr.cli import predictors
from vtmr.cli.annotations import write_format
from vtmr.cli.failures import resumable
from vtmr.errors import InputError, needs_extra
from vtmr.formats import FORMATS, AnnotatedImage
from vtmr.formats.records import Summary
from vtmr.runtime import default_threads
from vtmr.segmenter import ModelOptions, Segmenter
from vtmr.teams import Make, Team, on_ray, processes
from vtmr.types import Correction, require_correction

FAILURES = "failures.csv"


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for. min_score: of prompts; jobs: processes; ray: a cluster's
    address."""

    prompts: Sequence[Path]
    images: Sequence[Path]
    out: Path
    form: str
    correction: Correction
    min_score: float | None
    jobs: int
    ray: str | None
    model: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. notes: sentences on what isn't as one might think; failures: what there is
    no mask of."""

    masks: int
    images: int
    kept: int
    notes: list[str]
    failures: list[Failure]

    def in_words(self, out: Path) -> str:
        """One line for a terminal."""
        kept = f" ({self.kept:,} as they were given)" if self.kept else ""
        line = f"{out}: {_count(self.masks, 'mask')}{kept} on {_count(self.images, 'image')}"
        if self.failures:
            line += f", {_count(len(self.failures), 'failure')} in {out / FAILURES}"
        return line

    def sentences(self) -> list[str]:
        """The notes, and the first failures."""
        said = Summary()
        for failure in self.failures:
            said.add("failures", failure.in_words())
        return [*self.notes, *said.sentences()]


def apply_prompts(order: Order) -> Outcome:
    """Makes the masks and writes them into `out`.

    Raises InputError for anything that keeps all of it from being done, CheckpointError for a
    model that can't be loaded, ConfigError for a missing extra.
    """
    _require_order(order)
    files, root = find_files(order.images)
    listing = read_prompts(order.prompts, files, root, order.min_score)
    _require_inputs_kept(order, listing)
    if not listing.tasks:
        first = listing.failures[0].in_words() if listing.failures else "they hold nothing."
        raise InputError(f"The prompts are of none of the {len(files):,} images: {first}")
    options = ModelOptions(threads=_threads(order))
    loaded = predictors.load(order.model, options)
    settings = Settings(loaded.name, loaded.sha256, order.correction, vtmr.__version__)
    here = partial(opened, lambda: loaded.predictor, order.correction)
    # A lambda can't be sent to other processes, and neither can an open model: each loads its own.
    elsewhere = partial(opened, partial(_predictor, order.model, options), order.correction)
    with resumable(
        lambda: (
            f"Interrupted; {order.out} keeps every finished image: run the same command again to "
            "go on."
        )
    ):
        answers = run(
            listing.tasks,
            settings,
            order.out,
            make=here,
            team=_team(order, elsewhere),
            console=Console(stderr=True),
        )
    return _delivered(order, root, listing, answers)


def find_files(given: Sequence[Path]) -> tuple[dict[str, Path], Path]:
    """The images by name, which is the path below the folder that all of them are in, and that
    folder.

    given: image files, and folders, in which links aren't followed. Raises InputError for what
    isn't there and where there is no image.
    """
    found: list[Path] = []
    for path in given:
        if is_folder(path):
            found += [entry.path for entry in list_images(path)]
        elif is_file(path):
            found.append(path.absolute())
        else:
            raise InputError(f"{path} doesn't exist: expected an image or a folder with images.")
    if not found:
        raise InputError(f"There are no images in {', '.join(map(str, given))}.")
    root = Path(os.path.commonpath([path.parent for path in found]))
    return {path.relative_to(root).as_posix(): path for path in found}, root


def _require_order(order: Order) -> None:
    require_correction(order.correction)
    if order.form not in FORMATS:
        raise InputError(
            f"The format {order.form!r} is unknown: expected one of {', '.join(FORMATS)}."
        )
    if order.ray is not None and order.jobs > 1:
        raise InputError(
            f"--jobs {order.jobs} and --ray {order.ray} are given: expected one of them."
        )


def _require_inputs_kept(order: Order, listing: Listing) -> None:
    """Raises InputError where the masks would be written over what they are made of."""
    inputs = {true_path(path) for path in order.prompts}
    for task in listing.tasks:
        inputs.add(true_path(task.path))
        inputs |= {true_path(one.mask_path) for one in task.prompts if one.mask_path is not None}
    blank = [AnnotatedImage(task.name, 1, 1, ()) for task in listing.tasks]
    names = [*write_format(order.form, blank, (), order.out).content, FAILURES]
    for name in names:
        if true_path(order.out / name) in inputs:
            raise InputError(
                f"{order.out / name} would be replaced, which is read here: name another folder "
                "with --out."
            )


def _threads(order: Order) -> int:
    """Of each process's network."""
    # One on a cluster, whose machines aren't known here.
    return 1 if order.ray is not None else default_threads(order.jobs)


def _predictor(model: str, options: ModelOptions) -> Segmenter:
    return predictors.load(model, options).predictor


def _team(order: Order, make: Make) -> Team | None:
    if order.ray is not None:
        with needs_extra("cluster"):
            return on_ray(make, order.ray)
    return processes(make, order.jobs) if order.jobs > 1 else None


def _delivered(order: Order, root: Path, listing: Listing, answers: Sequence[Answered]) -> Outcome:
    """Writes the masks in the format asked for, and the list of failures."""
    read = [answered for answered in answers if answered.was_read]
    images = [_annotated(answered) for answered in read]
    files = write_format(order.form, images, (), order.out)
    export_to_folder(files, order.out, root)
    failures = list(listing.failures)
    for answered in answers:
        failures += answered.failures
    failures += [Failure("", "", sentence) for sentence in files.missing]
    _write_failures(order.out / FAILURES, failures)
    made = [made for answered in read for made in answered.made]
    kept = sum(one.kept for one in made)
    notes = [*listing.notes, *files.warnings]
    return Outcome(len(made), len(read), kept, notes, failures)


def _annotated(answered: Answered) -> AnnotatedImage:
    objects = tuple(made.annotation for made in answered.made)
    return AnnotatedImage(answered.name, answered.height, answered.width, objects)


def _write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """All of them; a list of an earlier run goes when there are none."""
    if not failures:
        if exists(path):
            path.unlink()
        return
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("image", "object", "reason"))
    for failure in failures:
        writer.writerow((failure.image, failure.object, failure.reason))
    write_atomically(path, stream.getvalue().encode("utf-8", "backslashreplace"))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
