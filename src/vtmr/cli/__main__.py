"""`python -m vtmr.cli` is the `vtmr` command, for environments without the script on their path."""

from __future__ import annotations

import sys

from vtmr.cli.entry import main

sys.exit(main())
