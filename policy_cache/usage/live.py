"""What the caches do as it happens: the last hour by the minute, and all since the start."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.usage.ledger import OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from policy_cache.usage.account import Account
    from policy_cache.usage.ledger import Ledger

MINUTES = 60
"""How many minutes are kept apart."""

Origin: TypeAlias = Literal["accounts", "metrics"]
"""`metrics` have no models, no misses, and no money by rule."""

_MOST = 1_000
_MOST_A_MINUTE = 100
_LONGEST_NAME = 200
_NONE = Decimal(0)


class Figures(NamedTuple):
    """What some requests did.

    Attributes:
        requests: How many.
        hits: How many of them read from the cache.
        read: Tokens read from the cache.
        written: Tokens written to it.
        uncached: The rest of the prompts.
        saved: USD saved against no caching, as far as prices are known.
        unpriced: How many requests have an unknown price.
    """

    requests: int = 0
    hits: int = 0
    read: int = 0
    written: int = 0
    uncached: int = 0
    saved: Decimal = _NONE
    unpriced: int = 0

    @property
    def prompt(self) -> int:
        """Tokens of the prompts."""
        return self.read + self.written + self.uncached

    def plus(self, other: Figures) -> Figures:
        """Both together."""
        return Figures(
            self.requests + other.requests,
            self.hits + other.hits,
            self.read + other.read,
            self.written + other.written,
            self.uncached + other.uncached,
            self.saved + other.saved,
            self.unpriced + other.unpriced,
        )


NOTHING = Figures()


class Row(NamedTuple):
    """One name.

    Attributes:
        name: What it is called.
        hour: What it did in the last hour.
        whole: What it did since the start.
    """

    name: str
    hour: Figures
    whole: Figures


class Minute(NamedTuple):
    """One minute.

    Attributes:
        at: Its start, in seconds since the epoch.
        figures: What happened in it.
    """

    at: float
    figures: Figures


class Missed(NamedTuple):
    """What was missed for one cause.

    Attributes:
        cause: Why.
        title: What that is called.
        hour: How many requests of the last hour.
        requests: How many since the start.
        tokens: How many tokens they did not read.
        cost: What these cost beyond the price of reading them, in USD; None where a price is unknown.
    """

    cause: str
    title: str
    hour: int
    requests: int
    tokens: int
    cost: Decimal | None


class Misses(NamedTuple):
    """Why the cache was not read.

    Attributes:
        looked: How many requests were looked at.
        missed: How many of them missed something.
        left_out: How many were not looked at, such as those whose cache takes no `cache_control`.
        causes: What was missed, by cause.
    """

    looked: int
    missed: int
    left_out: int
    causes: tuple[Missed, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one time.

    Attributes:
        at: When, in seconds since the epoch.
        since: When the first request was, or from when on metrics are followed; None where that is not known.
        latest: When the last request was; None where that is not known.
        origin: Whether it is made of accounts, or of metrics.
        hour: What happened in the last hour.
        whole: What happened since the start.
        rows: By model; from metrics by route.
        rules: By rule, and who else caused what was read and written, in parentheses.
        revisions: The policy's revisions of the last hour, or else the last one, the newest first.
        minutes: The last hour by the minute, the oldest first.
        without_usage: How many requests came without usage; None where nobody says.
        broken: How many lines are no record; None where there are no lines.
        faults: What went wrong, by kind; None where nobody says.
        misses: Why the cache was not read; None where nobody says.
    """

    at: float
    since: float | None
    latest: float | None
    origin: Origin
    hour: Figures
    whole: Figures
    rows: tuple[Row, ...]
    rules: tuple[Row, ...]
    revisions: tuple[str, ...]
    minutes: tuple[Minute, ...]
    without_usage: int | None = None
    broken: int | None = None
    faults: tuple[tuple[str, int], ...] | None = None
    misses: Misses | None = None

    @property
    def seconds(self) -> float:
        """How much of the last hour is known, in seconds; a minute at least."""
        return min(self.whole_seconds, 3_600.0)

    @property
    def whole_seconds(self) -> float:
        """How long ago the start was, in seconds; a minute at least."""
        return 60.0 if self.since is None else max(60.0, self.at - self.since)


class _Table:
    """Figures by name: of so many names, and of all others together."""

    __slots__ = ("_most", "names", "other")

    def __init__(self, most: int) -> None:
        self._most = most
        self.names: OrderedDict[str, Figures] = OrderedDict()
        self.other = NOTHING

    def add(self, name: str, figures: Figures) -> None:
        self.names[name] = self.names.get(name, NOTHING).plus(figures)
        self.names.move_to_end(name)
        if len(self.names) > self._most:
            _, oldest = self.names.popitem(last=False)
            self.other = self.other.plus(oldest)


