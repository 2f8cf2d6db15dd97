"""One run out of its shards' folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vtmr.atomic import exists, make_folder, one_writer
from vtmr.bench.folder import RUN, Sitting, StoredRun, differences, read_run, write_run
from vtmr.bench.protocol import Shard
from vtmr.bench.records import RECORDS, Key, Record, name_of, read_records, replace_records
from vtmr.errors import ConfigError, DataError, InputError

MOST_NAMED = 3  # objects, in a message


@dataclass(frozen=True, slots=True)
class _Part:
    folder: Path
    run: StoredRun
    runs: dict[Key, list[Record]]  # the object's clicks by what names its run


def merge_runs(folders: Sequence[Path], out: Path) -> StoredRun:
    """Writes the run that the shards in `folders` make up into the new folder `out`, records in the
    samples' order.

    Raises ConfigError when their settings differ or `out` already holds a run, DataError when an
    object is missing or there twice and for a damaged folder, InputError when `out` can't be
    written.
    """
    if exists(out / RUN) or exists(out / RECORDS):
        raise ConfigError(f"{out} already holds a run: expected a new folder to merge into.")
    parts = [_Part(folder, read_run(folder), _runs(read_records(folder))) for folder in folders]
    if not parts:
        raise InputError("There is nothing to merge: expected the folders of all shards.")
    whole = parts[0].run
    for part in parts[1:]:
        _require_same_run(parts[0], part)
    found = _found(parts)
    keys: list[Key] = []
    for key in whole.objects:
        keys += [(*key, repeat) for repeat in range(whole.protocol.repeats)]
    _require_all(keys, found, parts)
    records: list[Record] = []
    for run_key in keys:
        records += found[run_key].runs[run_key]
    make_folder(out)
    with one_writer(out):
        write_run(out, whole.settings | {"shard": None}, _sittings(parts), whole.objects)
        replace_records(out, records)

    return read_run(out)


def _sittings(parts: Sequence[_Part]) -> list[Sitting]:
    """All parts' sittings, each with the shard that it worked on."""
    sittings = []
    for part in parts:
        # A folder that was never sharded may be merged alone: it is the one shard of one.
        shard = str(part.run.shard or "1/1")
        sittings += [sitting | {"shard": shard} for sitting in part.run.sittings]
    return sittings


def _runs(records: Sequence[Record]) -> dict[Key, list[Record]]:
    runs: dict[Key, list[Record]] = {}
    for record in records:
        runs.setdefault(record.key, []).append(record)
    return runs


def _require_same_run(first: _Part, other: _Part) -> None:
    """Raises ConfigError unless both are parts of one run; which part isn't compared."""
    unsharded = first.run.settings | {"shard": None}
    other_unsharded = other.run.settings | {"shard": None}
    # The hash of the objects' names is among the settings, so data sets that differ are told too.
    for name, one, another in differences(unsharded, other_unsharded):
        raise ConfigError(
            f"{first.folder} has {name} = {json.dumps(one)}, {other.folder} has "
            f"{json.dumps(another)}: expected shards of one run."
        )


def _found(parts: Sequence[_Part]) -> dict[Key, _Part]:
    """{run of an object: the part that has it}. Raises DataError when two do."""
    found: dict[Key, _Part] = {}
    for part in parts:
        for key in part.runs:
            if key in found:
                raise DataError(
                    f"{name_of(key)} is in {found[key].folder} and in {part.folder}: expected "
                    "every shard once."
                )
            found[key] = part
    return found


def _require_all(keys: Sequence[Key], found: dict[Key, _Part], parts: Sequence[_Part]) -> None:
    """Raises DataError when an object is missing or unknown, with what to do about it."""
    if strange := found.keys() - set(keys):
        # Sets have no order: the same one, however often it is told.
        key = min(strange)
        raise DataError(
            f"{found[key].folder} holds {name_of(key)}, which its {RUN} doesn't know: play it anew."
        )
    missing = [key for key in keys if key not in found]
    if not missing:
        return
    names = list(map(name_of, missing[:MOST_NAMED]))
    if len(missing) > MOST_NAMED:
        names.append("…")
    # With every shard given, what is missing was never played: one of them was interrupted.
    advice = "finish the interrupted shard"
    if absent := _absent([part.run.shard for part in parts if part.run.shard]):
        advice = f"add the folder of shard {', '.join(absent)}"
    raise DataError(
        f"{len(missing)} of {len(keys)} runs of objects are missing ({', '.join(names)}): {advice}."
    )


def _absent(given: Sequence[Shard]) -> list[str]:
    """The shards that aren't given, as I/N; none where no folder is of a shard."""
    if not given:
        return []
    indices = {shard.index for shard in given}
    number = max(shard.of for shard in given)
    return [f"{index}/{number}" for index in range(1, number + 1) if index not in indices]
