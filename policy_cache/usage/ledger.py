"""The ledger: what caches did, by model, route, rule, revision and cause."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from policy_cache.cache.explicit import CacheOutcome
from policy_cache.usage.totals import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.usage.account import Account

Dimension: TypeAlias = Literal["model", "route", "rule", "revision", "source"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

OTHER = "(other)"
"""Where the oldest names are added up once there are too many."""


class Ledger:
    """Totals of this process, by model, route, rule, revision and cause. Safe between threads.

    By rule and by source, what was read and written adds up to the whole; what was not cached, and the
    replies, nobody caused.

    ```python
    ledger = Ledger()
    litellm.callbacks.append(PolicyCacheHandler(engine, ledger=ledger))
    ledger.snapshot()["rules"]["conversation"]["saved_usd"]
    ```

    Attributes:
        by: For each dimension, the entry of each name, the one added to last at the end.
    """

    def __init__(self, *, most: int = 1_000) -> None:
        """Keep at most so many names of each kind apart; the oldest are added up as `(other)`.

        Raises:
            ValueError: That is less than one.
        """
        if most < 1:
            raise ValueError(f"most: expected at least 1, found {most}")
        self.by: dict[Dimension, dict[str, Entry]] = {dimension: {} for dimension in DIMENSIONS}
        self._most = most
        self._lock = threading.Lock()

    def add(self, account: Account) -> None:
        """Add the account of one answered request."""
        with self._lock:
            for dimension, name, outcome, output in _parts(account):
                self._entry(dimension, name).at(account.start).add(outcome, account.rates, output)

    def snapshot(self) -> dict[str, object]:
        """The totals now, in JSON's types, by the names that `policy-cache stats` gives them in JSON."""
        with self._lock:
            return {
                f"{dimension}s": {name: entry.as_dict() for name, entry in sorted(entries.items())}
                for dimension, entries in self.by.items()
            }

    def _entry(self, dimension: Dimension, name: str) -> Entry:
        entries = self.by[dimension]
        entry = entries.pop(name, None) or Entry()
        entries[name] = entry
        if len(entries) - (OTHER in entries) > self._most:
            oldest = next(known for known in entries if known != OTHER)
            gone = entries.pop(oldest)
            entries.setdefault(OTHER, Entry()).merge(gone)
        return entry


def _parts(account: Account) -> Iterator[tuple[Dimension, str, CacheOutcome, int]]:
    """What each name has of a request: tokens of its prompt and of its reply."""
    whole = account.usage.outcome
    names: tuple[tuple[Dimension, str], ...] = (
        ("model", account.model),
        ("route", account.route or "(unknown)"),
        ("revision", account.revision),
    )
    for dimension, name in names:
        yield dimension, name, whole, account.usage.output
    sources: dict[str, CacheOutcome] = {}
    for share in account.shares:
        yield "rule", str(share.owner), share.outcome, 0
        sources[share.owner.source] = sources.get(share.owner.source, CacheOutcome()) + share.outcome
    for source, outcome in sources.items():
        yield "source", source, outcome, 0
