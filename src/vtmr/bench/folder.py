"""A run's folder: what it was made with (run.json), what it plays (objects.json), and whether it
may be continued."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from vtmr import provenance
from vtmr.atomic import exists, make_folder, write_atomically
from vtmr.bench.protocol import ModelInfo, Protocol, Shard
from vtmr.bench.records import RECORDS, ObjectKey, Record, read_records, replace_records
from vtmr.errors import ConfigError, DataError, VtmrError
from vtmr.values import from_values

RUN = "run.json"
OBJECTS = "objects.json"
Settings = dict[str, Any]
Sitting = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a folder says of its run. objects: all of them, in the samples' order, in a shard's
    folder too."""

    protocol: Protocol
    model: ModelInfo
    shard: Shard | None
    objects: tuple[ObjectKey, ...]
    settings: Settings
    sittings: tuple[Sitting, ...]


def settings_of(
    protocol: Protocol, model: ModelInfo, objects: Iterable[ObjectKey], shard: Shard | None = None
) -> Settings:
    """What all records of one folder share: protocol, model, versions, threads, each data set's
    objects, the shard.

    objects: what names each sample of the whole run. A data set is known by its objects' names, not
    by its path, so that a run can be continued on a copy elsewhere.
    """
    datasets: dict[str, list[ObjectKey]] = {}
    for key in objects:
        datasets.setdefault(key[0], []).append(key)
    settings = {
        "protocol": asdict(protocol),
        "model": asdict(model),
        "versions": provenance.versions(),
        "opencv_threads": cv2.getNumThreads(),
        "datasets": {
            name: {
                # The names themselves are in objects.json: here they only have to be the same.
                "objects": len(found),
                "names_sha256": hashlib.sha256(json.dumps(found).encode()).hexdigest(),
            }
            for name, found in datasets.items()
        },
        "shard": shard and asdict(shard),
    }
    # Lists for tuples, as a stored run has them: the two are compared.
    loaded: Settings = json.loads(json.dumps(settings))
    return loaded


def open_folder(
    out: Path,
    settings: Settings,
    objects: Sequence[ObjectKey],
    data: Mapping[str, Path] | None = None,
) -> list[Record]:
    """Makes or reopens a run's folder and returns the records of the runs of objects that it holds
    finished.

    An unfinished last object and a cut last line are removed from the file; this sitting is noted
    in run.json, with the folders of the data sets where `data` says them. Raises ConfigError when
    the folder holds a run with other settings, DataError when its files are damaged, InputError
    when it can't be written.
    """
    make_folder(out)
    sittings = _former_sittings(out, settings)
    records: list[Record] = []
    if exists(out / RECORDS):
        records = read_records(out)
    write_run(out, settings, [*sittings, _sitting(data or {})], objects)
    # Behind run.json: records that nothing says the rules of couldn't be used.
    replace_records(out, records)
    return records


def write_run(
    folder: Path, settings: Settings, sittings: Sequence[Sitting], objects: Sequence[ObjectKey]
) -> None:
    """Writes run.json and objects.json, each whole or not at all. Raises InputError."""
    # One object a line: two runs' lists can be compared by any diff.
    names = [json.dumps(key, ensure_ascii=False) for key in objects]
    lines = ",\n".join(names)
    write_atomically(folder / OBJECTS, f"[\n{lines}\n]\n".encode())
    run = {"settings": settings, "sittings": list(sittings)}
    write_atomically(folder / RUN, (json.dumps(run, indent=2, ensure_ascii=False) + "\n").encode())


def read_run(folder: Path) -> StoredRun:
    """What a folder's run.json and objects.json say; without the latter, `objects` is empty.

    Raises DataError.
    """
    if not exists(folder / RUN):
        raise DataError(f"{folder} holds no {RUN}: expected the folder of a vtmr evaluate run.")
    stored = _read_json(folder / RUN)
    settings = _completed(stored["settings"])
    try:
        objects: list[ObjectKey] = []
        if exists(folder / OBJECTS):
            for dataset, source, image, name in json.loads((folder / OBJECTS).read_bytes()):
                objects.append((str(dataset), str(source), str(image), str(name)))
        shard = None
        if settings["shard"]:
            shard = from_values(Shard, settings["shard"], "its shard")
        return StoredRun(
            from_values(Protocol, settings["protocol"], "its protocol"),
            from_values(ModelInfo, settings["model"], "its model"),
            shard,
            tuple(objects),
            settings,
            tuple(stored["sittings"]),
        )
    except (ValueError, KeyError, TypeError, OSError, RecursionError, VtmrError) as error:
        raise DataError(
            f"{folder}'s {RUN} or {OBJECTS} is damaged ({error}): run the evaluation anew."
        ) from error


def differences(was: Any, is_now: Any, name: str = "") -> Iterable[tuple[str, Any, Any]]:
    """Every leaf that two nested settings don't share, as (dotted name, former value, present
    value)."""
    if isinstance(was, dict) and isinstance(is_now, dict):
        for key in was | is_now:
            place = f"{name}.{key}".removeprefix(".")
            yield from differences(was.get(key), is_now.get(key), place)
    elif was != is_now:
        yield name, was, is_now


def _former_sittings(out: Path, settings: Settings) -> list[Sitting]:
    if not exists(out / RUN):
        if exists(out / RECORDS):
            raise ConfigError(
                f"{out} holds records but no {RUN} that says how they were made: use a new folder."
            )
        return []
    former = _read_json(out / RUN)
    # The first difference will do: a run under other rules isn't continued.
    for name, was, is_now in differences(_completed(former["settings"]), settings):
        raise ConfigError(
            f"{out} holds a run with {name} = {json.dumps(was)}, this one has "
            f"{json.dumps(is_now)}: use a new folder, or the former setting."
        )
    return list(former["sittings"])


def _read_json(path: Path) -> Settings:
    try:
        run = json.loads(path.read_bytes())
        if not (
            isinstance(run, dict)
            and isinstance(run["settings"], dict)
            and isinstance(run["sittings"], list)
        ):
            raise ValueError("settings and sittings are not there")
    except (ValueError, KeyError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}): use a new folder.") from error
    return run


def _completed(settings: Settings) -> Settings:
    """Stored settings with the defaults of what vtmr didn't have when they were written."""
    defaults = {"protocol": asdict(Protocol()), "model": asdict(ModelInfo(""))}
    for name in defaults:
        if not isinstance(settings.get(name, {}), dict):
            raise DataError(
                f"The run's {name} is {settings[name]!r}: expected its rules; use a new folder."
            )
    filled = {name: values | settings.get(name, {}) for name, values in defaults.items()}
    completed: Settings = json.loads(json.dumps({"shard": None} | settings | filled))
    return completed


def _sitting(data: Mapping[str, Path]) -> Sitting:
    """Where and when this process works on the run: it may differ between sittings, so it is noted
    for each."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": provenance.processor(),
        "cores": str(os.cpu_count()),
        # In full: a report that is written elsewhere finds the photos again.
        "data": {name: str(path.resolve()) for name, path in data.items()},
    }
