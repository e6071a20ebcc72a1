"""A replay that tells what became of each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.forecast.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.forecast.calibration import Calibration
    from policy_cache.forecast.result import Column, Simulation
    from policy_cache.live.engine import Engine
    from policy_cache.trace.record import TraceRecord
    from policy_cache.usage.totals import Totals

_ALL = ""


class Observed:
    """A replay, one request at a time."""

    def __init__(self, engines: Sequence[Engine], calibration: Calibration) -> None:
        """Begin with empty caches."""
        self._replay = Replay(engines, calibration=calibration, by=lambda _: _ALL)

    @property
    def engines(self) -> Sequence[Engine]:
        """The policies as they stand: each learns from the requests that were added."""
        return self._replay.engines

    def add(self, record: TraceRecord) -> tuple[Totals | None, ...]:
        """Replay a request.

        Returns:
            For no caching, each policy, what was sent and what was recorded, what became of it; None where
            nothing was recorded. Nothing at all for a request that cannot be replayed.
        """
        self._replay.add(record)
        simulation = self._replay.found
        columns: tuple[Column, ...] = (
            simulation.uncached,
            *simulation.policies,
            simulation.as_sent,
            simulation.recorded,
        )
        if not simulation.uncached.groups:
            return ()
        # The sums by group hold one request only, and are taken away before the next.
        return tuple(column.groups.pop(_ALL, None) for column in columns)

    def finish(self) -> Simulation:
        """The whole replay, once every request was added."""
        return self._replay.finish()
