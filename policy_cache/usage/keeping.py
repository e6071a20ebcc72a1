"""Prefixes that may be kept warm: which of them to ping, and when. It only decides; others send."""

from __future__ import annotations

import threading
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from policy_cache.lifetimes import EARLY, FLOOR, Stake, gain
from policy_cache.providers.cache_rules import ExplicitRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.lifetimes import Conversation, Lifetimes
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route

P = TypeVar("P")
Key: TypeAlias = "tuple[Conversation, str]"
"""A conversation, and the model that caches it."""


class Kept(NamedTuple):
    """What an answered request left in the cache.

    Attributes:
        stake: What a ping of it is about.
        prices: The model's.
        ttl: The shortest lifetime that any of it was written for.
        lifetime: The same in seconds.
        at: When the request was sent.
        renewed: When it was read last; `at` or a ping's time.
    """

    stake: Stake
    prices: Prices | None
    ttl: Ttl
    lifetime: float
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


def kept_of(
    lifetimes: Lifetimes,
    of: Conversation,
    route: Route,
    outcome: CacheOutcome,
    prices: Prices | None,
    *,
    at: float,
    front: Callable[[], float],
) -> Kept | None:
    """What a request left in the cache that a ping can renew; None where there is nothing of the kind.

    Args:
        lifetimes: What learned of the request.
        of: Its conversation.
        route: Where it went. Only what markers write, and what a read prolongs, is kept warm.
        outcome: What it read and wrote.
        prices: The model's.
        at: When it was sent, in seconds.
        front: The share that tools and system prompt have of its tokens; asked where they live longer.
    """
    rules = route.marked
    size = outcome.read + outcome.write_5m + outcome.write_1h
    outlook = lifetimes.outlook(of)
    if not size or outlook is None or not isinstance(rules, ExplicitRules) or not rules.prolonged:
        return None
    ttl = outlook.ttl or outlook.shared
    if ttl is None:
        return None
    lost = size
    if (outlook.ttl, outlook.shared) == ("5m", "1h"):
        lost = max(0, size - round(front() * outcome.total))
    stake = Stake(size, outcome.uncached, lost, 0 if route.prewarms else 1)
    return Kept(stake, prices, ttl, rules.seconds(ttl), at, at)


class Keeping(Generic[P]):
    """What may be pinged, by when. Each prefix is pinged once in a lifetime, and no more once it did not pay.

    Safe between threads.
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

    def __len__(self) -> int:
        return len(self._held)

    def put(self, key: Key, kept: Kept | None, what: P) -> None:
        """A request was answered, or a prefix was pinged: it is the last of its conversation.

        Args:
            key: Whose it is.
            kept: What is in the cache; None where nothing is that a ping could renew.
            what: What to hand out when it is to be pinged.
        """
        with self._lock:
            self._forget(key)
            if kept is None:
                self._drop(what)
                return
            number = next(self._numbers)
            self._held[key] = number, kept, what
            heappush(self._due, (kept.due, number, key))

    def next(self) -> float | None:
        """When something is due next, if that is known; in seconds."""
        with self._lock:
            while self._due and not self._is_current(*self._due[0][1:]):
                heappop(self._due)
            return self._due[0][0] if self._due else None

    def take(self, now: float) -> Due[P] | None:
        """What is to be pinged now; whoever pinged it puts it back, and what is not worth it is let go of."""
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
                return Due(key, kept, what, expected)
            self._drop(what)

    def forget_oldest(self) -> None:
        """Let go of what was put first."""
        with self._lock:
            if self._held:
                self._forget(next(iter(self._held)))

    def clear(self) -> None:
        """Let go of all."""
        while len(self):
            self.forget_oldest()

    def _gain(self, key: Key, kept: Kept, now: float) -> float:
        outlook = self._lifetimes.outlook(key[0])
        if outlook is None or now >= kept.expires:
            return 0.0
        return gain(
            outlook,
            kept.stake,
            kept.prices,
            waited=now - kept.at,
            expires=kept.expires - kept.at,
            lifetime=kept.lifetime,
            ttl=kept.ttl,
        )

    def _is_current(self, number: int, key: Key) -> bool:
        held = self._held.get(key)
        return held is not None and held[0] == number

    def _forget(self, key: Key) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._drop(held[2])
