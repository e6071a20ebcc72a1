"""The steps of a path: from a value of a request to those below it, each with its location."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from policy_cache.request.location import Key, Location, fields_of
from policy_cache.request.tokens import Allowance, too_large

Trail: TypeAlias = "tuple[Trail, Key] | None"
"""A location from its end: to go on costs the same at any depth."""

Node: TypeAlias = tuple[Trail, object]
Stride: TypeAlias = Callable[[Node, Allowance], Iterable[Node]]
Predicate: TypeAlias = Callable[[object, Allowance], bool]

_LEAVES = frozenset({str, int, float, bool, type(None)})


def walk(value: object, steps: Iterable[Stride], allowance: Allowance) -> Iterable[Node]:
    """What some steps lead to, in document order; nothing is looked at before it is asked for."""
    nodes: Iterable[Node] = [(None, value)]
    for step in steps:
        nodes = taken(nodes, step, allowance)
    return nodes


def taken(nodes: Iterable[Node], step: Stride, allowance: Allowance) -> Iterator[Node]:
    """What one step leads to from each of some nodes."""
    for node in nodes:
        yield from step(node, allowance)


def location_of(node: Node, allowance: Allowance) -> Location:
    """Where a node is."""
    keys: list[Key] = []
    trail = node[0]
    while trail is not None:
        trail, key = trail
        keys.append(key)
    allowance.spend(len(keys))
    return tuple(reversed(keys))


def follow(value: object, keys: Location) -> tuple[Location, object] | None:
    """Where single keys lead, and to what; None where one leads nowhere."""
    location: list[Key] = []
    for key in keys:
        member = _member(value, key)
        if member is None:
            return None
        location.append(member[0])
        value = member[1]
    return tuple(location), value


def _member(value: object, key: Key) -> tuple[Key, object] | None:
    """What a key leads to, an index counted from the start."""
    if isinstance(key, int):
        if not isinstance(value, (list, tuple)) or not -len(value) <= key < len(value):
            return None
        key %= len(value)
        return key, value[key]
    if isinstance(value, (list, tuple)):
        return None
    members = value if isinstance(value, dict) else fields_of(value)
    return None if members is None or key not in members else (key, members[key])


def single(key: Key) -> Stride:
    """`.name` and `[0]`."""

    def step(node: Node, _: Allowance) -> Iterable[Node]:
        member = _member(node[1], key)
        return () if member is None else (((node[0], member[0]), member[1]),)

    return step


def sliced(cut: slice) -> Stride:
    """`[1:2]`."""

    def step(node: Node, allowance: Allowance) -> Iterable[Node]:
        trail, value = node
        if not isinstance(value, (list, tuple)):
            return ()
        chosen = range(len(value))[cut]
        allowance.spend(len(chosen))
        return [((trail, index), value[index]) for index in chosen]

    return step


def children(node: Node, allowance: Allowance) -> Sequence[Node]:
    """`[*]`."""
    trail, value = node
    if isinstance(value, (list, tuple)):
        allowance.spend(len(value))
        return [((trail, index), item) for index, item in enumerate(value)]
    members = value if isinstance(value, dict) else fields_of(value)
    if not members:
        return ()
    allowance.spend(len(members))
    return [((trail, name), member) for name, member in members.items()]


def filtered(predicates: Sequence[Predicate]) -> Stride:
    """`[?…]`."""

    def step(node: Node, allowance: Allowance) -> Iterator[Node]:
        for child in children(node, allowance):
            if all(predicate(child[1], allowance) for predicate in predicates):
                yield child

    return step


def descending(inner: Stride) -> Stride:
    """`..`, and the step that each container below takes; one that stands in itself ends it."""

    def step(node: Node, allowance: Allowance) -> Iterator[Node]:
        stack: list[Node | int] = [node]
        above: set[int] = set()  # containers, by id, that are not yet left
        while stack:
            here = stack.pop()
            if isinstance(here, int):
                above.remove(here)
                continue
            yield from inner(here, allowance)
            inside = [child for child in children(here, allowance) if type(child[1]) not in _LEAVES]
            if inside:
                container = id(here[1])
                if container in above:
                    raise too_large()
                above.add(container)
                stack.append(container)
                stack += reversed(inside)

    return step
