"""What waits for its next request, in the order of its last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.lifetimes.pauses import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Waiting:
    """Keys by how long they have waited; each passes from stretch to stretch once, so a step costs little."""

    def __init__(self) -> None:
        """Begin with nothing that waits."""
        self._stretches: tuple[dict[int, float], ...] = tuple({} for _ in BOUNDS)

    def __len__(self) -> int:
        return sum(map(len, self._stretches))

    def passed(self, now: float) -> Iterator[tuple[int, int]]:
        """Each key that has waited through a stretch since it was asked last, and the stretch.

        What passes the last one waits no longer.
        """
        for stretch, waiting in enumerate(self._stretches):
            while waiting:
                key, at = next(iter(waiting.items()))
                if now - at < BOUNDS[stretch]:
                    break
                del waiting[key]
                if stretch + 1 < len(BOUNDS):
                    self._stretches[stretch + 1][key] = at
                yield key, stretch

    def came(self, key: int, at: float) -> int | None:
        """A request came now: in which stretch of waiting; None where none waited for it."""
        found = None
        for stretch, waiting in enumerate(self._stretches):
            if waiting.pop(key, None) is not None:
                found = stretch
                break
        self._stretches[0][key] = at
        return found

    def drop(self) -> int:
        """Let go of what has waited longest."""
        waiting = next(waiting for waiting in reversed(self._stretches) if waiting)
        key = next(iter(waiting))
        del waiting[key]
        return key
