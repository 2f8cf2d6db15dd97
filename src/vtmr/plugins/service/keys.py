"""API keys: who may ask. Only their SHA-256 is kept, and compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vtmr.errors import ConfigError, InputError

VARIABLE = "VTMR_API_KEYS"
NOBODY_NEEDS_ONE = "none"
_LEAST_LENGTH = 16
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that open the service; without any, everybody may ask."""

    digests: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def needed(self) -> bool:
        """Whether the service asks for a key at all."""
        return bool(self.digests)

    def knows(self, offered: str | None) -> bool:
        """Whether that is one of them. All are compared, so that time tells nothing."""
        if offered is None:
            return False
        # Hashed first, so that all comparisons are of texts of one length.
        digest = hashlib.sha256(offered.encode("utf-8", "surrogateescape")).digest()
        found = [hmac.compare_digest(digest, known) for known in self.digests]
        return any(found)


def read_keys(source: str, environment: Mapping[str, str] = os.environ) -> Keys:
    """The keys in a file, one a line; without a file those in the environment's VTMR_API_KEYS,
    separated by commas.

    A key stands there itself, or as `sha256:` and its hash in hexadecimal digits; what follows `#`
    is a comment. source: the file's path; "" for the environment; "none" for a service that
    everybody may ask. Raises InputError for a file that can't be read, ConfigError for a key that
    is too short to be secret and for a file without keys.
    """
    if source == NOBODY_NEEDS_ONE:
        return Keys()
    if not source:
        given = environment.get(VARIABLE, "")
        return Keys(_digests(given.split(","), VARIABLE))
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The keys in {source} can't be read: {reason}.") from error
    digests = _digests(lines, source)
    if not digests:
        raise ConfigError(f"{source} holds no keys: expected one a line.")
    return Keys(digests)


def _digests(entries: Iterable[str], where: str) -> tuple[bytes, ...]:
    """The hashes of all keys among the entries. Raises ConfigError."""
    found = []
    for number, entry in enumerate(entries, start=1):
        key = entry.partition("#")[0].strip()
        if key:
            found.append(_digest(key, f"Key {number} of {where}"))
    return tuple(found)


def _digest(key: str, what: str) -> bytes:
    """The key's hash; the error doesn't show the key."""
    hashed = _HASHED.fullmatch(key)
    if hashed:
        return bytes.fromhex(hashed[1])
    if key.lower().startswith("sha256:"):
        raise ConfigError(f"{what} is no hash: expected sha256: and 64 hexadecimal digits.")
    if len(key) < _LEAST_LENGTH:
        raise ConfigError(
            f"{what} has {len(key)} characters: expected at least {_LEAST_LENGTH}. "
            "`openssl rand -hex 24` makes a good one."
        )
    return hashlib.sha256(key.encode()).digest()
