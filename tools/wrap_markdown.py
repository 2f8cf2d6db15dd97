"""Wraps the paragraphs and list items of Markdown files at 100 characters, in place.

    python tools/wrap_markdown.py docs/*.md

Tables, code blocks, headings, comments and lines that hold nothing but a picture stay as they are,
because a line break would change what they mean.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

WIDTH = 100
ITEM = re.compile(r"^(\s*)([-*+]|\d+\.)( +)(?=\S)")
TIE = "\ue000"  # of Unicode's private range: stands for a space that holds two words together
SHORT_CODE = re.compile(r"`[^`]{1,70}`")
LIST_SIGN = re.compile(r" ([-*+#>|]|\d+\.)(?= |$)")
VERBATIM = re.compile(r"^\s*(\||#|<|!\[|---|===|:::|\[[^]]+\]:)")


def wrapped(text: str) -> str:
    """The same document with its prose at most WIDTH characters wide."""
    result: list[str] = []
    paragraph: list[str] = []
    in_code = False
    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        if fence or in_code or not line.strip() or VERBATIM.match(line):
            result += filled(paragraph)
            paragraph = []
            result.append(line.rstrip() if not in_code else line)
            in_code = in_code != fence
        elif ITEM.match(line):
            result += filled(paragraph)
            paragraph = [line]
        else:
            paragraph.append(line)
    result += filled(paragraph)
    return "\n".join(result)


def filled(paragraph: list[str]) -> list[str]:
    """A paragraph or list item on as few lines as fit; those of an item hang under its text."""
    if not paragraph:
        return []
    first = paragraph[0]
    item = ITEM.match(first)
    if item:
        lead, rest = item[0], first[item.end() :]
        hang = " " * len(lead)
    else:
        hang = lead = first[: len(first) - len(first.lstrip())]
        rest = first
    words = " ".join([rest.strip(), *(line.strip() for line in paragraph[1:])])
    lines = textwrap.wrap(
        tied(words),
        WIDTH,
        initial_indent=lead,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(TIE, " ") for line in lines]


def tied(words: str) -> str:
    """The words with those spaces replaced at which no line may end: in short code, and before a
    sign or number that would begin a list at the start of a line."""
    words = SHORT_CODE.sub(lambda code: code[0].replace(" ", TIE), words)
    return LIST_SIGN.sub(lambda sign: TIE + sign[1], words)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(wrapped(path.read_text()))
