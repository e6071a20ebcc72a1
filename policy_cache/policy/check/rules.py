"""The rules of a valid policy, and what others apply with each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from policy_cache.policy.check.cover import rule_covers
from policy_cache.policy.check.walk import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_NEAREST = 50
"""How many rules before one are compared with it: a policy of thousands is checked in time, too."""

_SAME_PLACE = {"$.tools": "tools", "$.tools[-1]": "tools"}
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_SLICE = re.compile(r"\[(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?\]")


@dataclass(frozen=True)
class Place:
    """One target of a rule.

    Attributes:
        path: Its data path.
        text: The named target or JSONPath.
        ttl: Its lifetime; the action's, or five minutes, where it has none of its own.
        take: Which of its hits it takes.
        boundary: Where a system prompt stops being stable, for `system.stable`.
    """

    path: Path
    text: str
    ttl: str
    take: str | int
    boundary: str | None = None

    @property
    def key(self) -> str:
        """One text for all that name the same place."""
        return (
            _SAME_PLACE.get(self.text, self.text) if self.boundary is None else f"{self.text} {self.boundary}"
        )

    @cached_property
    def bound(self) -> float:
        """The most places that it names: infinite for wildcards, filters and slices without an end."""
        named = _bound(self.text)
        if self.take in {"first", "last"}:
            return 1
        return min(named, self.take) if isinstance(self.take, int) else named

    @cached_property
    def section(self) -> tuple[int, int]:
        """The parts of the prefix it can be in: 0 tools, 1 system, 2 messages, 3 the end."""
        for name, section in _SECTIONS:
            if re.match(rf"{name}\b", self.text):
                return section
        return 0, 3


_SECTIONS = (
    ("tools", (0, 0)),
    (r"\$\.tools", (0, 0)),
    ("system", (1, 1)),
    (r"\$\.system", (1, 1)),
    (r"messages\.", (2, 2)),
    (r"\$\.messages", (1, 2)),
    ("request", (3, 3)),
)


def _bound(text: str) -> float:
    if not text.startswith("$"):
        return 1
    bare = _QUOTED.sub("''", text)
    if "*" in bare or "[?" in bare or ".." in bare:
        return float("inf")
    total = 1.0
    for match in _SLICE.finditer(bare):
        start, end, step = (int(limit) if limit else None for limit in match.groups())
        total *= _length(start, end) if step is None or step > 0 else float("inf")
    return total


def _length(start: int | None, end: int | None) -> float:
    if end is None:
        return -start if start is not None and start < 0 else float("inf")
    if (start or 0) < 0 and end >= 0:
        return float(min(-(start or 0), end))
    return end - (start or 0) if end > 0 or (start or 0) < 0 else float("inf")


@dataclass(frozen=True)
class Rule:
    """A rule as it is written.

    Attributes:
        path: Its data path.
        data: Its fields.
    """

    path: Path
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What reports call it."""
        return str(self.data["name"])

    @property
    def match(self) -> Mapping[str, Any]:
        """Its match block; empty where it has none."""
        return self.data.get("match") or {}

    @property
    def marks(self) -> bool:
        """Whether it adds markers."""
        return "add_cache_control" in self.data["action"]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Its targets, with what the action says of all of them."""
        own = self.data["action"].get("add_cache_control") or {}
        places = []
        for index, target in enumerate(self.data.get("targets") or ()):
            given = target if isinstance(target, dict) else {"at": target}
            ttl = given.get("ttl") or own.get("ttl") or "5m"
            path = (*self.path, "targets", index)
            places.append(Place(path, given["at"], ttl, given.get("take", "all"), given.get("boundary")))
        return tuple(places)


def rules_of(source: Source) -> tuple[Rule, ...]:
    """Every rule, in file order."""
    return tuple(Rule(path, data) for path, data in rules(source))


def with_companions(source: Source, *, marking: bool) -> Iterator[tuple[Rule, tuple[Rule, ...]]]:
    """Each rule with those before it that match whatever it matches; of marking ones, or of all."""
    listed = [rule for rule in rules_of(source) if rule.marks or not marking]
    for index, rule in enumerate(listed):
        before = listed[max(0, index - _NEAREST) : index]
        yield rule, tuple(earlier for earlier in before if rule_covers(earlier.data, rule.data))
