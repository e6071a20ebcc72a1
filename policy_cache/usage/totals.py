"""Totals of accounts: by model, route, rule, revision and cause, each with its cold starts apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.usage.account import Account
    from policy_cache.usage.sessions import Start

Dimension: TypeAlias = Literal["model", "route", "rule", "revision", "source"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

OTHER = "(other)"
"""Where the oldest names are added up once there are too many."""


@dataclass(slots=True)
class Totals:
    """Sums over requests, in tokens.

    Attributes:
        requests: How many requests.
        hits: How many of them read from the cache.
        read: Tokens read from the cache.
        write_5m: Tokens written for five minutes, or for as long as the provider does unasked.
        write_1h: Tokens written for an hour.
        uncached: The rest of the prompts. Nobody caused it: by rule and by source there is none.
        output: Tokens of the replies; likewise.
        priced: USD that caching saved on those requests whose price is known.
        unpriced: How many requests have an unknown price.
    """

    requests: int = 0
    hits: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    uncached: int = 0
    output: int = 0
    priced: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def written(self) -> int:
        """Tokens written to the cache."""
        return self.write_5m + self.write_1h

    @property
    def saved(self) -> Decimal | None:
        """USD against no caching; None once a price is unknown, never a part of the sum."""
        return None if self.unpriced else self.priced

    @property
    def share_read(self) -> float:
        """The share of all prompt tokens that was read from the cache."""
        prompt = self.read + self.written + self.uncached
        return self.read / prompt if prompt else 0.0

    def add(self, more: Totals) -> None:
        """Add other totals."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(more, name))

    def as_dict(self) -> dict[str, object]:
        """The figures in JSON's types."""
        return {
            "requests": self.requests,
            "hits": self.hits,
            "read": self.read,
            "written": self.written,
            "write_5m": self.write_5m,
            "write_1h": self.write_1h,
            "uncached": self.uncached,
            "output": self.output,
            "saved_usd": None if self.saved is None else float(self.saved),
            "unpriced": self.unpriced,
        }


@dataclass(slots=True)
class Entry:
    """The totals of one name.

    Attributes:
        cold: Over the first requests of sessions, and those that came when the cache had expired.
        warm: Over the others.
    """

    cold: Totals = field(default_factory=Totals)
    warm: Totals = field(default_factory=Totals)

    @property
    def whole(self) -> Totals:
        """Over all requests."""
        whole = Totals()
        whole.add(self.cold)
        whole.add(self.warm)
        return whole

    def at(self, start: Start) -> Totals:
        """Those of the requests that found their session so."""
        return self.cold if start == "cold" else self.warm

    def as_dict(self) -> dict[str, object]:
        """The figures in JSON's types."""
        return {**self.whole.as_dict(), "cold": self.cold.as_dict(), "warm": self.warm.as_dict()}


class Book:
    """Totals by every dimension. By rule and by source, what was read and written adds up to the whole.

    Attributes:
        by: For each dimension, the entry of each name, the one added to last at the end.
    """

    def __init__(self, most: int = 10_000) -> None:
        """Keep at most so many names of each dimension apart."""
        self._most = most
        self.by: dict[Dimension, dict[str, Entry]] = {dimension: {} for dimension in DIMENSIONS}

    def add(self, account: Account) -> None:
        """Add the account of one request."""
        for dimension, name, totals in _parts(account):
            self._entry(dimension, name).at(account.start).add(totals)

    def as_dict(self) -> dict[str, object]:
        """The figures in JSON's types, by `models`, `routes`, `rules`, `revisions` and `sources`."""
        return {
            f"{dimension}s": {name: entry.as_dict() for name, entry in sorted(entries.items())}
            for dimension, entries in self.by.items()
        }

    def _entry(self, dimension: Dimension, name: str) -> Entry:
        entries = self.by[dimension]
        entry = entries.pop(name, None) or Entry()
        entries[name] = entry
        if len(entries) - (OTHER in entries) > self._most:
            oldest = next(one for one in entries if one != OTHER)
            gone = entries.pop(oldest)
            other = entries.setdefault(OTHER, Entry())
            other.cold.add(gone.cold)
            other.warm.add(gone.warm)
        return entry


def _parts(account: Account) -> Iterator[tuple[Dimension, str, Totals]]:
    usage = account.usage
    whole = _totals(usage.read, usage.write_5m, usage.write_1h, account.saved)
    whole.uncached, whole.output = usage.uncached, usage.output
    yield "model", account.model, whole
    yield "route", account.route or "(unknown)", whole
    yield "revision", account.revision, whole
    for owner, read, write_5m, write_1h, saved in account.shares:
        yield "rule", str(owner), _totals(read, write_5m, write_1h, saved)
    for source in dict.fromkeys(share.owner.source for share in account.shares):
        shares = [share for share in account.shares if share.owner.source == source]
        known = [share.saved for share in shares if share.saved is not None]
        yield (
            "source",
            source,
            _totals(
                sum(share.read for share in shares),
                sum(share.write_5m for share in shares),
                sum(share.write_1h for share in shares),
                sum(known, Decimal(0)) if len(known) == len(shares) else None,
            ),
        )


def _totals(read: int, write_5m: int, write_1h: int, saved: Decimal | None) -> Totals:
    return Totals(
        1,
        int(read > 0),
        read,
        write_5m,
        write_1h,
        priced=saved or Decimal(0),
        unpriced=int(saved is None),
    )
