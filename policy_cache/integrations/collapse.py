"""The alarm for a cache that stops being read: which block of the prefix changed, and never its text."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.blocks import value_of, walk
from policy_cache.request.location import Location, normalized
from policy_cache.request.markers import unmarked
from policy_cache.request.prompt import Prompt
from policy_cache.request.session import session_of
from policy_cache.usage.sessions import hashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.engine.plan import Plan
    from policy_cache.request.blocks import BlockRules
    from policy_cache.usage.usage import CacheUsage

_log = logging.getLogger("policy_cache")
_MOST_BLOCKS = 2_000
# An entry lives for five minutes at least; what is older may have expired by itself.
_LIFETIME = 300.0


class _Session(NamedTuple):
    """What is kept of a session's last request: a hash of eight bytes for each block, and no text."""

    blocks: list[tuple[Location, bytes]]
    cached: bool
    at: float
    told: bool


class CollapseAlarm:
    """Warns once a session whose prompt was cached reads nothing any more, though it soon follows.

    Hand it to `PolicyCacheHandler(engine, alarm=…)`. A session is `metadata.session_id`, or else requests to
    one model that begin with the same turn of a user.

    Attributes:
        alarms: How many sessions it warned of.
    """

    def __init__(self, *, sessions: int = 1_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep hashes of at most so many sessions, the ones seen last.

        Args:
            sessions: How many; each takes some 100 bytes a block, of 2,000 blocks at the most.
            clock: The time in seconds.
        """
        self.alarms = 0
        self._most = sessions
        self._clock = clock
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def answered(self, plan: Plan, usage: CacheUsage | None) -> None:
        """Look at an answered request and its usage."""
        if usage is None or plan.route.mechanism != "explicit":
            return
        prompt = Prompt(plan.original, plan.route.shape)
        blocks = list(_hashes(prompt, plan.route.blocks))
        key = session_of(prompt, plan.route.model)
        before, now = self._sessions.pop(key, None), self._clock()
        told = before is not None and before.told
        if (
            before is not None
            and before.cached
            and not usage.read
            and not told
            and now - before.at < _LIFETIME
        ):
            changed = _first_change(before.blocks, blocks)
            if changed is not None:
                told = True
                self.alarms += 1
                _log.warning(
                    "%s stopped reading its cache: %s differs from the request before it in this session "
                    "(said once a session)",
                    plan.route.name,
                    normalized(changed),
                )
        cached = bool(usage.read or usage.written)
        self._sessions[key] = _Session(blocks, cached, now, told)
        if len(self._sessions) > self._most:
            self._sessions.popitem(last=False)


def _first_change(before: list[tuple[Location, bytes]], now: list[tuple[Location, bytes]]) -> Location | None:
    """The first block that is not what it was; None where the earlier prompt is all there."""
    for (location, old), (_, new) in zip(before, now, strict=False):
        if old != new:
            return location
    return before[len(now)][0] if len(now) < len(before) else None


def _hashes(prompt: Prompt, rules: BlockRules) -> Iterator[tuple[Location, bytes]]:
    """A hash for each block, in prefix order, with whose turn it is; markers do not count."""
    for block in islice(walk(prompt, rules), _MOST_BLOCKS):
        value = unmarked(value_of(prompt, block))
        if isinstance(value, str):  # a text is what its one-block list is
            value = {"type": "text", "text": value}
        location = block.location
        role = prompt.messages[int(location[1])].get("role") if location[0] == prompt.area else None
        alone = location[:-1] if location[-1] == 0 and location[-2:-1] != ("tool_calls",) else location
        yield alone if location[0] != "tools" else location, hashed([role, value])
