"""Prefixes that may be kept warm: which of them to ping, and when. It only decides; others send."""

from __future__ import annotations

import threading
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from policy_cache.lifetimes import EARLY, FLOOR, Stake, gain, stays
from policy_cache.providers.cache_rules import BreakpointRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.lifetimes import Conversation, Lifetimes
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route

_MOST_KNOWN, _MOST_OUTDATED = 20_000, 1_000
# OpenAI's Responses API refuses a `max_output_tokens` below that.
_LEAST_OF_RESPONSES = 16

P = TypeVar("P")
Key: TypeAlias = "tuple[Conversation, str]"
"""A conversation, and the model that caches it."""


def least_reply(route: Route) -> int | None:
    """How many tokens a ping has to ask for; None where none that asks for few is answered.

    A model of OpenAI's thinks within them: its Responses API cuts the reply off, and its chat API may fail.

    Args:
        route: Where the ping goes.
    """
    if route.shape == "responses" and not route.bridged:
        return _LEAST_OF_RESPONSES
    if isinstance(route.marked, BreakpointRules):
        return None
    return 0 if route.prewarms else 1


class Kept(NamedTuple):
    """What an answered request left in the cache.

    Attributes:
        stake: What a ping of it is about.
        prices: The model's.
        ttl: What the part that is lost first was written for.
        lifetime: The same in seconds.
        route: Where the request went.
        switches: Whether it would be written for as long as pays, once it is lost: by `ttl: auto`.
        at: When the request was sent, in seconds.
        renewed: When it was read last: `at`, or the time of a ping.
    """

    stake: Stake
    prices: Prices | None
    ttl: Ttl
    lifetime: float
    route: Route
    switches: bool
    at: float
    renewed: float

    @property
    def expires(self) -> float:
        """When it is lost, if nobody reads it."""
        return self.renewed + self.lifetime

    @property
    def due(self) -> float:
        """When to ping it."""
        return self.expires - EARLY * self.lifetime


class Due(NamedTuple, Generic[P]):
    """A ping to be sent.

    Attributes:
        key: Whose.
        kept: What it renews.
        what: What was given with it, such as the request.
        gain: What it is expected to gain, in USD.
    """

    key: Key
    kept: Kept
    what: P
    gain: float


