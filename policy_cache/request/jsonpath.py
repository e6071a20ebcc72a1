"""JSONPath, compiled.

jsonpath-ng parses; a whitelist of its syntax tree becomes closures that return locations. What
jsonpath-ng accepts but can never match in a request is refused by `segments`, with the place.
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
from policy_cache.request.segments import segments_of

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
    segments = tuple(segments_of(text))
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
