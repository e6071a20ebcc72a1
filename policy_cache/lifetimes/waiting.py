"""What waits for its next request, in the order of its last one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, TypeVar

from policy_cache.lifetimes.pauses import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

V = TypeVar("V")


class Waiting(Generic[V]):
    """Keys by how long they have waited; each passes from stretch to stretch once, so a step costs little.

    Not for several threads at once, but for `last`, whose values are replaced whole.

    Attributes:
        last: What is kept of each.
    """

    def __init__(self, most: int) -> None:
        """Keep at most so many, those that have waited for the shortest time."""
        self.last: dict[int, V] = {}
        self._most = most
        self._stretches: tuple[dict[int, float], ...] = tuple({} for _ in BOUNDS)
        self._places: dict[int, int] = {}
        # Nothing passes before then.
        self._next = math.inf

    def passed(self, now: float) -> Sequence[tuple[V, int]]:
        """What has waited through a stretch since it was asked last, and the stretch.

        What passes the last one waits no longer, and nothing is kept of it.
        """
        if now < self._next:
            return ()
        passed = []
        self._next = math.inf
        for stretch, waiting in enumerate(self._stretches):
            while waiting:
                key = next(iter(waiting))
                if now - waiting[key] < BOUNDS[stretch]:
                    self._next = min(self._next, waiting[key] + BOUNDS[stretch])
                    break
                at = waiting.pop(key)
                passed.append((self.last[key], stretch))
                if stretch + 1 < len(BOUNDS):
                    self._stretches[stretch + 1][key] = at
                    self._places[key] = stretch + 1
                else:
                    del self.last[key], self._places[key]
        return passed

    def came(self, key: int, at: float) -> int | None:
        """A request came now; whoever says so keeps something of it in `last`.

        Returns:
            The stretch of waiting in which it came; None where none waited for it.
        """
        stretch = self._places.get(key)
        if stretch is not None:
            del self._stretches[stretch][key]
        self._stretches[0][key] = at
        self._places[key] = 0
        self._next = min(self._next, at + BOUNDS[0])
        if len(self._places) > self._most:
            self._drop()
        return stretch

    def _drop(self) -> None:
        """Let go of what has waited longest."""
        waiting = next(waiting for waiting in reversed(self._stretches) if waiting)
        key = next(iter(waiting))
        del waiting[key], self._places[key]
        self.last.pop(key, None)
