"""JSONPath, compiled.

jsonpath-ng parses; a whitelist of its syntax tree becomes closures that return locations. What
jsonpath-ng accepts but can never match in a request is refused by `_scan`, with the place.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from jsonpath_ng import Child, Descendants, Fields, Index, Root, Slice, This
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import parse
from jsonpath_ng.ext.filter import And, Expression, Filter, Or
from jsonpath_ng.jsonpath import JSONPath, Wildcard

from policy_cache.errors import PathError
from policy_cache.request.location import Key, Location, fields_of

Node: TypeAlias = tuple[Location, object]
Step: TypeAlias = Callable[[Node], Iterator[Node]]
Predicate: TypeAlias = Callable[[object], bool]

LONGEST = 256
"""Characters: a longer path would recurse too deeply in the parser."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPath:
    """A path ready to run.

    Attributes:
        text: The path as written.
        keys: Its keys, when it is singular (names and single indexes only); None otherwise.
        segments: Its segments as written, each with the step that takes it.
        descends: Whether it holds `..`, whose cost grows with the whole request.
    """

    text: str
    keys: Location | None
    segments: tuple[tuple[str, Step], ...]
    descends: bool

    def find(self, document: object) -> list[Location]:
        """Locate every match in document order, as jsonpath-ng's `find` would."""
        if self.keys is not None:
            location, value = _follow(document, self.keys)
            return [] if value is _MISSING else [location]
        nodes: list[Node] = [((), document)]
        for _, step in self.segments:
            nodes = [hit for node in nodes for hit in step(node)]
        return [location for location, _ in nodes]

    def miss(self, document: object) -> Miss | None:
        """Where the path stops matching, or None where it matches; for people, and slower than `find`."""
        nodes: list[Node] = [((), document)]
        for written, step in self.segments:
            found = [hit for node in nodes for hit in step(node)]
            if not found:
                return Miss(written, *nodes[-1])
            nodes = found
        return None


class Miss(NamedTuple):
    """The end of a path that does not match: the segment that failed, and the last value it failed on."""

    segment: str
    location: Location
    value: object


_MISSING = object()


def _follow(value: object, keys: Location) -> tuple[Location, object]:
    """Follow single keys; the value is `_MISSING` where one leads nowhere."""
    location: list[Key] = []
    for key in keys:
        if isinstance(key, int):
            if not isinstance(value, list) or not -len(value) <= key < len(value):
                return (), _MISSING
            index = key % len(value)
            value = value[index]
            location.append(index)
        else:
            members = value if isinstance(value, dict) else fields_of(value)
            if members is None or key not in members:
                return (), _MISSING
            value = members[key]
            location.append(key)
    return tuple(location), value


def compile_path(text: str) -> CompiledPath:
    """Compile a path of the strict subset.

    Raises:
        PathError: It is not a path, not in the subset, or can never match.
    """
    if len(text) > LONGEST:
        raise PathError(f"a path may have {LONGEST} characters, this one has {len(text)}", offset=LONGEST)
    segments = tuple(_scan(text))
    try:
        tree: JSONPath = parse(text)
    except (JSONPathError, RecursionError) as error:
        raise _syntax_error(text, error) from None
    compiled: list[tuple[str, Step]] = []
    keys: list[Key] | None = []
    for (_, written), node in zip(segments, _chain(tree), strict=True):
        compiled.append((written, _step(node)))
        key = _single_key(node)
        keys = [*keys, key] if keys is not None and key is not None else None
    descends = any(written.startswith("..") for _, written in segments)
    return CompiledPath(text, None if keys is None else tuple(keys), tuple(compiled), descends)


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INT = r"(?:0|-?[1-9][0-9]*)"
_INDEX = re.compile(rf"\[{_INT}\]")
_SLICE = re.compile(rf"\[({_INT})?:({_INT})?(?::({_INT})?)?\]")
_QUOTED = re.compile(r"\[(?:'(?:[^'\\]|\\.)+'|\"(?:[^\"\\]|\\.)+\")\]")
_LOOSE_INDEX = re.compile(r"\[\s*(-?)(0\d+|0)\s*\]")
_LOOSE_NAME = re.compile(r"\[\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\]?")
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_OPERAND = re.compile(r"(?:==|!=|<=|>=|=~|<|>)\s*([A-Za-z_]\w*)")
_WORDS = frozenset({"true", "false", "null"})


def _scan(text: str) -> Iterator[tuple[int, str]]:
    """Split a path into segments as written, each with its offset.

    Raises PathError for every form that jsonpath-ng takes in silence.
    """
    if not text.startswith("$"):
        raise PathError("a path begins with `$`, the request", offset=0, help=f"did you mean `$.{text}`?")
    at = 1
    while at < len(text):
        end = _segment_end(text, at)
        written = text[at:end]
        yield at, written
        at = end


