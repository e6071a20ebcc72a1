"""Beliefs that processes share through Redis; needs the extra `redis`.

A key is `policy-cache:warmth:1:<place>:<prefix>`, both hashes of 16 bytes in hex. Its value is four words:
when the entry can be read, when it expires (both in seconds since the epoch), the lifetime that was asked
for, and 1 where the provider reported it. Each expires with its entry, so nothing is ever cleared up.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from policy_cache.cache.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_log = logging.getLogger("policy_cache")

_PREFIX = b"policy-cache:warmth:1"
_PAUSE = 1.0
# Of two answers at once, the later expiry wins.
_CHANGE = """
local kept = tonumber(ARGV[1])
for i = kept + 1, #KEYS do redis.call('DEL', KEYS[i]) end
for i = 1, kept do
  local value, expires, lives = ARGV[3 * i - 1], tonumber(ARGV[3 * i]), ARGV[3 * i + 1]
  local before = redis.call('GET', KEYS[i])
  local until_ = before and tonumber(string.match(before, '^%S+ (%S+)')) or 0
  if until_ <= expires then redis.call('SET', KEYS[i], value, 'PX', lives) end
end
"""


class RedisTable:
    """Beliefs in a Redis that any number of processes use.

    A Redis that is away, or slow, costs its knowledge alone: whoever asks is told nothing, at once, and it is
    asked again a second later.

    Attributes:
        faults: What went wrong with it, by kind of error.
    """

    def __init__(
        self, url: str, *, patience: float = 0.05, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Use a server; it is not asked yet.

        Args:
            url: Such as `redis://localhost:6379/0`.
            patience: For how many seconds it may be silent.
            clock: The time in seconds, by which it is asked again.

        Raises:
            ValueError: It is no such address.
        """
        self._redis = redis.Redis.from_url(
            str(url),
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
        )
        self._clock = clock
        self._change = self._redis.register_script(_CHANGE)
        self._away_until = -math.inf
        self.faults: Counter[str] = Counter()

    def close(self) -> None:
        """Let go of its connections; it opens others when it is asked again."""
        self._redis.close()

    def look(self, place: bytes, digests: Sequence[bytes]) -> dict[bytes, Entry]:
        """What is believed of these prefixes; nothing while Redis is away."""
        if self._is_away() or not digests:
            return {}
        try:
            values = self._redis.mget([_key(place, digest) for digest in digests])
            found = {digest: _entry(value) for digest, value in zip(digests, values, strict=True) if value}
        except Exception as error:  # noqa: BLE001, whatever answers there, no request is to fail for it
            self._failed(error)
            return {}
        return found

    def change(self, place: bytes, kept: Mapping[bytes, Entry], gone: Collection[bytes], now: float) -> None:
        """Believe some things and others no longer, in one step."""
        if self._is_away() or not (kept or gone):
            return
        # What is lost and kept at once was lost before it was kept.
        lost = [digest for digest in gone if digest not in kept]
        try:
            values: list[str | int] = [len(kept)]
            for entry in kept.values():
                lives = max(1, round(1_000 * (entry.expires - now)))
                values += [_value(entry), f"{entry.expires:.6f}", lives]
            self._change([_key(place, digest) for digest in (*kept, *lost)], values)
        except Exception as error:  # noqa: BLE001, whatever answers there, no request is to fail for it
            self._failed(error)

    def _is_away(self) -> bool:
        return self._clock() < self._away_until

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        self.faults[kind] += 1
        if self.faults[kind] == 1:
            _log.warning("what is warm is not shared after %s of Redis (logged once)", kind)
        self._away_until = self._clock() + _PAUSE


def _key(place: bytes, digest: bytes) -> bytes:
    return b":".join((_PREFIX, place.hex().encode(), digest.hex().encode()))


def _value(entry: Entry) -> str:
    available, expires, ttl, reported = entry
    return f"{available:.6f} {expires:.6f} {ttl} {int(reported)}"


def _entry(value: bytes | str) -> Entry:
    text = value if isinstance(value, str) else value.decode()
    available, expires, ttl, reported = text.split()
    return Entry(float(available), float(expires), "1h" if ttl == "1h" else "5m", reported == "1")
