"""What the caches do as it happens: the last hour by the minute, and all since the start."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from policy_cache.usage.attribution import UNRECORDED
from policy_cache.usage.ledger import OTHER
from policy_cache.usage.totals import Totals, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from decimal import Decimal

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.usage.account import Account

MINUTES = 60
"""How many minutes are kept apart."""

Origin: TypeAlias = Literal["accounts", "metrics"]
"""`metrics` have no models, no misses, and no money by rule."""

_MOST = 1_000
_MOST_A_MINUTE = 100
_LONGEST_NAME = 200
_Name = TypeVar("_Name", bound="Hashable")


class Row(NamedTuple):
    """One name.

    Attributes:
        name: What it is called.
        hour: What it did in the last hour.
        whole: What it did since the start.
    """

    name: str
    hour: Totals
    whole: Totals


class InForce(NamedTuple):
    """A policy that requests were sent under.

    Attributes:
        name: What it is called; empty where that is not known.
        revision: Its revision.
    """

    name: str
    revision: str

    @property
    def title(self) -> str:
        """Both, for people: `policy.yaml (9fd09ae330f2)`."""
        if self.revision == str(UNRECORDED):
            return self.revision
        short = self.revision.removeprefix("sha256:")
        return f"{self.name} ({short})" if self.name else f"revision {short}"


class Minute(NamedTuple):
    """One minute.

    Attributes:
        at: Its start, in seconds since the epoch.
        totals: What happened in it.
    """

    at: float
    totals: Totals


class Missed(NamedTuple):
    """What was missed for one cause.

    Attributes:
        cause: Why.
        title: What that is called.
        latest: When the last of these requests was, in seconds since the epoch; 0 where that is not known.
        hour: How many requests of the last hour.
        requests: How many since the start.
        tokens: How many tokens they did not read.
        cost: What these cost beyond the price of reading them, in USD; None where a price is unknown.
    """

    cause: str
    title: str
    latest: float
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
        causes: What was missed, by cause, the one that struck last first.
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
        policies: The policies in force in the last hour, or else the last one, the newest first.
        minutes: The last hour by the minute, the oldest first.
        without_usage: How many requests came without usage; None where nobody says.
        broken: How many lines are no record; None where there are no lines.
        duplicates: How many lines repeat one before, and were left out; None where there are no lines.
        faults: What went wrong, by kind; None where nobody says.
        misses: Why the cache was not read; None where nobody says.
    """

    at: float
    since: float | None
    latest: float | None
    origin: Origin
    hour: Totals
    whole: Totals
    rows: tuple[Row, ...]
    rules: tuple[Row, ...]
    policies: tuple[InForce, ...]
    minutes: tuple[Minute, ...]
    without_usage: int | None = None
    broken: int | None = None
    duplicates: int | None = None
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


class _Table(Generic[_Name]):
    """Totals by name: of so many names, and of all others together."""

    __slots__ = ("_most", "names", "other")

    def __init__(self, most: int) -> None:
        self._most = most
        self.names: OrderedDict[_Name, Totals] = OrderedDict()
        self.other = Totals()

    def add(self, name: _Name, totals: Totals) -> None:
        if (known := self.names.get(name)) is None:
            known = self.names[name] = Totals()
        known.merge(totals)
        self.names.move_to_end(name)
        if len(self.names) > self._most:
            _, oldest = self.names.popitem(last=False)
            self.other.merge(oldest)


class _Sums:
    """What some time came to."""

    __slots__ = ("models", "policies", "rules", "whole")

    def __init__(self, most: int) -> None:
        self.whole = Totals()
        self.models: _Table[str] = _Table(most)
        self.rules: _Table[str] = _Table(most)
        self.policies: _Table[InForce] = _Table(most)

    def add(self, account: Account, whole: Totals, shares: Sequence[Totals]) -> None:
        self.whole.merge(whole)
        self.models.add(_cut(account.model), whole)
        self.policies.add(InForce(_cut(account.policy), _cut(account.revision)), whole)
        for share, totals in zip(account.shares, shares, strict=True):
            self.rules.add(_cut(str(share.owner)), totals)


class LiveSums:
    """Adds up accounts, and says what they come to so far and in the last hour.

    Memory is bounded, whatever requests are called: of a thousand names, and a hundred for each minute, the
    oldest are added up as `(other)`, and long ones are cut.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing; `clock` is the time in seconds since the epoch."""
        self._clock = clock
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
        now = self._clock()
        at = now if at is None else min(at, now)  # another machine's clock may be ahead
        whole = _one(account, account.usage.outcome)
        shares = [_one(account, share.outcome) for share in account.shares]
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
        self._forget(now)
        minutes = [(number, self._minutes.get(number)) for number in last_minutes(now)]
        kept = [sums for _, sums in minutes if sums is not None]
        return Snapshot(
            at=now,
            since=self._since,
            latest=self._latest,
            origin="accounts",
            hour=summed(sums.whole for sums in kept),
            whole=summed([self._whole.whole]),
            rows=_rows(self._whole.models, [sums.models for sums in kept]),
            rules=_rows(self._whole.rules, [sums.rules for sums in kept]),
            policies=_newest(self._whole.policies, [sums.policies for sums in kept]),
            minutes=tuple(
                Minute(number * 60.0, summed([] if sums is None else [sums.whole]))
                for number, sums in minutes
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


def _one(account: Account, outcome: CacheOutcome) -> Totals:
    """A request, or a share of one."""
    totals = Totals()
    totals.add(outcome, account.rates)
    return totals


def _rows(whole: _Table[str], minutes: Sequence[_Table[str]]) -> tuple[Row, ...]:
    hour: dict[str, Totals] = {}
    other = summed(minute.other for minute in minutes)
    for minute in minutes:
        for name, totals in minute.names.items():
            # A minute may still know a name that has become one of the others since.
            known = hour.setdefault(name, Totals()) if name in whole.names else other
            known.merge(totals)
    rows = [Row(name, hour.get(name, Totals()), summed([totals])) for name, totals in whole.names.items()]
    if other.requests or whole.other.requests:
        rows.append(Row(OTHER, other, summed([whole.other])))
    return ordered(rows)


def _newest(whole: _Table[InForce], minutes: Sequence[_Table[InForce]]) -> tuple[InForce, ...]:
    """The names of the last hour, or else the last one, the newest first."""
    known = [*reversed(whole.names)]
    recent = {name for minute in minutes for name in minute.names}
    return tuple(name for name in known if name in recent) or tuple(known[:1])


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
