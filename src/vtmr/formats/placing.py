"""Which of a folder's images a name in an annotation file means.

Other programs write names as they like: with folders above or without, of another machine, with
Windows' separators, as addresses, with accents in two characters. A name and an image go together
where one's path ends as the other's does; the longest common end decides, and where it doesn't
decide, nothing is placed: an object on the wrong photo is worse than none.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

Parts = tuple[str, ...]

_SCHEMES = ("http", "https", "s3", "gs", "file")
_THE_SAME = 1 << 20  # more than any number of common parts
_SHOWN = 3  # of the images that may be meant


@dataclass(frozen=True, slots=True)
class Placed:
    """files: by name, the image that is meant. reasons: by name, why none is, as a sentence."""

    files: dict[str, str]
    reasons: dict[str, str]


def place(
    names: Iterable[str], files: Sequence[str], root: Path, *, any_suffix: bool = False
) -> Placed:
    """The image that each name means.

    files: paths below `root` with forward slashes. any_suffix: a name whose image isn't there may
    mean one that differs in its suffix alone, as converted images do.
    """
    index = _Index(files, root, any_suffix)
    reasons: dict[str, str] = {}
    claims: defaultdict[str, list[_Match]] = defaultdict(list)
    for name in dict.fromkeys(names):
        found = index.nearest(name)
        if isinstance(found, str):
            reasons[name] = found
        else:
            claims[found.file].append(found)
    placed: dict[str, str] = {}
    for file, matches in claims.items():
        # Two names can't both mean it: the nearest has it, and where several are as near, none.
        best = max(match.nearness for match in matches)
        winners = {match.parts for match in matches if match.nearness == best}
        for match in matches:
            if len(winners) > 1:
                reasons[match.name] = _several_names(match, matches)
            elif match.parts in winners:
                placed[match.name] = file
            else:
                reasons[match.name] = f"{match.name}: there is no such image, {file} is another."
    return Placed(placed, reasons)


def place_spelled(
    spellings: Iterable[Sequence[str]],
    files: Sequence[str],
    root: Path,
    *,
    any_suffix: bool = False,
) -> Placed:
    """As `place`, of images that are spelled in several ways, by their first spelling: the second
    counts where the first means no image, and none that another one means already."""
    rows = list(spellings)
    found = place((row[0] for row in rows), files, root, any_suffix=any_suffix)
    others = {row[0]: row[1] for row in rows if len(row) > 1 and row[0] not in found.files}
    second = place(others.values(), files, root, any_suffix=any_suffix)
    taken = set(found.files.values())
    placed, reasons = dict(found.files), dict(found.reasons)
    for first, other in others.items():
        file = second.files.get(other)
        if file is not None and file not in taken:
            placed[first] = file
            del reasons[first]
    return Placed(placed, reasons)


@dataclass(frozen=True, slots=True)
class _Match:
    """A name, and the image that ends as it does. nearness: the more, the longer their common
    end."""

    name: str
    parts: Parts
    file: str
    nearness: int


class _Index:
    """The images by the last part of their paths."""

    def __init__(self, files: Sequence[str], root: Path, any_suffix: bool) -> None:
        self._files = frozenset(files)
        self._above = _whole(root.absolute().as_posix()) if files else ()
        self._any_suffix = any_suffix
        self._by_last: defaultdict[str, list[str]] = defaultdict(list)
        self._folded: defaultdict[str, list[str]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        for file in files:
            last = _whole(file)[-1]
            self._by_last[last].append(file)
            self._folded[last.casefold()].append(file)
            self._by_stem[_stem(last)].append(file)

    def nearest(self, name: str) -> _Match | str:
        """The image that a name means, or the sentence that says why none does."""
        parts = _parts(name)
        if name in self._files:
            return _Match(name, parts, name, _THE_SAME)
        if not parts:
            return f"{name!r}: that is no image's name."
        candidates, parts, loosely = self._candidates(parts)
        if not candidates:
            return f"{name}: there is no image of that name."
        matches = [self._match(name, parts, file, loosely) for file in candidates]
        fitting = [match for match in matches if match is not None]
        if not fitting:
            return (
                f"{name}: there is no such image, only {_listed(candidates)} in another folder. "
                "If that is the one, name the folder that it lies in."
            )
        best = max(match.nearness for match in fitting)
        nearest = [match for match in fitting if match.nearness == best]
        # A last part that fits by itself says too little where others have it, too.
        by_last_alone = len(parts) > 1 and best <= 2 and len(candidates) > 1
        if len(nearest) > 1 or by_last_alone:
            return (
                f"{name}: several images may be meant ({_listed(candidates)}): expected a path "
                "that tells them apart."
            )
        return nearest[0]

    def _candidates(self, parts: Parts) -> tuple[list[str], Parts, bool]:
        """The images whose last part is the name's, the name's parts as they were compared, and
        whether they aren't quite the same.

        In turn: as it is, with an address's escapes taken out, as Windows reads it, without its
        suffix.
        """
        if parts[-1] in self._by_last:
            return self._by_last[parts[-1]], parts, False
        # An address escapes bytes, which needn't be UTF-8's.
        unescaped = [unquote(part, errors="surrogateescape") for part in parts]
        plain = tuple(unicodedata.normalize("NFC", part) for part in unescaped)
        if plain[-1] in self._by_last:
            return self._by_last[plain[-1]], plain, True
        folded = self._folded.get(parts[-1].casefold(), [])
        if folded or not self._any_suffix:
            return folded, parts, True
        stem = _stem(parts[-1])
        if stem in self._by_last:  # a.jpg.txt means a.jpg, also where there is an a.png
            return self._by_last[stem], (*parts[:-1], stem), True
        return self._by_stem.get(stem, []), parts, True

    def _match(self, name: str, parts: Parts, file: str, loosely: bool) -> _Match | None:
        """None where the two paths' folders contradict each other. loosely: their last parts may
        differ."""
        inside = _whole(file)
        if inside == parts:
            return _Match(name, parts, file, _THE_SAME - 1)
        if self._any_suffix and _without_suffix(inside) == _without_suffix(parts):
            return _Match(name, parts, file, _THE_SAME - 2)
        # A name may be this machine's whole path, which goes on above the root.
        whole = (*self._above, *inside)
        needed = min(len(parts), len(inside))
        common = _common_end(parts, whole)
        if common < needed:
            common, loosely = _common_end(_folded(parts), _folded(whole)), True
        if common < needed:
            return None
        # Twice, so that a loose fit loses against a strict one, and still beats any shorter one.
        return _Match(name, parts, file, 2 * common - loosely)


def _common_end(parts: Parts, whole: Parts) -> int:
    """How many of the last parts are the same; the very last was found to be."""
    common = 1
    while common < min(len(parts), len(whole)) and parts[-1 - common] == whole[-1 - common]:
        common += 1
    return common


def _folded(parts: Parts) -> Parts:
    return tuple(part.casefold() for part in parts)


def _several_names(match: _Match, matches: Sequence[_Match]) -> str:
    others = [other.name for other in matches if other.parts != match.parts]
    return (
        f"{match.name}: {_listed(others)} may mean the same image {match.file}: expected a folder "
        "in which both are."
    )


def _parts(name: str) -> Parts:
    """A name's folders and its last part, in one spelling; drives, hosts and dots are left out."""
    scheme = name.partition("://")[0].lower()
    if scheme in _SCHEMES and "://" in name:
        try:
            name = unquote(urlsplit(name).path)
        except ValueError:  # of a host in half a pair of brackets
            return ()
    parts: list[str] = []
    for part in _whole(name.replace("\\", "/")):
        if part == "..":
            del parts[-1:]
        elif part != ".":
            parts.append(part)
    if parts and len(parts[0]) == 2 and parts[0].endswith(":"):
        del parts[0]
    return tuple(parts)


def _whole(path: str) -> Parts:
    """A path's parts, accents in one character."""
    return tuple(unicodedata.normalize("NFC", part) for part in path.split("/") if part)


def _without_suffix(parts: Parts) -> Parts:
    return (*parts[:-1], _stem(parts[-1]))


def _stem(last: str) -> str:
    return PurePosixPath(last).stem


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
