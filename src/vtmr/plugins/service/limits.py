"""What the service takes and keeps at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from vtmr.errors import ConfigError
from vtmr.values import require_keys

MEGABYTE = 1_000_000
_LARGEST = 1_000_000  # of any limit: beyond, a typing error is likelier than a wish


@dataclass(frozen=True, slots=True)
class Limits:
    """Whole numbers from 1; `--limit NAME=VALUE` changes one.

    upload_mb: an uploaded image file. json_mb: a JSON body. megapixels: an image. clicks: of one
    request. in_flight: requests at the same time. bodies_mb: of all requests that are being read.
    images_mb: decoded images that are kept. sessions_mb: answers that are kept, so that the next
    click costs one prediction. decode_s: a core's time for decoding one image. decoder_mb: the
    memory that it may take. shutdown_s: how long requests in flight may take after SIGTERM.
    """

    upload_mb: int = 64
    json_mb: int = 16
    megapixels: int = 120
    clicks: int = 64
    in_flight: int = 32
    bodies_mb: int = 512
    images_mb: int = 2000
    sessions_mb: int = 300
    decode_s: int = 60
    decoder_mb: int = 4000
    shutdown_s: int = 30

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 1 <= value <= _LARGEST:
                raise ConfigError(
                    f"--limit {field.name}={value}: expected a whole number from 1 to {_LARGEST}."
                )


def parse_limits(settings: Sequence[str]) -> Limits:
    """The limits with some changed, each written NAME=VALUE.

    Raises ConfigError for a name that isn't known, with the nearest one, and for a value that is no
    whole number from 1.
    """
    values: dict[str, int] = {}
    for setting in settings:
        name, _, text = setting.partition("=")
        require_keys({name: text}, Limits, "--limit")
        # int() alone would read 1_000, and refuse numbers of thousands of digits in its own way.
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise ConfigError(f"--limit {setting}: expected {name}=NUMBER, a whole number from 1.")
        values[name] = int(text)
    return Limits(**values)
