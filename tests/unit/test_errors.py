"""The command line catches VtmrError: what is raised on purpose must be one."""

from __future__ import annotations

import pytest

from vtmr import errors


@pytest.mark.parametrize("name", ["InputError", "ConfigError", "CheckpointError", "DataError"])
def test_every_error_is_a_vtmr_error_and_no_builtin(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.VtmrError)
    assert not issubclass(error, (OSError, ValueError, LookupError)), (
        "an `except ValueError` would swallow it"
    )
