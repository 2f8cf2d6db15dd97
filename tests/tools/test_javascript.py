"""What checks the annotator's scripts in `make test` refuses what it is there for.

Both run as the Makefile runs them, with the project's own settings, in a folder that has one script
in the place of the page's. It is wrong on purpose, in one way a line; the names of what is wrong
are those of eslint's and TypeScript's documentation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CHECKS = Path("tools", "js")
SETTINGS = Path(__file__).parents[2] / CHECKS
SCRIPTS = Path("src", "vtmr", "app", "static", "js")


def check(folder: Path, script: str, tool: str, *options: str | Path) -> str:
    """What the tool says of the script. It has to refuse it."""
    checks = folder / CHECKS
    checks.mkdir(parents=True)
    for name in ("tsconfig.json", "eslint.config.js", "package.json"):
        shutil.copy(SETTINGS / name, checks)
    modules = SETTINGS / "node_modules"
    assert modules.is_dir(), "Install what checks JavaScript first: make fast"
    (checks / "node_modules").mkdir()
    for module in modules.iterdir():
        if module.name != ".cache":  # what is remembered of one folder isn't true of another
            (checks / "node_modules" / module.name).symlink_to(module)
    (folder / SCRIPTS).mkdir(parents=True)
    (folder / SCRIPTS / "wrong.js").write_text(script)
    node = Path(sys.executable).parent / "node"
    command = [node, CHECKS / "node_modules" / ".bin" / tool, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0, done.stdout
    return done.stdout


def test_tsc_refuses_wrong_types(tmp_path: Path) -> None:
    wrong = (
        "export function untyped(value) { return value; }\n"
        "/** @param {number} value */\n"
        "export function half(value) { return value / 2; }\n"
        "half('two');\n"
        "document.querySelector('canvas').width = 1;\n"
        "half(2, 3);\n"
    )
    said = check(tmp_path, wrong, "tsc", "--project", CHECKS, "--pretty", "false")
    found = [line.split("error ")[1].split(":")[0] for line in said.splitlines()]
    assert found == ["TS7006", "TS2345", "TS2531", "TS2554"], said


def test_eslint_refuses_mistakes(tmp_path: Path) -> None:
    wrong = (
        "export async function ask() { return await fetch('/'); }\n"
        "export function wrong(value) {\n"
        "  let once = 1;\n"
        "  const unused = 2;\n"
        "  if (value == once) { const value = nowhere; return value; }\n"
        "  ask();\n"
        "  return null;\n"
        "}\n"
    )
    said = check(tmp_path, wrong, "eslint", "--config", CHECKS / "eslint.config.js", SCRIPTS)
    found = {line.split()[-1] for line in said.splitlines() if "  error  " in line}
    plain = {"prefer-const", "no-unused-vars", "eqeqeq", "no-shadow", "no-undef"}
    assert found == plain | {"@typescript-eslint/no-floating-promises"}, said


def test_eslint_refuses_lines_of_more_than_120_columns(tmp_path: Path) -> None:
    longest = "export const nothing = null; // ".ljust(120, ".")
    wrong = f"{longest}\nexport const more = 1; // {longest[26:]}.\n"
    said = check(tmp_path, wrong, "eslint", "--config", CHECKS / "eslint.config.js", SCRIPTS)
    found = [line.split() for line in said.splitlines() if "  error  " in line]
    assert [(words[0], words[-1]) for words in found] == [("2:1", "max-len")], said
