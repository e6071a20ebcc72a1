"""What the caches do, as pages show it: told by a router's plug-in, or by a recorder's lines."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from policy_cache.report.live.causes import Causes
from policy_cache.trace.follow import Arriving
from policy_cache.trace.record import kept_of, plain
from policy_cache.usage.live import LiveSums
from policy_cache.usage.recorded import Answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy_cache.engine.plan import Plan
    from policy_cache.providers.catalog import Catalog
    from policy_cache.usage.account import Account
    from policy_cache.usage.live import Snapshot


class Live:
    """Adds up answered requests, and looks why they did not read the cache. Safe between threads.

    ```python
    live = Live()
    litellm.callbacks.append(PolicyCacheHandler(engine, live=live))
    live.snapshot().hour.known_saved
    ```
    """

    def __init__(self, *, catalog: Catalog | None = None, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing.

        Args:
            catalog: How providers cache; the packaged catalog if left out.
            clock: The time in seconds since the epoch.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._sums = LiveSums(clock=clock)
        self._arriving = Arriving()
        self._causes = Causes(catalog)
        self._without_usage = 0

    def answered(
        self, plan: Plan, account: Account | None, *, session: str | None = None, at: float | None = None
    ) -> None:
        """Add an answered request, as a plug-in tells of it.

        Args:
            plan: What was decided for it.
            account: What it did; None where the answer came without usage.
            session: What stands for its session.
            at: When it was sent, in seconds since the epoch; by default now.
        """
        at = self._clock() if at is None else at
        # As it is now: a caller goes on with the same messages.
        line = {"ts": at, "request": kept_of(plan.request, ()), "session": session}
        self.add(Answered(account, at), json.dumps(line, default=plain).encode())

    def add(self, answered: Answered, line: bytes) -> None:
        """Add an answered request, and the line that a recorder writes of it."""
        account, at = answered.account, answered.at
        with self._lock:
            if account is None:
                self._without_usage += 1
            else:
                self._sums.add(account, at)
            now = self._clock()
            for record in self._arriving.records("", line, now):
                usage = None if account is None else account.usage
                self._causes.add(record._replace(usage=usage), at, now)

    def snapshot(self) -> Snapshot:
        """What is known now."""
        with self._lock:
            sums = self._sums.snapshot()
            return replace(sums, without_usage=self._without_usage, misses=self._causes.shown(sums.at))
