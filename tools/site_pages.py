"""Pages of the documentation site that are made while it is built (a hook of mkdocs.yml).

README, CONTRIBUTING, CHANGELOG and the model card lie where readers of the repository look for
them; here they become pages, with their links turned to where their targets are on the site. The
command reference is read from the commands themselves, so it needs no renewing.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vtmr.cli import app

ROOT = Path(__file__).resolve().parents[1]
CARD = "src/vtmr/assets/models/lite0.md"
# Files of the repository that become pages, by the page's address.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    CARD: "models/lite0.md",
}
FOLDERS = {"docs/decisions": "decisions/index.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)([^)]*)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to those of `docs`."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, page, content=relinked(text, source, page)))
    files.append(File.generated(config, "reference/cli.md", content=command_reference()))
    files.append(File.generated(config, "decisions/index.md", content=list_of_decisions()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links from a document to files outside `docs` lead to their pages."""
    address = page.file.src_uri
    if address in PAGES.values():
        return markdown  # was relinked when it was made
    return relinked(markdown, f"docs/{address}", address)


def relinked(text: str, source: str, page: str) -> str:
    """The text of a file of the repository with its links as they are on the site.

    Links to files that are no pages, such as a recipe, lose their target and keep their words.
    """

    def turned(link: re.Match[str]) -> str:
        picture, words, target, rest = link.groups()
        if "://" in target:
            return link[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if target in PAGES or target in FOLDERS:
            address = (PAGES | FOLDERS)[target]
        elif target.startswith("docs/") and (ROOT / target).is_file():
            address = target.removeprefix("docs/")
        else:
            return words
        path = posixpath.relpath(address, posixpath.dirname(page) or ".")
        return f"{picture}[{words}]({path}{rest})"

    return LINK.sub(turned, text)


def list_of_decisions() -> str:
    """A line for each decision page, in Markdown."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [page.read_text().splitlines()[0].removeprefix("# ") for page in pages]
    lines = [f"* [{title}]({page.name})" for page, title in zip(pages, titles, strict=True)]
    about = "Why things are as they are: context, choice, what was rejected."
    return "\n".join(["# Decisions\n", f"{about}\n", *lines])


def command_reference() -> str:
    """Every command with its arguments and flags, in Markdown."""
    root: Any = typer.main.get_command(app)
    parts = [
        "# Every command and flag\n",
        "Made from the program itself; [the command line](../cli.md) explains more.\n",
    ]
    for name, command in sorted(root.commands.items()):
        if not command.hidden:
            parts += described(f"vtmr {name}", command)
    return "\n".join(parts)


def described(name: str, command: Any) -> list[str]:
    """A command, and those inside it where it is a group."""
    lines = [f"## {name}\n", f"{command.help or ''}\n"]
    rows = [row(parameter) for parameter in command.params if "--help" not in parameter.opts]
    if rows:
        lines += ["| | default | |", "|---|---|---|", *rows, ""]
    for inner, part in sorted(getattr(command, "commands", {}).items()):
        lines += described(f"{name} {inner}", part)
    return lines


def row(parameter: Any) -> str:
    """An argument or flag as a line of a table."""
    is_flag = parameter.param_type_name == "option"
    names = parameter.opts if is_flag else [parameter.metavar or parameter.name.upper()]
    value = f" {parameter.metavar}" if is_flag and parameter.metavar else ""
    shown = ", ".join(f"`{name}{value}`" for name in names)
    text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| {shown} | {default_of(parameter)} | {text} |"


def default_of(parameter: Any) -> str:
    """What stands in the column of defaults."""
    if parameter.required:
        return "required"
    if parameter.default in (None, (), [], False):
        return ""
    return f"`{parameter.default}`"
