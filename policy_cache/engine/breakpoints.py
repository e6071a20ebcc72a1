"""The breakpoints of the request that is sent, each with whose it is: the one place where that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.request.blocks import REQUEST
from policy_cache.request.location import value_at
from policy_cache.request.markers import KEY
from policy_cache.request.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy_cache.engine.changes import Origin
    from policy_cache.engine.injection import Injection
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Order
    from policy_cache.request.location import Location


Party: TypeAlias = Literal["policy", "client", "litellm"]


class Breakpoint(NamedTuple):
    """A marker in the request that is sent.

    Attributes:
        at: What carries it there.
        block: The block on which it takes effect there: the last one for a marker on the request itself.
            None where it takes none.
        order: The block's place in the prefix.
        ttl: Its TTL as written; a bare marker counts as `5m`.
        key: The member that it is.
        slot: Which of the route's breakpoints it is, from 1, in prefix order; None where it takes no effect.
            Markers on one block share a slot, and so do those of a run.
        party: Who placed it.
        source: What the policy placed it for; None for the others.
        origin: Its block in the request as it was.
    """

    at: Location
    block: Location | None
    order: Order
    ttl: str
    key: str
    slot: int | None
    party: Party
    source: Origin | None
    origin: Location | None

    @property
    def placer(self) -> str:
        """The name of the rule that placed it, or the party in parentheses, which no rule is called."""
        return f"({self.party})" if self.source is None else self.source.rule


def breakpoints(
    original: Mapping[str, object],
    sent: Mapping[str, object],
    route: Route,
    *,
    owners: Mapping[Location, Origin],
    splits: Iterable[Location],
    injection: Injection | None,
) -> tuple[Breakpoint, ...]:
    """Every marker of a request, in prefix order.

    Args:
        original: The request as it was.
        sent: The request to send.
        route: Where it goes.
        owners: Who placed a marker, by its place in the request as it was; every other is the client's.
        splits: The texts that were split, as they stood in the request as it was.
        injection: What litellm adds by itself.
    """
    move = _Moves(original, splits)
    placed = {move.carrier(location): source for location, source in owners.items()}
    points: list[Breakpoint] = []
    slots: dict[Location, int] = {}
    markers = sorted(route.markers_of(Prompt(sent, route.shape)), key=lambda marker: marker.order)
    for holder, block, order, ttl, key in markers:
        source = placed.get(holder) if key == route.key else None
        party: Party = "client" if source is None else "policy"
        slot = None
        if block is not None:
            slot = 1 if route.run else slots.setdefault(block, len(slots) + 1)
        origin = None if block is None else move.back(block)
        points.append(Breakpoint(holder, block, order, ttl, key, slot, party, source, origin))
    if injection == "points" or (injection == "automatic" and not points):
        order = (REQUEST, 0, 0, 0)
        points.append(Breakpoint((), None, order, "5m", KEY, len(slots) + 1, "litellm", None, None))
    return tuple(points)


class _Moves:
    """Where a block of the request as it was stands in the one that is sent, and the other way round.

    A block behind a text that was split stands one place later; a text that was marked or split is a list.
    """

    def __init__(self, original: Mapping[str, object], splits: Iterable[Location]) -> None:
        self._original = original
        self._splits: dict[Location, list[int]] = {}
        for split in splits:
            if isinstance(split[-1], int):
                self._splits.setdefault(split[:-1], []).append(split[-1])

    def carrier(self, location: Location) -> Location:
        """What carries the marker of a block of the request as it was."""
        numbers = self._splits.get(location[:-1], ()) if location else ()
        if numbers and isinstance(number := location[-1], int):
            return (*location[:-1], number + sum(split < number for split in numbers))
        return (*location, 0) if isinstance(value_at(self._original, location), str) else location

    def back(self, location: Location) -> Location:
        """Where a block of the request that is sent stood in the request as it was."""
        if not isinstance(number := location[-1], int):
            return location
        if numbers := self._splits.get(location[:-1]):
            passed = sum(number > split + index for index, split in enumerate(sorted(numbers)))
            return (*location[:-1], number - passed)
        around = location[:-1]
        return around if around and isinstance(value_at(self._original, around), str) else location
