"""What happens, as a person reads it on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from policy_cache.report.forecast import copies_left_out, grid
from policy_cache.report.live.wording import LEFT_OUT, LEGEND, NOT_A_RULE, digits_of_page, hourly
from policy_cache.report.misses import ESTIMATE
from policy_cache.text.amounts import counted, known_usd, share, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.usage.live import InForce, Misses, Row, Snapshot
    from policy_cache.usage.totals import Totals

MOST_ROWS = 20
"""Rows of a table that are shown, the busiest."""

_MOST_POLICIES = 5
_START = "  since the start"
WITHOUT = "The metrics have no models, no misses, and no money by rule."


def page(snapshot: Snapshot, name: str, state: str = "") -> Iterator[Span]:
    """Everything that is known.

    Args:
        snapshot: What is known.
        name: What is followed.
        state: What keeps it from being read; empty if nothing does.
    """
    digits = digits_of_page(snapshot)
    yield Span(f"{visible(name)}, {_clock(snapshot.at)}\n", "strong")
    if state:
        yield Span(f"{visible(state)}\n", "warning")
    yield from _sums(snapshot, digits)
    yield Span("\n")
    yield from _rows(snapshot, digits)
    yield from _rules(snapshot, digits)
    if snapshot.misses is not None:
        yield from _misses(snapshot.misses, digits)
    yield from _notes(snapshot)


def _sums(snapshot: Snapshot, digits: int) -> Iterator[Span]:
    accounts = snapshot.origin == "accounts"
    part = "" if snapshot.seconds >= 3_600 or snapshot.since is None else f", since {_clock(snapshot.since)}"
    yield Span(f"last hour{part}: {_sentence(snapshot.hour, digits)}\n")
    since = f", {_date(snapshot.since)}" if accounts and snapshot.since is not None else ""
    yield Span(f"since the start{since}: {_sentence(snapshot.whole, digits)}\n")
    if snapshot.latest is not None and not snapshot.hour.requests:
        yield Span(f"the last request was at {_date(snapshot.latest)}\n", "dim")
    if snapshot.policies:
        yield Span(f"policy in force: {_policies(snapshot.policies)}\n")


def _sentence(totals: Totals, digits: int) -> str:
    if not totals.requests:
        return "no requests"
    read = share(totals.read, totals.prompt, otherwise="0%")
    requests = counted(totals.requests, "request")
    saved = "unknown" if 0 < totals.unpriced == totals.requests else usd(totals.known_saved, digits=digits)
    unknown = f" ({counted(totals.unpriced, 'request')} of unknown price)" if totals.unpriced else ""
    return f"{requests}, {read} of the prompts read from the cache, saved {saved}{unknown}"


def _policies(policies: Sequence[InForce]) -> str:
    more = len(policies) - _MOST_POLICIES
    names = ", ".join(visible(policy.title) for policy in policies[:_MOST_POLICIES])
    return f"{names} and {more} more" if more > 0 else names


def _rows(snapshot: Snapshot, digits: int) -> Iterator[Span]:
    by = "model" if snapshot.origin == "accounts" else "route"
    head = (_head(by, snapshot), "requests", "requests/hour", "read", "saved", "saved/hour")
    # What counters had counted before they were followed has no known beginning.
    seconds = snapshot.whole_seconds if snapshot.origin == "accounts" else None
    lines = [
        _line(name, totals, snapshot.seconds if recent else seconds, digits)
        for name, totals, recent in _parts(snapshot.rows, snapshot)
    ]
    yield from grid(head, lines)
    yield from _more(snapshot.rows)
    yield from (Span(f"{line}\n", "dim") for line in LEGEND)


def _head(by: str, snapshot: Snapshot) -> str:
    return f"{by}, last hour" if snapshot.hour.requests else f"{by}, since the start"


def _parts(rows: Sequence[Row], snapshot: Snapshot) -> Iterator[tuple[str, Totals, bool]]:
    """The lines of a table, and whether each is about the last hour; none is where nothing happened in it."""
    for row in rows[:MOST_ROWS]:
        name = word(row.name)
        if snapshot.hour.requests:
            yield name, row.hour, True
            name = _START
        if row.whole != row.hour:
            yield name, row.whole, False


def _line(name: str, totals: Totals, seconds: float | None, digits: int) -> tuple[str, ...]:
    return (
        name,
        f"{totals.requests:,}",
        "" if seconds is None else f"{totals.requests * 3_600 / seconds:,.0f}",
        share(totals.read, totals.prompt, otherwise="0%"),
        _saved(totals, digits),
        "" if seconds is None else usd(hourly(totals, seconds), digits=digits),
    )


def _rules(snapshot: Snapshot, digits: int) -> Iterator[Span]:
    if not snapshot.rules:
        return
    money = snapshot.origin == "accounts"
    head = (_head("rule", snapshot), "tokens read", "tokens written", "saved")
    lines = [_caused(name, totals, digits) for name, totals, _ in _parts(snapshot.rules, snapshot)]
    yield Span("\n")
    yield from grid(head if money else head[:-1], [line if money else line[:-1] for line in lines])
    yield from _more(snapshot.rules)
    if any(row.name.startswith("(") for row in snapshot.rules[:MOST_ROWS]):
        yield Span(f"{NOT_A_RULE}\n", "dim")


def _caused(name: str, totals: Totals, digits: int) -> tuple[str, ...]:
    return name, f"{totals.read:,}", f"{totals.written:,}", _saved(totals, digits)


def _more(rows: Sequence[Row]) -> Iterator[Span]:
    if len(rows) > MOST_ROWS:
        yield Span(f"and {len(rows) - MOST_ROWS:,} more\n", "dim")


def _misses(misses: Misses, digits: int) -> Iterator[Span]:
    yield Span("\n")
    yield Span(f"{misses.missed:,} of {counted(misses.looked, 'request')} did not read all that they could\n")
    if misses.causes:
        lines = [
            (
                one.title,
                _date(one.latest) if one.latest else "",
                f"{one.hour:,}",
                f"{one.requests:,}",
                f"{one.tokens:,}",
                usd(one.cost, digits=digits),
            )
            for one in misses.causes
        ]
        yield from grid(
            ("why, newest first", "last seen", "last hour", "in all", "tokens not read", "cost"), lines
        )
        yield Span(f"{ESTIMATE}\n", "dim")
    if misses.left_out:
        yield Span(f"{counted(misses.left_out, 'request')} {LEFT_OUT}\n", "dim")


def _notes(snapshot: Snapshot) -> Iterator[Span]:
    notes = []
    if snapshot.broken:
        verb = "is no record" if snapshot.broken == 1 else "are no records"
        notes.append(f"{counted(snapshot.broken, 'line')} {verb}")
    if snapshot.duplicates:
        notes.append(copies_left_out(snapshot.duplicates))
    if snapshot.without_usage:
        notes.append(f"{counted(snapshot.without_usage, 'request')} came without usage")
    if snapshot.faults:
        notes.append("faults: " + ", ".join(f"{word(kind)} {number:,}" for kind, number in snapshot.faults))
    if notes or snapshot.origin == "metrics":
        yield Span("\n")
    yield from (Span(f"{note}\n", "warning") for note in notes)
    if snapshot.origin == "metrics":
        yield Span(f"{WITHOUT}\n", "dim")


def _saved(totals: Totals, digits: int) -> str:
    return known_usd(totals.known_saved, totals.unpriced, totals.requests, digits=digits)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
