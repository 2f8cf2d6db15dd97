"""A run's folder: what it was made with (run.json), and whether it may be continued."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2

from vtmr import provenance
from vtmr.atomic import write_atomically
from vtmr.bench.protocol import ModelInfo, Protocol
from vtmr.bench.records import RECORDS, ObjectKey, Record, read_records, replace_records
from vtmr.errors import ConfigError, DataError, InputError

RUN = "run.json"


def settings_of(protocol: Protocol, model: ModelInfo, objects: Iterable[ObjectKey]) -> dict[str, Any]:
    """What all records of one folder share: protocol, model, versions, threads and the objects of each data set.

    objects: what names each sample. A data set is known by its objects' names, not by its path, so that a run can be
    continued on a copy elsewhere.
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
            name: {"objects": len(found), "names_sha256": hashlib.sha256(json.dumps(found).encode()).hexdigest()}
            for name, found in datasets.items()
        },
    }
    loaded: dict[str, Any] = json.loads(json.dumps(settings))  # lists for tuples, as a stored run has them
    return loaded


def open_folder(out: Path, settings: dict[str, Any]) -> list[Record]:
    """Makes or reopens a run's folder and returns the records of the objects that it holds finished.

    An unfinished last object and a cut last line are removed from the file; this sitting is noted in run.json.
    Raises ConfigError when the folder holds a run with other settings, DataError when its files are damaged,
    InputError when it can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {out} can't be made ({error.strerror}): choose another.") from error
    sittings = _former_sittings(out, settings)
    records = read_records(out) if (out / RECORDS).exists() else []
    run = {"settings": settings, "sittings": [*sittings, _sitting()]}
    write_atomically(out / RUN, (json.dumps(run, indent=2, ensure_ascii=False) + "\n").encode())
    replace_records(out, records)
    return records


def _former_sittings(out: Path, settings: dict[str, Any]) -> list[dict[str, str]]:
    if not (out / RUN).exists():
        if (out / RECORDS).exists():
            raise ConfigError(f"{out} holds records but no {RUN} that says how they were made: use a new folder.")
        return []
    former = _read(out / RUN)
    for name, was, is_now in _differences(_completed(former["settings"]), settings):
        raise ConfigError(
            f"{out} holds a run with {name} = {json.dumps(was)}, this one has {json.dumps(is_now)}: "
            "use a new folder, or the former setting."
        )
    return list(former["sittings"])


def _read(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_bytes())
        if not (isinstance(run, dict) and isinstance(run["settings"], dict) and isinstance(run["sittings"], list)):
            raise ValueError("settings and sittings are not there")
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): use a new folder.") from error
    return run


def _completed(settings: dict[str, Any]) -> dict[str, Any]:
    """Stored settings with the defaults of rules that vtmr didn't have when they were written."""
    defaults = {"protocol": asdict(Protocol()), "model": asdict(ModelInfo(""))}
    filled = {name: values | settings.get(name, {}) for name, values in defaults.items()}
    completed: dict[str, Any] = json.loads(json.dumps(settings | filled))
    return completed


def _differences(was: Any, is_now: Any, name: str = "") -> Iterable[tuple[str, Any, Any]]:
    """Every leaf that two nested settings don't share, as (dotted name, former value, present value)."""
    if isinstance(was, dict) and isinstance(is_now, dict):
        for key in [*was, *(key for key in is_now if key not in was)]:
            yield from _differences(was.get(key), is_now.get(key), f"{name}.{key}" if name else key)
    elif was != is_now:
        yield name, was, is_now


def _sitting() -> dict[str, str]:
    """Where and when this process works on the run: it may differ between sittings, so it is noted for each."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": provenance.processor(),
        "cores": str(os.cpu_count()),
    }
