"""What goes wrong, as notifications of napari's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from vtmr.errors import VtmrError

_DEFECT = "An unexpected error, which is a defect of vtmr: please report it"
_LOG = logging.getLogger(__name__)


def told(action: Callable[..., None]) -> Callable[..., None]:
    """An action of the user's whose errors become notifications, never a stack trace."""

    @wraps(action)
    def safely(*given: Any, **named: Any) -> None:
        try:
            action(*given, **named)
        except Exception as error:
            tell(error)

    return safely


def tell(error: Exception) -> None:
    """Shows an error as one sentence; a defect's traceback goes to the log."""
    from napari.utils.notifications import show_error

    if isinstance(error, VtmrError):
        show_error(str(error))
        return
    _LOG.error("unexpected", exc_info=error)
    show_error(f"{_DEFECT} ({type(error).__name__}: {error}).")
