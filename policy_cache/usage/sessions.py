"""Sessions: which requests belong to one conversation, and which of them may find its cache alive."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from policy_cache.providers.cache_rules import CacheRules
    from policy_cache.usage.usage import CacheUsage

Start: TypeAlias = Literal["cold", "warm"]
"""`cold`: the first request of a session, or one that came when the cache had expired."""

# Of a cache that is not known: those that most take.
_SHORT, _LONG = 300.0, 3_600.0


class _Seen(NamedTuple):
    at: float
    lifetime: float
    hour: bool


class Sessions:
    """Tells a session's cold starts from its later turns.

    A cache lives as long as its provider keeps it from the request that last used it: for longer once the
    session wrote for an hour. It keeps a hash and a few numbers of each session, never text. Safe between
    threads.
    """

    def __init__(self, most: int = 10_000) -> None:
        """Keep at most so many sessions, the ones seen last."""
        self._most = most
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, session: bytes, at: float, usage: CacheUsage, rules: CacheRules | None = None) -> Start:
        """How a request found its session, which from now on has seen it.

        Args:
            session: What `request.session.session_of` says.
            at: When it was, in seconds.
            usage: What it used.
            rules: How its provider's cache behaves; None where that is not known.
        """
        short, long = (_SHORT, _LONG) if rules is None else (rules.seconds("5m"), rules.seconds("1h"))
        with self._lock:
            before = self._seen.pop(session, None)
            alive = before is not None and at - before.at < before.lifetime
            hour = bool(usage.write_1h) or (alive and before is not None and before.hour)
            self._seen[session] = _Seen(at, long if hour else short, hour)
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
        return "warm" if alive else "cold"


def hashed(value: object) -> bytes:
    """Eight bytes that stand for a value."""
    text = json.dumps(value, default=repr, ensure_ascii=True)
    return blake2b(text.encode(), digest_size=8).digest()
