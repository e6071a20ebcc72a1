"""The blocks of a document: files to write, and commands with the output that they are said to have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELLIPSIS = "…"


class Block(NamedTuple):
    """What stands between two fences; `title` names the file that it is."""

    language: str
    title: str | None
    text: str

    @property
    def commands(self):
        """Each command after a `$`, with the output below it; lines after a `>` belong to the command."""
        found = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE)
        return [(command.replace("\n> ", "\n").strip(), output) for command, output in found]


def blocks(text):
    for language, info, body in _FENCE.findall(text):
        title = re.search(r'title="([^"]+)"', info)
        yield Block(language, title and title[1], body)


def shown(blocks):
    """The files to write and the commands to run, in order: (name, None, text) or (None, command, output)."""
    for block in blocks:
        if block.title:
            yield block.title, None, block.text
        elif block.language in {"", "console"}:
            yield from ((None, command, output) for command, output in block.commands)


def fits(expected, actual):
    """Whether an output is the one shown, where a line `…` stands for any number of lines."""
    lines = [
        "(?:.*\n)*" if line.strip() == ELLIPSIS else re.escape(line)
        for line in expected.splitlines(keepends=True)
    ]
    return re.fullmatch("".join(lines), actual) is not None
