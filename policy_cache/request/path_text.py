"""The text of a JSONPath: its segments as written, and what is wrong with those that are none.

jsonpath-ng takes several forms in silence that can never match; they are refused here, with the place.
"""

from __future__ import annotations

import re

from policy_cache.errors import PathError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DASHED = re.compile(r"[\w-]+")
_INT = r"(?:0|-?[1-9][0-9]*)"
_INDEX = re.compile(rf"\[{_INT}\]")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_SEGMENT = re.compile(
    rf"\.\.?(?:\*|(?P<name>{_NAME.pattern}))"
    rf"|(?:\.\.)?(?:\[\*\]|{_INDEX.pattern}|\[(?!''|\"\")(?P<string>{_STRING.pattern})\]"
    rf"|\[(?P<start>{_INT})?(?P<cut>:)(?P<end>{_INT})?(?::(?P<step>{_INT})?)?\]|(?P<filter>\[\?))"
)
_LOOSE_INDEX = re.compile(r"\[\s*(-?)(0\d+|0)\s*\]")
_LOOSE_NAME = re.compile(r"\[\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\]?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERAND = re.compile(r"(?:==|!=|<=|>=|=~|<|>)\s*([A-Za-z_]\w*)")
_WORDS = frozenset({"true", "false", "null"})


def segments_of(text: str) -> tuple[str, ...]:
    """Split a path into segments as written.

    Raises:
        PathError: It has a form that a path does not take, or one that jsonpath-ng takes in silence.
    """
    if not text.startswith("$"):
        raise PathError("a path begins with `$`, the request", offset=0, help=f"did you mean `$.{text}`?")
    segments: list[str] = []
    at = 1
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            raise _no_segment(text, at)
        end = match.end() if match["filter"] is None else _filter_end(text, match.start("filter"))
        if match["name"] is not None and text.startswith("-", end):
            name = _DASHED.match(text, match.start("name"))
            assert name is not None
            raise PathError(
                "a name with `-` in it needs brackets", offset=end, help=f"write `['{name.group()}']`"
            )
        if match["string"] is not None:
            _check_escapes(match["string"], match.start("string"))
        if match["cut"] is not None:
            _check_slice(match)
        segments.append(text[at:end])
        at = end
    return tuple(segments)


def _no_segment(text: str, at: int) -> PathError:
    if text.startswith(".", at):
        name = at + (2 if text.startswith("..", at) else 1)
        if name == at + 1 or not text.startswith("[", name):
            return _bad_name(text, name)
        at = name
    if text.startswith("[", at):
        return _bad_bracket(text, at)
    message = "a path has no spaces" if text[at].isspace() else f"expected `.` or `[`, found `{text[at]}`"
    fix = f"did you mean `$.{text[1:]}`?" if at == 1 and _NAME.match(text, 1) else None
    return PathError(message, offset=at, help=fix)


def _filter_end(text: str, start: int) -> int:
    """The end of the filter at `start`, brackets and quotes inside it balanced."""
    depth = 0
    at = start
    while at < len(text):
        if text[at] in "'\"":
            string = _STRING.match(text, at)
            if string is None:
                raise PathError("a quote is not closed", offset=at)
            _check_escapes(string.group(), at)
            at = string.end()
            continue
        if (operand := _OPERAND.match(text, at)) and operand.group(1) not in _WORDS:
            raise _bare_word(operand.group(1), operand.start(1))
        if text[at] == "[":
            depth += 1
            loose = _LOOSE_INDEX.match(text, at) or _LOOSE_NAME.match(text, at)
            if loose and not _INDEX.match(text, at):
                raise _bad_bracket(text, at)
        elif text[at] == "]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise PathError(
        "expected `]`, found the end of the path", offset=len(text), help="close the filter with `]`"
    )


def _check_escapes(string: str, at: int) -> None:
    r"""Refuse escapes that jsonpath-ng drops in silence: it reads `\d` as `d`, `\n` as `n`."""
    for escape in _ESCAPE.finditer(string):
        if escape.group(1) not in "'\"\\":
            raise PathError(
                f"`{escape.group()}` is not an escape that a path takes",
                offset=at + escape.start(),
                help=f"write `\\\\{escape.group(1)}` for a backslash before `{escape.group(1)}`",
            )


def _bare_word(word: str, at: int) -> PathError:
    fix = word.lower() if word.lower() in _WORDS else f"'{word}'"
    return PathError(f"`{word}` needs quotes to be a text", offset=at, help=f"write `{fix}`")


def _check_slice(match: re.Match[str]) -> None:
    start, end, step = (int(match[part]) if match[part] else None for part in ("start", "end", "step"))
    at = match.start() + match.group().index("[")
    if step == 0:
        raise PathError("a slice with step 0 can never match", offset=at, code="PC202")
    backwards = step is not None and step < 0
    never = end == (-1 if backwards else 0)
    if backwards:
        start, end = end, start
    if never or (start is not None and end is not None and (start < 0) == (end < 0) and start >= end):
        raise PathError(
            "this slice is always empty", offset=at, code="PC202", help="the end of a slice is not in it"
        )


def _bad_name(text: str, at: int) -> PathError:
    if at >= len(text):
        return PathError("expected a name, found the end of the path", offset=at)
    if digits := re.compile(r"\d+").match(text, at):
        return PathError("an index is written in brackets", offset=at, help=f"write `[{digits.group()}]`")
    return PathError(f"expected a name, found `{text[at]}`", offset=at, help="write other names as `['…']`")


def _bad_bracket(text: str, at: int) -> PathError:
    if match := _LOOSE_INDEX.match(text, at):
        return PathError(
            f"`{match.group()}` is not an index and can never match",
            offset=at,
            help=f"write `[{int(match.group(1) + match.group(2))}]`",
            code="PC202",
        )
    if match := _LOOSE_NAME.match(text, at):
        name = match.group(1)
        fix = "`[-1]` is the last element" if name == "last" else f"a name is written `['{name}']`"
        return PathError(f"`[{name}]` is not an index and can never match", offset=at, help=fix, code="PC202")
    if "]" not in text[at:]:
        return PathError(
            "expected `]`, found the end of the path", offset=len(text), help="close the bracket with `]`"
        )
    inside = text[at + 1 : text.index("]", at)]
    if "," in inside:
        return PathError("one index or name to a bracket", offset=at, help="write a target for each")
    if not inside:
        return PathError("an empty bracket", offset=at, help="`[*]` is every element, `[-1]` the last")
    return PathError(f"`[{inside}]` is not an index, a slice, a quoted name or a filter", offset=at)
