"""Damage, by a random number generator: of bytes, and of values in JSON and TOML.

What is made is a function of the generator's seed alone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

HEAD_BYTES = 200  # where most of a file's numbers and names are
ODD_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)

# Stand-ins in a JSON tree for what no Python value can be written as.
PLACES = {
    '"@deep@"': "[" * 3000 + "]" * 3000,
    '"@abyss@"': "[" * 200_000,
    '"@digits@"': "9" * 5000,
    '"@huge@"': "1e999",
    '"@long@"': '"' + "x" * 100_000 + '"',
    '"@lone@"': '"\\ud800"',
}
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 3.0, 1e308, 2**31, 2**53, 2**63, -(2**63), 10**30),
    *(float("inf"), float("-inf"), float("nan"), "", "x", "..", "/etc/passwd", "1", "\0", "é" * 40),
    *([], {}, [[]], [0], [-1, -1], {"": None}, [None] * 50, *(key.strip('"') for key in PLACES)),
)
TOML_VALUES = (
    *("inf", "-inf", "nan", "-1", "0", "1e999", "0.5", "true", '""', '"x"', '"../.."', "[]", "{}"),
    *("99999999999999999999", "9" * 5000, "1979-05-27", "07:32:00", "[[[]]]", "{a = {b = 1}}"),
    *("[" * 3000 + "]" * 3000, "0xFFFFFFFFFFFFFFFFFF", "[1, 2, 3]", '["a"]', "1_0", '"""', "'"),
)


def damaged_bytes(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    """With one to four injuries; `others` lend their parts."""
    for _ in range(rng.integers(1, 5)):
        if not data:
            return data
        injure = _INJURIES[rng.integers(len(_INJURIES))]
        data = injure(data, others, rng)
    return data


def _place(data: bytes, rng: Generator) -> int:
    """Near the beginning in half of the cases."""
    end = min(len(data), HEAD_BYTES) if rng.random() < 0.5 else len(data)
    return int(rng.integers(end))


def _flip(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _overwrite(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    """An odd number of 1, 2, 4 or 8 bytes, in either byte order."""
    size = int(rng.choice((1, 2, 4, 8)))
    number = ODD_NUMBERS[rng.integers(len(ODD_NUMBERS))] & ((1 << 8 * size) - 1)
    order = "little" if rng.random() < 0.5 else "big"
    at = _place(data, rng)
    return data[:at] + number.to_bytes(size, order) + data[at + size :]


def _cut(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    return data[: _place(data, rng)]


def _remove(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _repeat(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    at, length = _place(data, rng), int(rng.integers(1, 64))
    return data[:at] + data[at : at + length] * int(rng.integers(2, 40)) + data[at + length :]


def _insert(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 32))) + data[at:]


def _splice(data: bytes, others: Sequence[bytes], rng: Generator) -> bytes:
    other = others[rng.integers(len(others))]
    if not other:
        return data
    return data[: _place(data, rng)] + other[_place(other, rng) :]


Injury = Callable[[bytes, Sequence[bytes], Generator], bytes]
_INJURIES: tuple[Injury, ...] = (_flip, _overwrite, _cut, _remove, _repeat, _insert, _splice)
_INJURIES += (_flip, _overwrite, _overwrite)  # the ones that reach furthest into a reader


def damaged_json(value: Any, rng: Generator) -> str:
    """The value as JSON with one to three odd values in it, or entries that are gone or doubled."""
    tree = json.loads(json.dumps(value))
    for _ in range(rng.integers(1, 4)):
        tree = _with_odd_part(tree, rng)
    text = json.dumps(tree, ensure_ascii=bool(rng.random() < 0.5))
    for place, written in PLACES.items():
        text = text.replace(place, written)
    return text


def _with_odd_part(tree: Any, rng: Generator) -> Any:
    """One node, at any depth, replaced, removed or repeated, in place where there is one."""
    spots = list(_spots(tree))
    if not spots:
        return _odd_value(rng)
    owner, key = spots[rng.integers(len(spots))]
    action = rng.random()
    if action < 0.15:
        del owner[key]
    elif action < 0.25 and isinstance(owner, list):
        owner.insert(key, owner[key])
    elif action < 0.3 and isinstance(owner, dict):
        owner[f"{key} "] = owner.pop(key)
    else:
        owner[key] = _odd_value(rng)
    return tree


def _odd_value(rng: Generator) -> Any:
    """One of its own, which later damage may reach into."""
    return copy.deepcopy(ODD_VALUES[rng.integers(len(ODD_VALUES))])


def _spots(tree: Any) -> Any:
    """Every (container, key or index) of a tree."""
    if isinstance(tree, dict):
        keys: Any = list(tree)
    elif isinstance(tree, list):
        keys = range(min(len(tree), 50))
    else:
        return
    for key in keys:
        yield tree, key
        yield from _spots(tree[key])


def damaged_toml(text: str, rng: Generator) -> bytes:
    """With odd values behind equal signs, lines that are gone, doubled or elsewhere, or injuries of
    its bytes."""
    lines = text.splitlines()
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(lines)))
        action = rng.random()
        if action < 0.6 and "=" in lines[at]:
            name = lines[at].partition("=")[0]
            lines[at] = f"{name}= {TOML_VALUES[rng.integers(len(TOML_VALUES))]}"
        elif action < 0.7:
            lines.insert(at, lines[at])
        elif action < 0.8 and len(lines) > 1:
            del lines[at]
        elif action < 0.9:
            lines.insert(int(rng.integers(len(lines))), lines[at])
        else:
            lines[at] = lines[at][: int(rng.integers(len(lines[at]) + 1))]
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        data = damaged_bytes(data, [data], rng)
    return data


def generator(*seed: int) -> Generator:
    """Of a seed of several numbers."""
    return np.random.default_rng(seed)
