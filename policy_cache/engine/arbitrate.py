"""Arbitration: which of the wanted markers a request gets, and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.changes import Origin, Placement
from policy_cache.lifetimes import Choice
from policy_cache.request.blocks import REQUEST, Block, Order
from policy_cache.request.location import Location, normalized
from policy_cache.request.markers import KEY
from policy_cache.request.prefix import last_effective
from policy_cache.request.run import run_block, run_end, run_ends

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from policy_cache.engine.reasons import Reason
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prefix import Prefix
    from policy_cache.request.targets import Hit

# A NamedTuple's own constructor is a Python call, and these are made for every request.
_new = tuple.__new__

_REQUEST_BLOCK = Block((), (REQUEST, 0, 0, 0), "request", markable=True, effective=True)


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


def _counted(client: Sequence[ClientMarker], route: Route) -> int:
    """How many breakpoints litellm counts where it translates a client's marker.

    It counts those without effect, too, such as one on a text that it drops, and refuses a request with more
    than the provider takes (litellm 1.110.2, `prompt_cache_breakpoints_as_capped_cache_control`).
    """
    if route.key != KEY or not route.blocks.translated or all(marker.key == KEY for marker in client):
        return 0
    places = (marker.holder for marker in client)
    return len(
        {
            holder[:2] if holder[:1] == ("tools",) else holder
            for holder in places
            if len(holder) <= 4 and "thinking_blocks" not in holder
        }
    )


class Arbiter:
    """Decides one request's markers, in the order in which the policy wants them."""

    __slots__ = (
        "_claimed",
        "_client_long",
        "_client_short",
        "_cuts",
        "_ends",
        "_halved",
        "_prefix",
        "_recorded",
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
        cuts: Container[Location],
        *,
        recorded: bool,
    ) -> None:
        self._recorded = recorded
        self._route = route
        self._cuts = cuts
        self._prefix = prefix
        # The client's last long marker and its first short one, of those that take effect.
        self._client_long: ClientMarker | None = None
        self._client_short: ClientMarker | None = None
        # Each marked block, and whether the client marked it.
        self._claimed: dict[Location | None, bool] = {}
        for marker in client:
            if marker.block is None:
                continue
            self._claimed[self._behind(marker.block)] = True
            if route.lifetime_of(marker) == "1h":
                if self._client_long is None or marker.order > self._client_long.order:
                    self._client_long = marker
            elif self._client_short is None or marker.order < self._client_short.order:
                self._client_short = marker
        self._used = max(len(self._claimed), _counted(client, route))
        self._halved = halved
        self._ends: list[int | None] | None = None
        self.placements = placements
        self.accepted: list[Accepted] = []

    @property
    def is_full(self) -> bool:
        """Whether no breakpoint is left."""
        return self._used >= self._route.breakpoints

    def is_vain(self, hit: Hit) -> bool:
        """Whether a wish is known to win nothing before its block is looked for."""
        return self.is_full or (hit.order is not None and self._prefix.is_small(hit.order))

    def want(self, source: Origin, hit: Hit, lifetime: Ttl | Choice) -> None:
        """Consider one marker, and record what becomes of it."""
        named, wanted, depth = hit
        route = self._route
        choice = lifetime if isinstance(lifetime, Choice) else None
        ttl = lifetime if not isinstance(lifetime, Choice) else lifetime.ttl(wanted)
        if wanted is None:
            return self._refuse(source, named, ttl, "not_markable", "outside tools, system and messages")
        if wanted[0] == REQUEST:
            if not route.request_marker:
                detail = "a marker on the request itself does not reach the provider"
                return self._refuse(source, named, ttl, "route_drops_marker", detail)
            block: Block | None = _REQUEST_BLOCK
            last = last_effective(self._prefix.prompt, route.blocks)
            if last is None:
                detail = "the prompt has no block on which one would take effect"
                return self._refuse(source, named, ttl, "not_markable", detail)
            end = self._behind(last.location)
            if end in self._claimed:
                return self._refuse_claimed(source, named, ttl, last.location, end)
        else:
            block = self.settle(wanted)
        if block is None:
            runs = "only a user's turn with something after it ends a cached run here"
            detail = runs if route.run else "no block there or before it can carry a marker"
            return self._refuse(source, named, ttl, "not_markable", detail)
        location, order = block[:2]
        if location in self._claimed:
            return self._refuse_claimed(source, named, ttl, location, location)
        # A prefix is measured only where a breakpoint is left, so at most once for each.
        if self.is_full:
            detail = f"all {route.breakpoints} breakpoints are used"
            return self._refuse(source, named, ttl, "over_budget", detail, location)
        if not self._prefix.reaches(order):
            detail = f"{route.model} caches from {route.minimum:,} tokens on"
            if order < wanted and order[0] < wanted[0]:
                detail = f"nothing there can carry a marker, and up to {normalized(location)}: {detail}"
            return self._refuse(source, named, ttl, "below_minimum", detail, location)
        in_place = order[0] == wanted[0] if depth == 1 else order[:depth] == wanted[:depth] and depth <= 4
        if len(location) == 2 and len(named) == 4:  # a block inside a result, for which the result is marked
            in_place = False
        reason: Reason = "applied" if in_place else "moved"
        detail = ""
        if choice is not None:
            ttl, detail = self._chosen(choice, ttl, order)
        if ttl not in route.ttls:
            reason, detail, ttl = "ttl_unsupported", f"{route.model} takes no {ttl} on this route", "5m"
        long = self._client_long
        if ttl == "5m" and long is not None and long.order >= order:
            detail = f"a 5m marker may not precede the client's 1h marker at {normalized(long.holder)}"
            return self._refuse(source, named, ttl, "kept_client_marker", detail, location)
        self._claimed[location] = False
        self._used += 1
        if order[0] == REQUEST and end is not None:
            # It takes effect on the last block: another marker there is idle, or refused.
            self._claimed[end] = False
        placements = self.placements
        self.accepted.append(_new(Accepted, (order, location, ttl, len(placements))))
        placements.append(_new(Placement, (source, named, location, ttl, reason, detail, location)))
        return None

    def _chosen(self, choice: Choice, ttl: Ttl, order: Order) -> tuple[Ttl, str]:
        """The lifetime of a marker there that may have either, and why."""
        long = self._client_long
        if ttl == "5m" and long is not None and long.order >= order and "1h" in self._route.ttls:
            return "1h", f"the client's 1h marker at {normalized(long.holder)} comes after it"
        return ttl, choice.why(ttl) if self._recorded else ""

    def _behind(self, location: Location) -> Location:
        """Where a marker that ends a block will stand: of a text that is split, on the second half."""
        return (*location, 1) if location in self._cuts else location

    def settle(self, wanted: Order) -> Block | None:
        """The block that carries a marker for a place in the prefix."""
        prefix = self._prefix
        if self._route.run:
            if self._ends is None:
                self._ends = run_ends(prefix.prompt, prefix.rules)
            end = run_end(self._ends, wanted)
            return None if end is None else self._run_block(end)
        block = prefix.settle(wanted)
        return block if block is None or not self._halved else self._halved.get(block.location, block)

    def _run_block(self, index: int) -> Block:
        """What carries a run's marker of one message."""
        block = run_block(self._prefix.prompt, self._prefix.rules, index)
        return self._halved.get(block.location, block)

    def _spread(self, end: Accepted) -> list[Accepted]:
        """A breakpoint as the markers of its run."""
        blocks = map(self._run_block, range(end.order[1] + 1))
        return [end._replace(order=block.order, location=block.location) for block in blocks]

    def _refuse(
        self,
        source: Origin,
        named: Location,
        ttl: Ttl,
        reason: Reason,
        detail: str,
        wanted: Location | None = None,
    ) -> None:
        self.placements.append(Placement(source, named, None, ttl, reason, detail, wanted))

    def _refuse_claimed(
        self, source: Origin, named: Location, ttl: Ttl, location: Location, claim: Location | None
    ) -> None:
        if self._claimed[claim]:
            return self._refuse(source, named, ttl, "kept_client_marker", "", location)
        detail = f"{normalized(location)} is marked already"
        return self._refuse(source, named, ttl, "duplicate", detail, location)

    def settle_ttls(self) -> list[Accepted]:
        """The markers in prefix order, every 1h marker that would follow a 5m one lowered.

        On a route with runs, each breakpoint as the markers of its run.
        """
        accepted = self.accepted
        if self._route.run:
            return [marker for end in accepted for marker in self._spread(end)]
        if len(accepted) > 1:
            accepted.sort()
        if all(marker.ttl == "5m" for marker in accepted):
            return accepted
        short = [marker.order for marker in accepted if marker.ttl == "5m"]
        if self._client_short is not None:
            short.append(self._client_short.order)
        first_short = min(short, default=None)
        settled: list[Accepted] = []
        for marker in accepted:
            if marker.ttl == "1h" and first_short is not None and marker.order > first_short:
                lowered = self.placements[marker.number]._replace(
                    reason="ttl_lowered", ttl="5m", detail="a 5m marker comes before it"
                )
                self.placements[marker.number] = lowered
                settled.append(marker._replace(ttl="5m"))
            else:
                settled.append(marker)
        return settled
