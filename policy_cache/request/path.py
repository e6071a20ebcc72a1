"""JSONPath, compiled.

jsonpath-ng parses; a whitelist of its syntax tree becomes steps. What it accepts but can never match in
a request is refused by `path_text`, with the place.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonpath_ng import Child, Descendants, Fields, Index, Root, Slice, This
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import parse
from jsonpath_ng.ext.filter import And, Expression, Filter, Or
from jsonpath_ng.jsonpath import JSONPath, Wildcard

from policy_cache.errors import PathError, PatternError
from policy_cache.request.location import Mapped
from policy_cache.request.path_text import segments_of
from policy_cache.request.pattern import compile_pattern
from policy_cache.request.steps import (
    Node,
    Predicate,
    Stride,
    children,
    descending,
    filtered,
    follow,
    location_of,
    single,
    sliced,
    taken,
    walk,
)
from policy_cache.request.tokens import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from policy_cache.request.location import Key, Location

LONGEST = 256
"""Characters: a longer path would recurse too deeply in the parser."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPath:
    """A path ready to run. It looks at no more values than `Allowance` has, as a walk over a request does.

    Attributes:
        text: The path as written.
        keys: Its keys, when it is singular (names and single indexes only); None otherwise.
        segments: Its segments as written, each with the step that takes it.
        descends: Whether it holds `..`, whose cost grows with the whole request.
    """

    text: str
    keys: Location | None
    segments: tuple[tuple[str, Stride], ...]
    descends: bool

    def find(self, document: object) -> list[Location]:
        """Locate every match in document order, as jsonpath-ng's `find` would.

        Raises:
            RequestError: The document is cyclic, or too large to be a request.
        """
        return [*self.locations(document)]

    def locations(self, document: object) -> Sequence[Location]:
        """What `find` gives, each location told when it is asked for.

        Raises:
            RequestError: As `find`; for a location that is too deep, when it is asked for.
        """
        if self.keys is not None:
            end = follow(document, self.keys)
            return [] if end is None else [end[0]]
        allowance = Allowance()
        nodes = [*self._nodes(document, allowance)]
        return Mapped(nodes, lambda node: location_of(node, allowance))

    def matches(self, document: object) -> bool:
        """Whether there is any match; it looks no further than the first.

        Raises:
            RequestError: The document is cyclic, or too large to be a request.
        """
        if self.keys is not None:
            return follow(document, self.keys) is not None
        return any(True for _ in self._nodes(document, Allowance()))

    def _nodes(self, document: object, allowance: Allowance) -> Iterable[Node]:
        return walk(document, (step for _, step in self.segments), allowance)

    def miss(self, document: object) -> DeadEnd | None:
        """Where the path stops matching, or None where it matches; for people, and slower than `find`."""
        allowance = Allowance()
        nodes: list[Node] = [(None, document)]
        for written, step in self.segments:
            hits = list(taken(nodes, step, allowance))
            if not hits:
                return DeadEnd(written, location_of(nodes[-1], allowance), nodes[-1][1])
            nodes = hits
        return None


class DeadEnd(NamedTuple):
    """The end of a path that does not match: the segment that failed, and the last value it failed on."""

    segment: str
    location: Location
    value: object


def compile_path(text: str) -> CompiledPath:
    """Compile a path of the strict subset.

    Raises:
        PathError: It is not a path, not in the subset, or can never match.
    """
    if len(text) > LONGEST:
        raise PathError(f"a path may have {LONGEST} characters, this one has {len(text)}", offset=LONGEST)
    written = segments_of(text)
    try:
        tree: JSONPath = parse(text)
    except (JSONPathError, RecursionError) as error:
        raise _syntax_error(text, error) from None
    nodes = _chain(tree)
    return CompiledPath(
        text,
        _keys(nodes),
        tuple(zip(written, map(_step, nodes), strict=True)),
        descends=any(segment.startswith("..") for segment in written),
    )


_PLACE = re.compile(r"(?:line \d+, col |at \d+:)(\d+)")


