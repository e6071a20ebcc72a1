"""What each code means, from the docstring of the check that reports it.

The source is read rather than imported: `python -OO` keeps no docstrings.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from policy_cache.policy.check import table

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    modules = {code.check.__module__ if code.check else table.__name__ for code in table.TABLE.values()}
    sections = {
        each.code: each for module in modules for text in _docstrings(module) for each in _sections(text)
    }
    return {code: sections[code] for code in table.TABLE}


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


def _docstrings(module: str) -> Iterator[str]:
    """The docstrings of a module and of its functions."""
    file = sys.modules[module].__file__
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
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
            table.TABLE[code].title,
            text[:1].upper() + text[1:],
            examples.get("Bad", ""),
            examples.get("Good", ""),
        )