class _Sums:
    """What some time came to. A ledger would price each part anew, and tell cold from warm."""

    __slots__ = ("models", "revisions", "rules", "whole")

    def __init__(self, most: int) -> None:
        self.whole = NOTHING
        self.models, self.rules, self.revisions = _Table(most), _Table(most), _Table(most)

    def add(self, account: Account, whole: Figures, shares: Sequence[Figures]) -> None:
        self.whole = self.whole.plus(whole)
        self.models.add(_cut(account.model), whole)
        self.revisions.add(_cut(account.revision), whole)
        for share, figures in zip(account.shares, shares, strict=True):
            self.rules.add(_cut(str(share.owner)), figures)


class Live:
    """Adds up accounts, and says what they come to so far and in the last hour. Safe between threads.

    Memory is bounded, whatever requests are called: of a thousand names, and a hundred for each minute, the
    oldest are added up as `(other)`, and long ones are cut.

    ```python
    live = Live()
    litellm.callbacks.append(PolicyCacheHandler(engine, ledger=live))
    live.snapshot().hour.saved
    ```
    """

    def __init__(self, ledger: Ledger | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing.

        Args:
            ledger: Told of each account, too.
            clock: The time in seconds since the epoch.
        """
        self._then = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._whole = _Sums(_MOST)
        self._minutes: dict[int, _Sums] = {}
        self._since: float | None = None
        self._latest: float | None = None

    def add(self, account: Account, at: float | None = None) -> None:
        """Add the account of one answered request.

        Args:
            account: What it did.
            at: When it was, in seconds since the epoch; by default now, and 0 where that is not known.
        """
        if self._then is not None:
            self._then.add(account)
        now = self._clock()
        at = now if at is None else min(at, now)  # another machine's clock may be ahead
        usage = account.usage
        whole = _figures(usage.read, usage.written, usage.uncached, account.saved)
        shares = [
            _figures(share.read, share.write_5m + share.write_1h, 0, share.saved) for share in account.shares
        ]
        with self._lock:
            self._whole.add(account, whole, shares)
            if at <= 0:
                return
            self._since = at if self._since is None else min(at, self._since)
            self._latest = at if self._latest is None else max(at, self._latest)
            if (minute := int(at // 60)) > int(now // 60) - MINUTES:
                self._forget(now)
                self._minutes.setdefault(minute, _Sums(_MOST_A_MINUTE)).add(account, whole, shares)

    def snapshot(self) -> Snapshot:
        """What is known now."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            minutes = [(number, self._minutes.get(number)) for number in last_minutes(now)]
            kept = [sums for _, sums in minutes if sums is not None]
            return Snapshot(
                at=now,
                since=self._since,
                latest=self._latest,
                origin="accounts",
                hour=total(sums.whole for sums in kept),
                whole=self._whole.whole,
                rows=_rows(self._whole.models, [sums.models for sums in kept]),
                rules=_rows(self._whole.rules, [sums.rules for sums in kept]),
                revisions=_newest(self._whole.revisions, [sums.revisions for sums in kept]),
                minutes=tuple(
                    Minute(number * 60.0, NOTHING if sums is None else sums.whole) for number, sums in minutes
                ),
            )

    def _forget(self, now: float) -> None:
        first = last_minutes(now)[0]
        for number in [number for number in self._minutes if number < first]:
            del self._minutes[number]


def last_minutes(now: float) -> range:
    """The numbers of the minutes of the last hour, the one that has begun included."""
    minute = int(now // 60)
    return range(minute - MINUTES + 1, minute + 1)


def ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows, those with the most tokens of the last hour first."""
    return tuple(sorted(rows, key=lambda row: (-row.hour.prompt, -row.whole.prompt, row.name)))


def total(parts: Iterable[Figures]) -> Figures:
    """All together."""
    sums = NOTHING
    for part in parts:
        sums = sums.plus(part)
    return sums


def _figures(read: int, written: int, uncached: int, saved: Decimal | None) -> Figures:
    return Figures(1, int(read > 0), read, written, uncached, saved or _NONE, int(saved is None))


def _rows(whole: _Table, minutes: Sequence[_Table]) -> tuple[Row, ...]:
    hour: dict[str, Figures] = {}
    other = total(minute.other for minute in minutes)
    for minute in minutes:
        for name, figures in minute.names.items():
            # A minute may still know a name that has become one of the others since.
            if name in whole.names:
                hour[name] = hour.get(name, NOTHING).plus(figures)
            else:
                other = other.plus(figures)
    rows = [Row(name, hour.get(name, NOTHING), figures) for name, figures in whole.names.items()]
    if other.requests or whole.other.requests:
        rows.append(Row(OTHER, other, whole.other))
    return ordered(rows)


def _newest(whole: _Table, minutes: Sequence[_Table]) -> tuple[str, ...]:
    """The names of the last hour, or else the last one, the newest first."""
    known = [*reversed(whole.names)]
    recent = {name for minute in minutes for name in minute.names}
    return tuple(name for name in known if name in recent) or tuple(known[:1])


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
