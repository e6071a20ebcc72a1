"""What was learned, shared among processes through Redis; needs the extra `redis`.

A key is `policy-cache:lifetimes:1:<kind>`, the kind a hash of 8 bytes in hex, or `all`. Its value is a JSON
list of four lists: of conversations, and of the prefixes that they share, how many requests were followed in
each stretch of waiting, and how many waited through it. A process adds what it has seen since it last did, in
one step, and takes the sum; what is older fades as it does in one process. A key that nobody adds to for a
week expires.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from policy_cache.lifetimes.state import Counts, counts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("policy_cache")

_PREFIX = "policy-cache:lifetimes:1:"
_ALL = "all"
_MOST_KINDS = 500
_WEEK = 7 * 86_400
# For each key, what older counts keep and what is new, of conversations and of prefixes. What is no value of
# ours is begun anew, so that no key of somebody else's keeps others from being told.
_ADD = """
local function known(key, news)
  local value = redis.pcall('GET', key)
  local sound, counts = pcall(cjson.decode, value)
  if not sound or type(counts) ~= 'table' then return {} end
  for part = 1, 4 do
    if type(counts[part]) ~= 'table' or #counts[part] ~= #news[part] then return {} end
    for _, count in ipairs(counts[part]) do
      if type(count) ~= 'number' or not (count >= 0 and count < 1e9) then return {} end
    end
  end
  return counts
end
local found = {}
for i, key in ipairs(KEYS) do
  local kept, news = cjson.decode(ARGV[2 * i]), cjson.decode(ARGV[2 * i + 1])
  local before = known(key, news)
  for part = 1, 4 do
    local counts = before[part] or {}
    for stretch = 1, #news[part] do
      news[part][stretch] = (counts[stretch] or 0) * kept[part] + news[part][stretch]
    end
  end
  found[i] = cjson.encode(news)
  redis.call('SET', key, found[i], 'EX', ARGV[1])
end
return found
"""


class SharedState:
    """A Redis to which processes tell what they learn.

    One that is away, or slow, is logged once and costs what the others know; what was learned meanwhile is
    told later.
    """

    def __init__(self, url: str, *, patience: float = 0.05) -> None:
        """Use a server; it is not asked yet.

        Args:
            url: Such as `redis://localhost:6379/0`.
            patience: For how many seconds it may be silent.

        Raises:
            ValueError: It is no such address.
        """
        self._redis = redis.Redis.from_url(
            url, socket_timeout=patience, socket_connect_timeout=patience, retry=Retry(NoBackoff(), 0)
        )
        self._add = self._redis.register_script(_ADD)
        self._told = False

    def load(self) -> tuple[Counts, dict[bytes, Counts]] | None:
        """The counts of all kinds together; of each, they come with the first exchange."""
        try:
            value = self._redis.get(_PREFIX + _ALL)
            return None if value is None else (_read(value), {})
        except Exception as error:  # noqa: BLE001, whatever answers there, no request is to fail for it
            self._tell(error)
            return None

    def save(self, general: Counts, kinds: Mapping[bytes, Counts]) -> None:
        """Tell what is new, and take what all know together: of the kinds, those that were used last."""
        latest = {kind.hex(): counts for kind, counts in list(kinds.items())[-_MOST_KINDS:]}
        told = {_ALL: general, **latest}
        try:
            arguments: list[str | int] = [_WEEK]
            for counts in told.values():
                arguments += _news(counts)
            found = self._add([_PREFIX + name for name in told], arguments)
            sums = [_read(value) for value in found]
        except Exception as error:  # noqa: BLE001, whatever answers there, no request is to fail for it
            self._tell(error)
            return
        for counts, known in zip(told.values(), sums, strict=True):
            for own, all_ in zip(counts, known, strict=True):
                own.share(all_.followed, all_.waited_on)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            kind = type(error).__name__
            _log.warning("what `ttl: auto` learned is not shared after %s of Redis (logged once)", kind)


def _news(counts: Counts) -> tuple[str, str]:
    """What older counts keep, and the new ones: of conversations, then of prefixes."""
    conversations, prefixes = (pauses.news for pauses in counts)
    kept = [conversations.kept] * 2 + [prefixes.kept] * 2
    news = [*conversations[:2], *prefixes[:2]]
    return json.dumps(kept), json.dumps(news)


def _read(value: bytes | str) -> Counts:
    followed, waited_on, *prefixes = json.loads(value)
    return counts_of([[followed, waited_on], prefixes])
