"""`main`: runs one command; every way it can end becomes an exit code and at most one sentence on
stderr.

0 done; 2 something the user can put right (a VtmrError, wrong usage, no room for our output); 130
Ctrl-C; 141 the reader of our output went away; 1 a defect of vtmr, with the traceback in a log
file.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from vtmr.cli.commands import app
from vtmr.cli.failures import Interrupted
from vtmr.cli.oldnames import by_present_names
from vtmr.errors import VtmrError, VtmrWarning

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PYTHONS = warnings.formatwarning
DONE, DEFECT, WRONG_INPUT, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line (default: the process's) and returns the exit code; nothing is
    raised."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name need not be in the terminal's encoding: shown escaped, it ends no command.
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _warning
    try:
        code = _run(by_present_names(arguments))
        # Here: a full disk or a closed pipe is told by us, not at the interpreter's end.
        sys.stdout.flush()
    except VtmrError as error:
        return _end(WRONG_INPUT, str(error))
    except typer.TyperException as error:
        return _end(WRONG_INPUT, f"{error.format_message().rstrip('.')}. See `vtmr --help`.")
    except Interrupted as interrupt:
        return _end(INTERRUPTED, str(interrupt))
    except (KeyboardInterrupt, typer.Abort):
        return _end(INTERRUPTED, "Interrupted; nothing half-written is left.")
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:
        # Of a file that a command writes the error has the name; stdout has none.
        if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
            return _end(WRONG_INPUT, f"The output can't be written: {error.strerror}.")
        return _end(DEFECT, _report(arguments))
    if code == INTERRUPTED:
        return _end(code, "Interrupted; nothing half-written is left.")
    return code


def _run(arguments: list[str]) -> int:
    """The command's exit code; errors pass through, except that typer itself turns Ctrl-C into 130
    and EPIPE into 1."""
    try:
        # Without arguments typer would raise an empty usage error after printing the help.
        code = app(args=arguments or ["--help"], prog_name="vtmr", standalone_mode=False)
    except SystemExit as end:
        if isinstance(end.__context__, OSError) and end.__context__.errno == errno.EPIPE:
            raise BrokenPipeError from end
        raise RuntimeError(f"something called sys.exit({end.code!r})") from end
    return code if isinstance(code, int) else DONE


def _end(code: int, sentence: str) -> int:
    """Prints the sentence on one line of stderr and returns the code."""
    # One line, whatever was in a file's name: `vtmr train FOLDER` looks for it.
    print(f"vtmr: {' '.join(sentence.split())}", file=sys.stderr)
    return code


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Ours as a sentence, those of other packages as Python has them."""
    if issubclass(category, VtmrWarning):
        return f"vtmr: {message}\n"
    return _PYTHONS(message, category, filename, lineno, line)


def _closed_pipe() -> int:
    """Points stdout at nothing, so that the interpreter's last flush doesn't complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return CLOSED_PIPE


def _report(arguments: list[str]) -> str:
    """Writes the current traceback into a log file; the sentence that says where."""
    text = f"{datetime.now(UTC).isoformat()} vtmr {' '.join(arguments)}\n{traceback.format_exc()}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="vtmr-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(text)
    except OSError:
        print(text, file=sys.stderr)
        return (
            "An unexpected error, which is a defect of vtmr: the traceback is above, please "
            "report it."
        )
    return (
        "An unexpected error, which is a defect of vtmr: please report it with the log file "
        f"{log.name}."
    )