def _segment_end(text: str, at: int) -> int:
    bracket = at
    if text.startswith(".", at):
        name = at + (2 if text.startswith("..", at) else 1)
        if text.startswith("*", name):
            return name + 1
        if match := _NAME.match(text, name):
            end = match.end()
            if text.startswith("-", end):
                whole = re.compile(r"[\w-]+").match(text, name)
                assert whole is not None
                raise PathError(
                    "a name with `-` in it needs brackets", offset=end, help=f"write `['{whole.group()}']`"
                )
            return end
        if name == at + 1 or not text.startswith("[", name):
            raise _bad_name(text, name)
        bracket = name
    if not text.startswith("[", bracket):
        found = text[bracket]
        message = "a path has no spaces" if found.isspace() else f"expected `.` or `[`, found `{found}`"
        fix = f"did you mean `$.{text[1:]}`?" if bracket == 1 and _NAME.match(text, 1) else None
        raise PathError(message, offset=bracket, help=fix)
    if text.startswith("[*]", bracket):
        return bracket + 3
    if match := _INDEX.match(text, bracket):
        return match.end()
    if match := _QUOTED.match(text, bracket):
        _check_escapes(match)
        return match.end()
    if match := _SLICE.match(text, bracket):
        _check_slice(match)
        return match.end()
    if text.startswith("[?", bracket):
        return _filter_end(text, bracket)
    raise _bad_bracket(text, bracket)


def _filter_end(text: str, start: int) -> int:
    """The end of the filter at `start`, brackets and quotes inside it balanced."""
    depth = 0
    at = start
    while at < len(text):
        if text[at] in "'\"":
            string = _STRING.match(text, at)
            if string is None:
                raise PathError("a quote is not closed", offset=at)
            _check_escapes(string)
            at = string.end()
            continue
        if (operand := _OPERAND.match(text, at)) and operand.group(1) not in _WORDS:
            raise _bare_word(operand.group(1), operand.start(1))
        if text[at] == "[":
            depth += 1
            if (
                at > start
                and (_LOOSE_INDEX.match(text, at) or _LOOSE_NAME.match(text, at))
                and not (_INDEX.match(text, at))
            ):
                raise _bad_bracket(text, at)
        elif text[at] == "]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise PathError(
        "expected `]`, found the end of the path", offset=len(text), help="close the filter with `]`"
    )


def _check_escapes(string: re.Match[str]) -> None:
    r"""Refuse escapes that jsonpath-ng drops in silence: it reads `\d` as `d`, `\n` as `n`."""
    for escape in _ESCAPE.finditer(string.group()):
        if escape.group(1) not in "'\"\\":
            raise PathError(
                f"`{escape.group()}` is not an escape that a path takes",
                offset=string.start() + escape.start(),
                help=f"write `\\\\{escape.group(1)}` for a backslash before `{escape.group(1)}`",
            )


def _bare_word(word: str, at: int) -> PathError:
    fix = word.lower() if word.lower() in _WORDS else f"'{word}'"
    return PathError(f"`{word}` needs quotes to be a text", offset=at, help=f"write `{fix}`")


def _check_slice(match: re.Match[str]) -> None:
    start, end, step = (int(part) if part else None for part in match.groups())
    if step == 0:
        raise PathError("a slice with step 0 can never match", offset=match.start(), code="PC202")
    backwards = step is not None and step < 0
    never = end == (-1 if backwards else 0)
    if backwards:
        start, end = end, start
    if never or (start is not None and end is not None and (start < 0) == (end < 0) and start >= end):
        raise PathError(
            "this slice is always empty",
            offset=match.start(),
            code="PC202",
            help="the end of a slice is not in it",
        )


def _bad_name(text: str, at: int) -> PathError:
    if at >= len(text):
        return PathError("expected a name, found the end of the path", offset=at)
    if text[at].isdigit():
        digits = re.compile(r"\d+").match(text, at)
        assert digits is not None
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


_PLACE = re.compile(r"(?:line \d+, col |at \d+:)(\d+)")


def _syntax_error(text: str, error: Exception) -> PathError:
    place = _PLACE.search(str(error))
    if place is None:
        return PathError("expected more, found the end of the path", offset=len(text))
    offset = min(int(place.group(1)), len(text))
    found = f"found `{text[offset]}`" if offset < len(text) else "found the end of the path"
    return PathError(f"{found}, which does not belong here", offset=offset)


def _chain(tree: JSONPath) -> list[JSONPath]:
    """The segments of a tree, first to last; `..x` stays one node."""
    return [] if isinstance(tree, (Root, This)) else _flat(tree)


def _flat(tree: JSONPath) -> list[JSONPath]:
    """jsonpath-ng takes all that follows `..[` as one path; its first segment is what descends."""
    if isinstance(tree, Child):
        return _chain(tree.left) + _flat(tree.right)
    if isinstance(tree, Descendants):
        first, *rest = _flat(tree.right)
        return [*_chain(tree.left), Descendants(This(), first), *rest]
    if isinstance(tree, (Fields, Index, Slice, Wildcard, Filter)):
        return [tree]
    raise _outside(tree)


