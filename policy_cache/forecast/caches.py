"""Caches by what shares them: a scope, a provider and a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy_cache.providers.resolve import Route
    from policy_cache.trace.record import TraceRecord

C = TypeVar("C")

_MOST = 2_000


class Caches(Generic[C]):
    """A cache for each scope and model, and an end for those in which everything has expired."""

    def __init__(
        self,
        make: Callable[[Route, Mapping[str, object]], C],
        *,
        end: Callable[[C], None] = lambda _: None,
    ) -> None:
        """Begin without any.

        Args:
            make: Makes the cache of a route, for a first request.
            end: Told of each cache that is let go of.
        """
        self._make = make
        self._end = end
        # Each with the time from which nothing is left in it, if nobody asks for it again.
        self._known: dict[tuple[str, str, str], tuple[C, float]] = {}

    def of(self, route: Route, record: TraceRecord) -> C:
        """The cache that a request meets."""
        key = (record.scope, route.provider, route.model)
        known = self._known.get(key)
        if known is None and len(self._known) >= _MOST:
            self._forget(record.at)
        cache = self._make(route, record.request) if known is None else known[0]
        self._known[key] = cache, record.at + (route.cache.longest if route.cache else 0.0)
        return cache

    def close(self) -> None:
        """Let go of all of them."""
        for cache, _ in self._known.values():
            self._end(cache)
        self._known = {}

    def _forget(self, now: float) -> None:
        for key, (cache, expires) in list(self._known.items()):
            if now > expires:
                del self._known[key]
                self._end(cache)
