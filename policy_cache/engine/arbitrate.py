"""Arbitration: which of the wanted markers a request gets, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.changes import Placement, Source
from policy_cache.engine.run import run_block, run_end, run_ends, spread
from policy_cache.request.blocks import REQUEST, Block, Order
from policy_cache.request.location import Location, normalized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.reasons import Reason
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prefix import Prefix
    from policy_cache.request.targets import Hit

# A NamedTuple's own constructor is a Python call, and these are made for every request.
_new = tuple.__new__

_REQUEST_BLOCK = Block((), (REQUEST, 0, 0, 0), markable=True)


class Accepted(NamedTuple):
    """A marker that the request gets.

    Attributes:
        order: The place in the prefix.
        location: What carries the marker.
        ttl: Its TTL.
        number: Its placement's.
    """

    order: Order
    location: Location
    ttl: Ttl
    number: int


class Arbiter:
    """Decides one request's markers, in the order in which the policy wants them."""

    __slots__ = (
        "_claimed",
        "_client_long",
        "_effective",
        "_ends",
        "_halved",
        "_long",
        "_prefix",
        "_route",
        "_used",
        "accepted",
        "placements",
    )

    def __init__(
        self,
        route: Route,
        prefix: Prefix,
        client: Sequence[ClientMarker],
        placements: list[Placement],
        halved: Mapping[Location, Block],
    ) -> None:
        self._route = route
        self._prefix = prefix
        self._effective: Sequence[ClientMarker] = ()
        self._client_long: ClientMarker | None = None
        self._used = 0
        if client:
            self._effective = [marker for marker in client if marker.block is not None]
            self._used = len(self._effective)
            long = [marker for marker in self._effective if marker.ttl == "1h"]
            self._client_long = max(long, key=lambda marker: marker.order, default=None)
        self._long = False
        # Each marked block, and whether the client marked it.
        self._claimed: dict[Location | None, bool] = {m.block: True for m in self._effective}
        if () in self._claimed:
            self._claim_last(client=True)
        self._halved = halved
        self._ends: list[int | None] | None = None
        self.placements = placements
        self.accepted: list[Accepted] = []

    def want(self, source: Source, hit: Hit, ttl: Ttl) -> None:
        """Consider one marker, and record what becomes of it."""
        named, wanted, depth = hit
        route = self._route
        if wanted is None:
            return self._refuse(source, named, ttl, "not_markable", "outside tools, system and messages")
        if wanted[0] == REQUEST:
            if not route.request_marker:
                detail = "a marker on the request itself does not reach the provider"
                return self._refuse(source, named, ttl, "route_drops_marker", detail)
            block: Block | None = _REQUEST_BLOCK
            last = self._prefix.last()
            if last is not None and last.location in self._claimed:
                return self._refuse_claimed(source, named, ttl, last.location)
        elif route.run:
            if self._ends is None:
                self._ends = run_ends(self._prefix.prompt)
            end = run_end(self._ends, wanted)
            block = None if end is None else run_block(self._prefix.prompt, route.blocks, end)
        else:
            block = self._prefix.settle(wanted)
        if block is None:
            ends = "only a user's turn with something after it ends a cached run here"
            detail = ends if route.run else "no block there or before it can carry a marker"
            return self._refuse(source, named, ttl, "not_markable", detail)
        if self._halved:
            block = self._halved.get(block[0], block)
        location, order, _ = block
        if location in self._claimed:
            return self._refuse_claimed(source, named, ttl, location)
        if not self._prefix.reaches(order, route.minimum):
            detail = f"{route.model} caches from {route.minimum:,} tokens on"
            return self._refuse(source, named, ttl, "below_minimum", detail)
        in_place = order[0] == wanted[0] if depth == 1 else order[:depth] == wanted[:depth] and depth <= 4
        if len(location) == 2 and len(named) == 4:  # a block inside a result, for which the result is marked
            in_place = False
        reason: Reason = "applied" if in_place else "moved"
        detail = ""
        if ttl not in route.ttls:
            reason, detail, ttl = "ttl_unsupported", f"{route.model} takes no {ttl} on this route", "5m"
        if self._effective and (clash := self._clash(order, ttl)):
            return self._refuse(source, named, ttl, "kept_client_marker", clash)
        if self._used >= route.breakpoints:
            detail = f"all {route.breakpoints} breakpoints are used"
            return self._refuse(source, named, ttl, "over_budget", detail)
        self._claimed[location] = False
        self._used += 1
        if ttl == "1h":
            self._long = True
        if order[0] == REQUEST:
            self._claim_last(client=False)
        placements = self.placements
        self.accepted.append(_new(Accepted, (order, location, ttl, len(placements))))
        placements.append(_new(Placement, (source, named, location, ttl, reason, detail)))
        return None

    def _refuse(self, source: Source, named: Location, ttl: Ttl, reason: Reason, detail: str) -> None:
        self.placements.append(Placement(source, named, None, ttl, reason, detail))

    def _refuse_claimed(self, source: Source, named: Location, ttl: Ttl, location: Location) -> None:
        if self._claimed[location]:
            return self._refuse(source, named, ttl, "kept_client_marker", "")
        return self._refuse(source, named, ttl, "duplicate", f"{normalized(location)} is marked already")

    def _claim_last(self, *, client: bool) -> None:
        """A marker on the request takes effect on the last block: another there is idle, or refused."""
        last = self._prefix.last()
        if last is not None:
            self._claimed.setdefault(last.location, client)

    def _clash(self, order: Order, ttl: str) -> str:
        """The client's marker that one here would break, though it were within the budget."""
        long = self._client_long
        if ttl == "5m" and long is not None and long.order > order:
            return f"a 5m marker may not precede the client's 1h marker at {normalized(long.holder)}"
        return ""

    def settle_ttls(self) -> list[Accepted]:
        """Lower every 1h marker that would follow a 5m one, and return the markers in prefix order."""
        accepted = self.accepted
        if self._route.run:
            return [one for end in accepted for one in spread(self._prefix.prompt, self._route.blocks, end)]
        if len(accepted) > 1:
            accepted.sort()
        if not self._long:
            return accepted
        short = [marker.order for marker in self._effective if marker.ttl != "1h"]
        short += [one.order for one in accepted if one.ttl == "5m"]
        first_short = min(short, default=None)
        settled: list[Accepted] = []
        for one in accepted:
            if one.ttl == "1h" and first_short is not None and one.order > first_short:
                lowered = self.placements[one.number]._replace(
                    reason="ttl_lowered", ttl="5m", detail="a 5m marker comes before it"
                )
                self.placements[one.number] = lowered
                settled.append(one._replace(ttl="5m"))
            else:
                settled.append(one)
        return settled
