"""The `vtmr` command: `app` holds the commands, `main` runs them and turns errors into sentences
and exit codes."""

from vtmr.cli.commands import app
from vtmr.cli.entry import main

__all__ = ["app", "main"]
