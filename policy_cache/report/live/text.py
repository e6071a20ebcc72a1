"""What happens, as a person reads it on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from policy_cache.report.forecast import grid
from policy_cache.report.misses import ESTIMATE
from policy_cache.text.amounts import counted, known_usd, share, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.usage.live import Figures, Misses, Row, Snapshot

MOST_ROWS = 20
"""Rows of a table that are shown, the busiest."""

_MOST_REVISIONS = 5
WITHOUT = "The metrics have no models, no misses, and no money by rule."


def page(snapshot: Snapshot, name: str, state: str = "") -> Iterator[Span]:
    """Everything that is known.

    Args:
        snapshot: What is known.
        name: What is followed.
        state: What keeps it from being read; empty if nothing does.
    """
    yield Span(f"{visible(name)}, {_clock(snapshot.at)}\n", "strong")
    if state:
        yield Span(f"{visible(state)}\n", "warning")
    yield from _sums(snapshot)
    yield Span("\n")
    yield from _rows(snapshot)
    yield from _rules(snapshot)
    if snapshot.misses is not None:
        yield from _misses(snapshot.misses)
    yield from _notes(snapshot)


def _sums(snapshot: Snapshot) -> Iterator[Span]:
    accounts = snapshot.origin == "accounts"
    part = "" if snapshot.seconds >= 3_600 or snapshot.since is None else f", since {_clock(snapshot.since)}"
    yield Span(f"last hour{part}: {_sentence(snapshot.hour)}\n")
    since = f" since {_date(snapshot.since)}" if accounts and snapshot.since is not None else ""
    yield Span(f"in all{since}: {_sentence(snapshot.whole)}\n")
    if snapshot.latest is not None and not snapshot.hour.requests:
        yield Span(f"the last request was at {_date(snapshot.latest)}\n", "dim")
    if snapshot.revisions:
        yield Span(f"policy in force: {_revisions(snapshot.revisions)}\n")


def _sentence(figures: Figures) -> str:
    read = share(figures.read, figures.prompt, otherwise="0%")
    return f"{counted(figures.requests, 'request')}, {read} read, saved {_saved(figures)}"


def _revisions(revisions: Sequence[str]) -> str:
    more = len(revisions) - _MOST_REVISIONS
    names = ", ".join(word(name) for name in revisions[:_MOST_REVISIONS])
    return f"{names} and {more} more" if more > 0 else names


def _rows(snapshot: Snapshot) -> Iterator[Span]:
    by = "model" if snapshot.origin == "accounts" else "route"
    head = (f"{by}, last hour", "requests", "an hour", "read share", "saved", "an hour")
    # What counters had counted before they were followed has no known beginning.
    seconds = snapshot.whole_seconds if snapshot.origin == "accounts" else None
    lines = []
    for row in snapshot.rows[:MOST_ROWS]:
        lines.append(_line(word(row.name), row.hour, snapshot.seconds))
        if row.whole != row.hour:
            lines.append(_line("  in all", row.whole, seconds))
    yield from grid(head, lines)
    yield from _more(snapshot.rows)


def _line(name: str, figures: Figures, seconds: float | None) -> tuple[str, ...]:
    hourly = None if seconds is None else 3_600 / seconds
    return (
        name,
        f"{figures.requests:,}",
        "" if hourly is None else f"{figures.requests * hourly:,.0f}",
        share(figures.read, figures.prompt, otherwise="0%"),
        _saved(figures),
        "" if seconds is None else _an_hour(figures, seconds),
    )


def _an_hour(figures: Figures, seconds: float) -> str:
    if figures.requests and figures.unpriced == figures.requests:
        return "unknown"
    return usd(figures.saved * 3_600 / round(seconds), cents=True)


def _rules(snapshot: Snapshot) -> Iterator[Span]:
    if not snapshot.rules:
        return
    money = snapshot.origin == "accounts"
    head = ("rule, last hour", "read", "written", "saved")
    lines = []
    for row in snapshot.rules[:MOST_ROWS]:
        lines.append(_caused(word(row.name), row.hour))
        if row.whole != row.hour:
            lines.append(_caused("  in all", row.whole))
    yield Span("\n")
    yield from grid(head if money else head[:-1], [line if money else line[:-1] for line in lines])
    yield from _more(snapshot.rules)


def _caused(name: str, figures: Figures) -> tuple[str, ...]:
    return name, f"{figures.read:,}", f"{figures.written:,}", _saved(figures)


def _more(rows: Sequence[Row]) -> Iterator[Span]:
    if len(rows) > MOST_ROWS:
        yield Span(f"and {len(rows) - MOST_ROWS:,} more\n", "dim")


def _misses(misses: Misses) -> Iterator[Span]:
    yield Span("\n")
    yield Span(f"{misses.missed:,} of {counted(misses.looked, 'request')} did not read all that they could\n")
    if misses.causes:
        lines = [
            (one.title, f"{one.hour:,}", f"{one.requests:,}", f"{one.tokens:,}", usd(one.cost))
            for one in misses.causes
        ]
        yield from grid(("cause", "last hour", "requests", "tokens", "cost"), lines)
        yield Span(f"{ESTIMATE}\n", "dim")
    if misses.left_out:
        yield Span(f"{counted(misses.left_out, 'request')} not looked at for misses\n", "dim")


def _notes(snapshot: Snapshot) -> Iterator[Span]:
    notes = []
    if snapshot.broken:
        verb = "is no record" if snapshot.broken == 1 else "are no records"
        notes.append(f"{counted(snapshot.broken, 'line')} {verb}")
    if snapshot.without_usage:
        notes.append(f"{counted(snapshot.without_usage, 'request')} came without usage")
    if snapshot.faults:
        notes.append("faults: " + ", ".join(f"{word(kind)} {number:,}" for kind, number in snapshot.faults))
    if notes or snapshot.origin == "metrics":
        yield Span("\n")
    yield from (Span(f"{note}\n", "warning") for note in notes)
    if snapshot.origin == "metrics":
        yield Span(f"{WITHOUT}\n", "dim")


def _saved(figures: Figures) -> str:
    return known_usd(figures.saved, figures.unpriced, figures.requests, cents=True)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
