"""What each code means, from the docstring of the check that reports it.

The source is read rather than imported: it is quicker, and `python -OO` keeps no docstrings.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from policy_cache.diagnostics import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent.parent
_MODULES = (
    "text/file.py",
    "text/compose.py",
    "text/source.py",
    "check/kind.py",
    "check/validate.py",
    "load.py",
    "check/reach.py",
    "check/meaning/*.py",
    "check/review/*.py",
)
_SECTION = re.compile(r"^(PC\d{3}): ", re.MULTILINE)
_EXAMPLE = re.compile(r"^(Bad|Good):\n((?:    .*\n?|\n)+)", re.MULTILINE)
_RULE_FIELDS = re.compile(r"(?:match|except|targets|action|stop):")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means.

    Attributes:
        code: The code.
        title: A few words.
        text: What is wrong, and why that matters; paragraphs.
        bad: A policy, a part of one, or a command after `$`, that yields the code; empty for none.
        good: One that does not.
    """

    code: str
    title: str
    text: str
    bad: str = ""
    good: str = ""


@cache
def explanations() -> dict[str, Explanation]:
    """Every code with its explanation, in order."""
    found = {one.code: one for text in _docstrings() for one in _sections(text)}
    return {
        code: found.get(code, Explanation(code, title, f"{title[0].upper()}{title[1:]}."))
        for code, title in CODES.items()
    }


def completed(example: str) -> str:
    """A whole policy from an example, which may show only rules, or only fields of one."""
    if example.startswith("- "):
        return "version: 1\nname: example\nrules:\n" + _indented(example, 2)
    if not _RULE_FIELDS.match(example):
        return example
    rest = [
        f"{name}: {value}\n"
        for name, value in (("targets", "[system]"), ("action", "{add_cache_control: {}}"))
        if not re.search(rf"^{name}:", example, re.MULTILINE)
        and not (name == "targets" and "{set:" in example)
    ]
    rule = "".join([example, *rest])
    return "version: 1\nname: example\nrules:\n  - name: example\n" + _indented(rule, 4)


def _indented(text: str, width: int) -> str:
    return "".join(" " * width + line for line in text.splitlines(keepends=True))


def _docstrings() -> Iterator[str]:
    for pattern in _MODULES:
        for file in sorted(_FOLDER.glob(pattern)):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in (tree, *tree.body):
                if isinstance(node, (ast.Module, ast.FunctionDef)):
                    yield ast.get_docstring(node) or ""


def _sections(docstring: str) -> Iterator[Explanation]:
    starts = list(_SECTION.finditer(docstring))
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(docstring)
        section = docstring[start.end() : end] + "\n"
        examples = {name: dedent(text).strip() + "\n" for name, text in _EXAMPLE.findall(section)}
        text = _EXAMPLE.sub("", section).strip()
        code = start.group(1)
        yield Explanation(
            code,
            CODES[code],
            text[:1].upper() + text[1:],
            examples.get("Bad", ""),
            examples.get("Good", ""),
        )