def _syntax_error(text: str, error: Exception) -> PathError:
    place = _PLACE.search(str(error))
    if place is None:
        return PathError("expected more, found the end of the path", offset=len(text))
    offset = min(int(place.group(1)), len(text))
    here = f"found `{text[offset]}`" if offset < len(text) else "found the end of the path"
    return PathError(f"{here}, which does not belong here", offset=offset)


def _chain(tree: JSONPath) -> list[JSONPath]:
    """The segments of a tree, first to last; `..x` stays one node.

    jsonpath-ng takes all that follows `..[` as one path; its first segment is what descends.
    """
    if isinstance(tree, (Root, This)):
        return []
    if isinstance(tree, (Child, Descendants)):
        right = _chain(tree.right)
        if not right:
            raise _outside(tree.right)
        if isinstance(tree, Descendants):
            right[0] = Descendants(This(), right[0])
        return _chain(tree.left) + right
    if isinstance(tree, (Fields, Index, Slice, Wildcard, Filter)):
        return [tree]
    raise _outside(tree)


def _outside(node: JSONPath) -> PathError:
    return PathError(
        f"`{node}` is outside the paths that a policy takes",
        help="names, indexes, slices, `[*]` and filters are allowed",
        code="PC203",
    )


def _key(node: JSONPath) -> Key | None:
    if isinstance(node, Fields) and len(node.fields) == 1:
        return str(node.fields[0])
    if isinstance(node, Index) and len(node.indices) == 1:
        return int(node.indices[0])
    return None


def _keys(nodes: list[JSONPath]) -> Location | None:
    """The keys of a singular path."""
    keys = [_key(node) for node in nodes]
    return None if None in keys else tuple(key for key in keys if key is not None)


def _step(node: JSONPath) -> Stride:
    if isinstance(node, Descendants):
        return descending(_step(node.right))
    key = _key(node)
    if key is not None:
        return single(key)
    if isinstance(node, Slice):
        return sliced(slice(node.start, node.end, node.step))
    if isinstance(node, Wildcard):
        return children
    if isinstance(node, Filter):
        return filtered([_predicate(expression) for expression in node.expressions])
    raise _outside(node)


def _predicate(node: JSONPath) -> Predicate:
    if isinstance(node, (And, Or)):
        operands = [_predicate(operand) for operand in node.operands]
        quantified = all if isinstance(node, And) else any
        return lambda value, allowance: quantified(operand(value, allowance) for operand in operands)
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
    nodes = _chain(node.target)
    if node.op is None or node.op == "!":
        steps, wanted = [_step(segment) for segment in nodes], node.op is None
        return lambda value, allowance: any(True for _ in walk(value, steps, allowance)) is wanted
    keys = _keys(nodes)
    if keys is None:
        raise PathError(f"`{node.target}` may be many values, and only one can be compared", code="PC203")
    return _comparison(keys, node.op, node.value)


def _starts_at_element(node: JSONPath) -> bool:
    while isinstance(node, (Child, Descendants)):
        node = node.left
    return isinstance(node, This)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(keys: Location, op: str, literal: object) -> Predicate:
    """Compare as RFC 9535 §2.3.5.2.2 does: types never mix, and a missing value equals nothing."""
    if op == "=":
        raise PathError("`=` is not a comparison", code="PC203", help="write `==`")
    if op == "=~":
        return _matching(keys, literal)
    compare, kind = _OPERATORS[op], _kind(literal)

    def holds(value: object, _: Allowance) -> bool:
        end = follow(value, keys)
        if end is not None and kind is not None and _kind(end[1]) is kind:
            return compare(end[1], literal)
        same = end is not None and end[1] is literal
        return op in {"==", "<=", ">="} if same else op == "!="

    return holds


def _kind(value: object) -> type | None:
    """What is compared by its value: a text or a number; None for what is only the same or not."""
    if isinstance(value, str):
        return str
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _matching(keys: Location, literal: object) -> Predicate:
    try:
        pattern = compile_pattern(str(literal))
    except PatternError as error:
        message = f"`{literal}` is not a regular expression: {error}"
        raise PathError(message, code="PC203", help=error.help) from None

    def holds(value: object, _: Allowance) -> bool:
        end = follow(value, keys)
        return end is not None and isinstance(end[1], str) and pattern.search(end[1])

    return holds