def _outside(node: JSONPath) -> PathError:
    return PathError(
        f"`{node}` is outside the paths that a policy takes",
        help="names, indexes, slices, `[*]` and filters are allowed",
        code="PC203",
    )


def _single_key(node: JSONPath) -> Key | None:
    if isinstance(node, Fields) and len(node.fields) == 1:
        return str(node.fields[0])
    if isinstance(node, Index) and len(node.indices) == 1:
        return int(node.indices[0])
    return None


def _step(node: JSONPath) -> Step:
    if isinstance(node, Descendants):
        return _descendants(_step(node.right))
    key = _single_key(node)
    if key is not None:
        return _single(key)
    if isinstance(node, Slice):
        return _slice(slice(node.start, node.end, node.step))
    if isinstance(node, Wildcard):
        return _children
    if isinstance(node, Filter):
        return _filter([_predicate(expression) for expression in node.expressions])
    raise _outside(node)


def _single(key: Key) -> Step:
    def step(node: Node) -> Iterator[Node]:
        location, value = _follow(node[1], (key,))
        if value is not _MISSING:
            yield node[0] + location, value

    return step


def _slice(cut: slice) -> Step:
    def step(node: Node) -> Iterator[Node]:
        location, value = node
        if isinstance(value, list):
            for index in range(len(value))[cut]:
                yield (*location, index), value[index]

    return step


def _children(node: Node) -> Iterator[Node]:
    location, value = node
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield (*location, index), item
    else:
        for name, item in (fields_of(value) or {}).items():
            yield (*location, name), item


def _filter(predicates: list[Predicate]) -> Step:
    def step(node: Node) -> Iterator[Node]:
        for child in _children(node):
            if all(predicate(child[1]) for predicate in predicates):
                yield child

    return step


def _descendants(inner: Step) -> Step:
    def step(node: Node) -> Iterator[Node]:
        stack = [node]
        while stack:
            here = stack.pop()
            yield from inner(here)
            stack.extend(reversed(list(_children(here))))

    return step


def _predicate(node: JSONPath) -> Predicate:
    if isinstance(node, Or):
        return _either([_predicate(operand) for operand in node.operands])
    if isinstance(node, And):
        return _both([_predicate(operand) for operand in node.operands])
    if not isinstance(node, Expression):
        raise _outside(node)
    if isinstance(node.value, JSONPath):
        raise PathError(
            f"`{node}` compares two paths",
            code="PC203",
            help="compare a path with a text, a number, true, false or null",
        )
    if not _starts_at_element(node.target):
        raise PathError(
            f"`{node.target}` looks outside the element", code="PC203", help="in a filter, begin with `@`"
        )
    if node.op is None or node.op == "!":
        return _existence(node.target, wanted=node.op is None)
    keys = [_single_key(segment) for segment in _chain(node.target)]
    if None in keys:
        raise PathError(f"`{node.target}` may be many values, and only one can be compared", code="PC203")
    return _comparison(tuple(key for key in keys if key is not None), node.op, node.value)


def _starts_at_element(node: JSONPath) -> bool:
    while isinstance(node, (Child, Descendants)):
        node = node.left
    return isinstance(node, This)


def _either(operands: list[Predicate]) -> Predicate:
    return lambda value: any(operand(value) for operand in operands)


def _both(operands: list[Predicate]) -> Predicate:
    return lambda value: all(operand(value) for operand in operands)


def _existence(target: JSONPath, *, wanted: bool) -> Predicate:
    steps = [_step(node) for node in _chain(target)]

    def holds(value: object) -> bool:
        nodes: list[Node] = [((), value)]
        for step in steps:
            nodes = [hit for node in nodes for hit in step(node)]
        return bool(nodes) is wanted

    return holds


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(keys: Location, op: str, literal: object) -> Predicate:
    """Compare as RFC 9535 §2.3.5.2.2 does: types never mix, and a missing value equals nothing."""
    if op == "=~":
        return _matching(keys, literal)
    if op == "=":
        raise PathError("`=` is not a comparison", code="PC203", help="write `==`")

    def holds(value: object) -> bool:
        _, value = _follow(value, keys)
        if value is _MISSING:
            return op == "!="
        if op == "==":
            return _equal(value, literal)
        if op == "!=":
            return not _equal(value, literal)
        if _ordered(value, literal):
            return _ORDER[op](value, literal)
        return op in {"<=", ">="} and _equal(value, literal)

    return holds


def _matching(keys: Location, literal: object) -> Predicate:
    try:
        pattern = re.compile(str(literal))
    except (re.error, OverflowError) as error:
        raise PathError(f"`{literal}` is not a regular expression: {error}", code="PC203") from None

    def holds(value: object) -> bool:
        _, value = _follow(value, keys)
        return isinstance(value, str) and pattern.search(value) is not None

    return holds


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ordered(left: object, right: object) -> bool:
    return (_number(left) and _number(right)) or (isinstance(left, str) and isinstance(right, str))


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    return _ordered(left, right) and left == right