class Keeping(Generic[P]):
    """What may be pinged, by when. Each prefix is pinged once in a lifetime, and no more once it did not pay.

    A prefix that was written in part for an hour is pinged for the sake of the rest. Safe between threads.
    """

    def __init__(
        self, lifetimes: Lifetimes, *, floor: float = FLOOR, drop: Callable[[P], object] = lambda _: None
    ) -> None:
        """Begin with nothing.

        Args:
            lifetimes: What is known of conversations.
            floor: USD that a ping must be expected to gain.
            drop: Told of what is let go of.
        """
        self._lifetimes = lifetimes
        self._floor = floor
        self._drop = drop
        self._lock = threading.Lock()
        self._numbers = count()
        self._held: dict[Key, tuple[int, Kept, P]] = {}
        self._due: list[tuple[float, int, Key]] = []
        # The pings under way that may still be put back.
        self._away: dict[Key, Due[P]] = {}
        # Of a conversation's prefix, how many tokens from its front were written for an hour.
        self._long: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def answered(
        self,
        of: Conversation,
        route: Route,
        outcome: CacheOutcome,
        prices: Prices | None,
        what: P,
        *,
        at: float,
        switches: bool = False,
        reply: int | None = None,
    ) -> None:
        """A request was answered, and learned from: it is the last of its conversation.

        Only what markers write, and what a read prolongs, can be kept warm.

        Args:
            of: Its conversation.
            route: Where it went.
            outcome: What it read and wrote, as reported.
            prices: The model's.
            what: What to hand out when it is to be pinged.
            at: When it was sent, in seconds.
            switches: Whether what it wrote is written for as long as pays, by `ttl: auto`.
            reply: How many tokens a ping asks for; by default as few as the route takes.
        """
        key, rules = (of, route.qualified), route.marked
        size = outcome.read + outcome.write_5m + outcome.write_1h
        outlook = self._lifetimes.outlook(of, route)
        kept = None
        reply = least_reply(route) if reply is None else reply
        if size and outlook is not None and rules is not None and rules.prolonged and reply is not None:
            long = self._lives_long(key, outcome, shared=outlook.shared == "1h")
            ttl: Ttl = "5m" if long < size else "1h"
            lost = size - long if long < size else size
            stake = Stake(size, outcome.uncached, lost, reply)
            kept = Kept(stake, prices, ttl, rules.seconds(ttl), route, switches, at, at)
        self._put(key, kept, what)

    def _lives_long(self, key: Key, outcome: CacheOutcome, *, shared: bool) -> int:
        """How much of a prefix lives for an hour: what was written so, behind nothing that does not.

        Args:
            key: Whose it is.
            outcome: What the request read and wrote.
            shared: Whether what it shares with other conversations does.
        """
        with self._lock:
            before = self._long.pop(key, None)
            if before is None:
                before = outcome.read if shared else 0
            long = min(before, outcome.read)
            if long == outcome.read:
                long += outcome.write_1h
            self._long[key] = long
            while len(self._long) > _MOST_KNOWN:
                del self._long[next(iter(self._long))]
            return long

    def renewed(self, ping: Due[P], at: float) -> None:
        """A ping was answered, and read what it was about.

        It is let go of where a later request was answered meanwhile, or its conversation was let go of.

        Args:
            ping: The ping.
            at: When it was sent, in seconds.
        """
        self._lifetimes.renew(ping.key[0], at)
        with self._lock:
            if self._returned(ping):
                self._hold(ping.key, ping.kept._replace(renewed=at), ping.what)
            else:
                self._drop(ping.what)

    def lost(self, ping: Due[P]) -> None:
        """A ping was not sent, or did not read what it was about: let go of it."""
        with self._lock:
            self._returned(ping)
            self._drop(ping.what)

    def _returned(self, ping: Due[P]) -> bool:
        """Whether a ping that was under way is still wanted."""
        if self._away.get(ping.key) is not ping:
            return False
        del self._away[ping.key]
        return True

    def _put(self, key: Key, kept: Kept | None, what: P) -> None:
        with self._lock:
            self._forget(key)
            if kept is None:
                self._drop(what)
                return
            self._hold(key, kept, what)

    def _hold(self, key: Key, kept: Kept, what: P) -> None:
        number = next(self._numbers)
        self._held[key] = number, kept, what
        heappush(self._due, (kept.due, number, key))
        if len(self._due) > 2 * len(self._held) + _MOST_OUTDATED:
            self._due = [entry for entry in self._due if self._is_current(*entry[1:])]
            heapify(self._due)

    def next(self) -> float | None:
        """When something is due next, if that is known; in seconds."""
        with self._lock:
            while self._due and not self._is_current(*self._due[0][1:]):
                heappop(self._due)
            return self._due[0][0] if self._due else None

    def take(self, now: float) -> Due[P] | None:
        """What is to be pinged now; what is not worth it is dropped.

        Whoever asks tells `renewed` or `lost` of it.
        """
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > now:
                    return None
                _, number, key = heappop(self._due)
                if not self._is_current(number, key):
                    continue
                _, kept, what = self._held.pop(key)
                expected = self._gain(key, kept, now)
                if expected > 0 and expected >= self._floor:
                    ping = self._away[key] = Due(key, kept, what, expected)
                    return ping
                self._drop(what)

    def forget(self, of: Conversation, route: Route) -> None:
        """Let go of a conversation's prefix on a route."""
        with self._lock:
            self._forget((of, route.qualified))

    def forget_oldest(self) -> None:
        """Let go of what was put first."""
        with self._lock:
            if self._held:
                self._forget(next(iter(self._held)))

    def clear(self) -> None:
        """Let go of all, and of the pings under way once they are answered."""
        with self._lock:
            self._away.clear()
            while self._held:
                self._forget(next(iter(self._held)))

    def _gain(self, key: Key, kept: Kept, now: float) -> float:
        outlook, prices = self._lifetimes.outlook(key[0], kept.route), kept.prices
        if outlook is None or prices is None or now >= kept.expires:
            return 0.0
        switches = kept.switches and outlook.hour and kept.ttl == "5m"
        if switches and not stays(outlook, kept.stake, prices, kept.lifetime):
            return 0.0
        return gain(
            outlook,
            kept.stake,
            prices,
            waited=now - kept.at,
            expires=kept.expires - kept.at,
            lifetime=kept.lifetime,
            ttl=kept.ttl,
        )

    def _is_current(self, number: int, key: Key) -> bool:
        held = self._held.get(key)
        return held is not None and held[0] == number

    def _forget(self, key: Key) -> None:
        self._away.pop(key, None)
        held = self._held.pop(key, None)
        if held is not None:
            self._drop(held[2])
