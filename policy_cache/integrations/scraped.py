"""The counters of `Metrics` as Prometheus reads them, followed at their URL."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from decimal import Decimal
from http.client import HTTPException
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from policy_cache.errors import PolicyCacheError, reason_of
from policy_cache.text.words import visible
from policy_cache.usage.live import InForce, Minute, Row, Snapshot, last_minutes, ordered
from policy_cache.usage.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_Table: TypeAlias = Literal["route", "rule", "fault", "missing"]
_Field: TypeAlias = Literal["requests", "hits", "read", "write_5m", "write_1h", "uncached", "saved", "lost"]


class _Key(NamedTuple):
    """One figure: of which table and name."""

    table: _Table
    name: str
    field: _Field = "requests"


_Counts: TypeAlias = "dict[_Key, Decimal]"

_PREFIX = "policy_cache_"
_LABEL = r'\w+="(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(rf"({_PREFIX}\w+)(?:\{{((?:{_LABEL},?)*)\}})? (\S+)")
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_FIELDS: Mapping[str, _Field] = {
    "read": "read",
    "write_5m": "write_5m",
    "write_1h": "write_1h",
    "uncached": "uncached",
}
_NONE = Decimal(0)
_MOST_BYTES = 16 << 20
_MOST_KEYS = 20_000
_SECONDS = 5.0
# Beyond, a counter no longer counts by one.
_MOST = 2.0**53


class ScrapeError(PolicyCacheError):
    """A URL that does not answer with such metrics; its password, if it has one, is not told."""


class Scraped:
    """What a router's counters come to, look by look.

    They count from the start of its process. When that was they do not say: the last hour begins with the
    first look. A counter that fell is one of a new process, and counts from 0.

    Attributes:
        state: Why the last look failed; empty if it did not.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        """Look for the first time.

        Args:
            url: Where Prometheus would look.
            clock: The time in seconds since the epoch.

        Raises:
            ScrapeError: It cannot be reached, or answers something else.
        """
        self.state = ""
        self._url = url
        self._clock = clock
        self._since = clock()
        self._minutes: dict[int, _Counts] = {}
        self._last, self._policies = _counted(fetched(url))
        self._whole = self._last

    def read(self, seconds: float | None = None) -> bool:  # noqa: ARG002, one look is all that is new
        """Look again; say that this was all."""
        try:
            found, self._policies = _counted(fetched(self._url))
        except ScrapeError as error:
            self.state = str(error)
            return True
        self.state = ""
        now = self._clock()
        grown: _Counts = {}
        for key, value in found.items():
            before = self._last.get(key, _NONE)
            grown[key] = value - before if value >= before else value
        self._last = found
        self._whole = _sum(self._whole, grown)
        number = int(now // 60)
        self._minutes[number] = _sum(self._minutes.get(number, {}), grown)
        return True

    def snapshot(self) -> Snapshot:
        """What is known since the last look."""
        now = self._clock()
        numbers = last_minutes(now)
        self._minutes = {number: kept for number, kept in self._minutes.items() if number in numbers}
        hour = _sum(*self._minutes.values())
        faults = [(key.name, round(value)) for key, value in self._whole.items() if key.table == "fault"]
        return Snapshot(
            at=now,
            since=self._since,
            latest=None,
            origin="metrics",
            hour=_totals(hour),
            whole=_totals(self._whole),
            rows=_rows(hour, self._whole, "route"),
            rules=_rows(hour, self._whole, "rule"),
            policies=self._policies,
            minutes=tuple(
                Minute(number * 60.0, _totals(self._minutes.get(number, {}))) for number in numbers
            ),
            without_usage=round(self._whole.get(_Key("missing", ""), _NONE)),
            faults=tuple(sorted(faults)),
        )

    def close(self) -> None:
        """Nothing is kept open."""


def fetched(url: str) -> str:
    """What a URL answers.

    Raises:
        ScrapeError: It cannot be reached, or answers no text of metrics of ours.
    """
    try:
        urlsplit(url)
        # A password may have any sign, also one that would end the host's name.
        scheme, _, rest = url.partition("//")
        shown = visible(f"{scheme}//{rest.rpartition('@')[2]}")
    except ValueError:
        raise ScrapeError("that is not a URL") from None  # which may hold a password all the same
    try:
        with urlopen(Request(url, headers={"accept": "text/plain"}), timeout=_SECONDS) as answer:  # noqa: S310, the caller's own choice of http
            kind = answer.headers.get_content_type()
            body = answer.read(_MOST_BYTES + 1)
    except HTTPError as error:
        error.close()
        raise ScrapeError(f"{shown}: it answers {error.code}") from None
    except URLError as error:
        reason = reason_of(error.reason) if isinstance(error.reason, OSError) else str(error.reason)
        raise ScrapeError(f"{shown}: {visible(reason)}") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else type(error).__name__
        raise ScrapeError(f"{shown}: {visible(reason)}") from None
    if len(body) > _MOST_BYTES:
        raise ScrapeError(f"{shown}: it answers more than {_MOST_BYTES >> 20} MB")
    text = bytes(body).decode(errors="replace")
    if _PREFIX not in text or kind == "text/html":
        raise ScrapeError(f"{shown}: expected the metrics of policy-cache, found none ({visible(kind)})")
    return text


def _counted(text: str) -> tuple[_Counts, tuple[InForce, ...]]:
    """The figures of an answer, and the policies in force."""
    figures: _Counts = {}
    policies: list[InForce] = []
    for name, labels, value in _samples(text):
        if name == "policy_cache_policy_info":
            if value:
                policies.append(InForce(labels.get("policy", ""), labels.get("revision", "")))
        elif (key := _key(name, labels)) is not None and (key in figures or len(figures) < _MOST_KEYS):
            figures[key] = figures.get(key, _NONE) + value
            if key.field == "requests" and labels.get("read") == "true":
                hits = key._replace(field="hits")
                figures[hits] = figures.get(hits, _NONE) + value
    return figures, tuple(sorted(policies))


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], Decimal]]:
    for line in text.split("\n"):  # a label may hold any other separator as it is
        found = _SAMPLE.match(line)
        if found is None:
            continue
        name, labels, written = found.groups(default="")
        try:
            value = float(written)
        except ValueError:
            continue
        if 0 <= value <= _MOST:
            pairs = {key: _ESCAPE.sub(_unescaped, text) for key, text in _PAIR.findall(labels)}
            yield name.removesuffix("_total"), pairs, Decimal(repr(value))


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _key(name: str, labels: Mapping[str, str]) -> _Key | None:
    """Where a sample counts; None where nothing is shown of it."""
    route, kind = labels.get("route", ""), labels.get("kind", "")
    match name:
        case "policy_cache_answers":
            return _Key("route", route)
        case "policy_cache_tokens" if kind in _FIELDS:
            return _Key("route", route, _FIELDS[kind])
        case "policy_cache_saved_usd":
            return _Key("route", route, "saved")
        case "policy_cache_lost_usd":
            return _Key("route", route, "lost")
        case "policy_cache_rule_tokens" if kind in _FIELDS:
            return _Key("rule", labels.get("rule", ""), _FIELDS[kind])
        case "policy_cache_errors":
            return _Key("fault", kind)
        case "policy_cache_odd_usages":
            return _Key("missing", "") if kind == "missing" else _Key("fault", f"usage {kind}")
    return None


