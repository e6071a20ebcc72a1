"""What is wrong with a condition: its pattern, its range, its numbers, its list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.errors import PatternError
from policy_cache.policy.check.cover import glob_covers
from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.check.shape.schema import fields
from policy_cache.policy.check.walk import NAMES, items, matches, texts
from policy_cache.request.pattern import compile_pattern
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source

_LONGEST_LIST = 100
"""How many values of a list are compared with each other."""


def patterns(source: Source) -> Iterator[Finding]:
    """PC303: a `re:` pattern cannot be used, or stands where only globs are taken.

    Regular expressions are for `model`; `provider` and `alias` take globs. A pattern is one of Python's that
    RE2 takes too: a client may choose the name, and RE2 never goes back in it. So there is no look-around and
    no back-reference, and a repeat counts to 1,000 at most.

    Bad:
        match: {model: "re:claude-(opus"}
    Good:
        match: {model: "re:claude-(opus|sonnet).*"}
    """
    for path, match in matches(source):
        for field in NAMES:
            for at, text in texts(match.get(field), (*path, field)):
                if not text.startswith("re:"):
                    continue
                if field != "model":
                    help_ = "write a glob; regular expressions are for `model`"
                    yield Finding("PC303", f"`{field}` takes no regular expression", at, help_)
                elif (problem := _problem(text[3:])) is not None:
                    start = 0 if problem.offset is None else problem.offset + 3
                    part = (start, len(text) if problem.offset is None else start + 1)
                    message = f"invalid regular expression: {problem.message}"
                    yield Finding("PC303", message, at, problem.help, part=part)


def _problem(pattern: str) -> PatternError | None:
    try:
        compile_pattern(pattern, name=True)
    except PatternError as problem:
        return problem
    return None


def ranges(source: Source) -> Iterator[Finding]:
    """PC304: a range's `min` is larger than its `max`, so that no number is in it.

    Bad:
        match: {messages: {min: 5, max: 2}}
    Good:
        match: {messages: {min: 2, max: 5}}
    """
    fields_of_ranges = [name for name, field in fields("Match").items() if field.get("$ref") == _RANGE]
    for path, match in matches(source):
        for field in fields_of_ranges:
            limits = match.get(field)
            if not isinstance(limits, dict):
                continue
            low, high = limits.get("min"), limits.get("max")
            if isinstance(low, int) and isinstance(high, int) and low > high:
                message = f"`min` is larger than `max`: no number of {field} matches"
                marks = (Mark((*path, field, "max"), "`max`"),)
                yield Finding("PC304", message, (*path, field, "min"), marks=marks)


_RANGE = "#/$defs/Range"


def spellings(source: Source) -> Iterator[Finding]:
    """PC310: a number in `metadata` or `headers` does not keep its spelling.

    YAML reads `1.10` as the number 1.1, and the text `1.10` would not match it.

    Bad:
        match: {metadata: {release: 1.10}}
    Good:
        match: {metadata: {release: "1.10"}}
    """
    for path, match in matches(source):
        for field in ("metadata", "headers"):
            values = match.get(field)
            for name, value in values.items() if isinstance(values, dict) else ():
                for at, number in items(value, (*path, field, name)):
                    if not isinstance(number, (int, float)) or isinstance(number, bool):
                        continue
                    raw = source.raw(at)
                    if at not in source.holes and raw != str(number):
                        message, write = f"{quoted(raw)} is the number `{number}` here", f'"{raw}"'
                        yield Finding("PC310", message, at, f"quote it: {write}", write=write)


def covered_values(source: Source) -> Iterator[Finding]:
    """PC402: a value of a list matches nothing that another value of it does not match.

    Bad:
        match: {model: ["*claude*", "claude-3*"]}
    Good:
        match: {model: ["*claude*", "*gpt-5.6*"]}
    """
    for path, match in matches(source):
        for field in NAMES:
            values = list(texts(match.get(field), (*path, field)))[:_LONGEST_LIST]
            for index, (at, text) in enumerate(values):
                # Of two that match the same, the second is idle.
                wide = next(
                    (
                        other
                        for number, (_, other) in enumerate(values)
                        if number != index
                        and glob_covers(other, text)
                        and (number < index or not glob_covers(text, other))
                    ),
                    None,
                )
                if wide is not None:
                    yield Finding("PC402", f"{quoted(wide)} matches all that {quoted(text)} does", at)