def _sum(*parts: _Counts) -> _Counts:
    """All counts together, each of which has a bounded number of names."""
    total: _Counts = {}
    for part in parts:
        for key, value in part.items():
            if key in total or len(total) < _MOST_KEYS:
                total[key] = total.get(key, _NONE) + value
    return total


def _totals(counts: _Counts, table: _Table = "route") -> Totals:
    """The figures of a table."""
    sums: dict[_Field, Decimal] = defaultdict(Decimal)
    for key, value in counts.items():
        if key.table == table:
            sums[key.field] += value
    return Totals(
        requests=round(sums["requests"]),
        hits=round(sums["hits"]),
        read=round(sums["read"]),
        write_5m=round(sums["write_5m"]),
        write_1h=round(sums["write_1h"]),
        uncached=round(sums["uncached"]),
        # Of the money, only what lies between the two is counted.
        paid=sums["lost"],
        without_cache=sums["saved"],
    )


def _rows(hour: _Counts, whole: _Counts, table: _Table) -> tuple[Row, ...]:
    hours = _by_name(hour, table)
    return ordered(
        Row(name, _totals(hours.get(name, {}), table), _totals(counts, table))
        for name, counts in _by_name(whole, table).items()
    )


def _by_name(counts: _Counts, table: _Table) -> dict[str, _Counts]:
    names: dict[str, _Counts] = {}
    for key, value in counts.items():
        if key.table == table:
            names.setdefault(key.name, {})[key] = value
    return names
