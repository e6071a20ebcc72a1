"""A simulation as a person reads it, and as a program does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.plan.diff import counted
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from decimal import Decimal

    from policy_cache.forecast.result import Column, Simulation
    from policy_cache.forecast.totals import Totals
    from policy_cache.trace.record import TraceSummary

HEAD = (
    "",
    "cold hits",
    "warm hits",
    "read",
    "written 5m",
    "written 1h",
    "uncached",
    "cost",
    "saved",
    "x optimum",
)


class Row(NamedTuple):
    """One way of marking: what it is called, and what it did."""

    name: str
    column: Column


def rows(found: Simulation, names: Sequence[str]) -> list[Row]:
    """Every way of marking that has something to say: no caching first, the policies last."""
    told = [Row("no caching", found.uncached)]
    as_sent = found.as_sent.total.tokens
    if as_sent.read or as_sent.write_5m or as_sent.write_1h:
        told.append(Row("without a policy", found.as_sent))
    if found.recorded.total.requests:
        seen, of = found.recorded.total.requests, found.requests
        told.append(Row("as recorded" + ("" if seen == of else f" ({seen:,} of {of:,})"), found.recorded))
    return [*told, *map(Row, names, found.policies)]


def table(found: Simulation, names: Sequence[str]) -> Iterator[Span]:
    """What each policy reads, writes and costs."""
    yield from grid(HEAD, cells(found, names))


def cells(found: Simulation, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines of that table, below `HEAD`."""
    baseline, least = found.uncached.total.cost, least_cost(found)
    lines = [_cells(row, baseline, least, found) for row in rows(found, names)]
    if least is not None:
        saved = share_saved(baseline, least)
        lines.append(("optimum", "", "", "", "", "", "", usd(least), saved, "1.00"))
    return lines


def least_cost(found: Simulation) -> Decimal | None:
    """The optimum, where it is about every request."""
    return found.optimum if found.optimal == found.requests else None


def grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[Span]:
    """Columns, the first one to the left and the others to the right."""
    widths = [max(len(line[index]) for line in (head, *lines)) for index in range(len(head))]
    for number, line in enumerate((head, *lines)):
        cells = [f"{line[0]:{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield Span("  ".join(cells).rstrip() + "\n", "" if number else "strong")


def _cells(row: Row, baseline: Decimal | None, least: Decimal | None, found: Simulation) -> tuple[str, ...]:
    column = row.column
    tokens, cost = column.total.tokens, column.total.cost
    # Of some requests only, a cost stands beside no other.
    whole = column.total.requests == found.requests
    return (
        visible(row.name),
        _hits(column.cold),
        _hits(column.warm),
        f"{tokens.read:,}",
        f"{tokens.write_5m:,}",
        f"{tokens.write_1h:,}",
        f"{tokens.uncached:,}",
        usd(cost),
        share_saved(baseline, cost) if whole and column is not found.uncached else "",
        f"{cost / least:.2f}" if whole and cost is not None and least else "",
    )


def _hits(totals: Totals) -> str:
    return f"{totals.hits / totals.requests:.0%}" if totals.requests else "none"


def share_saved(baseline: Decimal | None, cost: Decimal | None) -> str:
    """What is saved against no caching."""
    return f"{1 - cost / baseline:.0%}" if cost is not None and baseline else "unknown"


def usd(amount: Decimal | None) -> str:
    """An amount with enough digits to tell it from another one."""
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if abs(amount) >= 100 else f"${amount:,.4f}"


_FAR_OFF = 0.2
"""An error of the sizes that a reader is warned of."""


def opening(found: Simulation, summary: TraceSummary, name: str) -> Iterator[Span]:
    """What was read, and how sure the figures are."""
    start, end = found.span or (0.0, 0.0)
    over = timedelta(seconds=round(end - start))
    yield Span(
        f"{visible(name)}: {counted(found.requests, 'request')} in {counted(found.sessions, 'session')}, "
        f"{counted(len(found.models), 'model')}, over {over}\n"
    )
    sizes = found.sizes
    if sizes.requests:
        yield Span(
            f"sizes are estimates, fitted to {sizes.requests:,} recorded ones: off by "
            f"{sizes.share(0.5):.1%} (median), {sizes.share(0.95):.1%} (95th percentile)\n",
            "dim",
        )
    else:
        yield Span("sizes are estimates by characters; no usage was recorded to fit them to\n", "dim")
    yield from (Span(f"{line}\n", "warning") for line in warnings(found, summary))
    yield Span("\n")


def warnings(found: Simulation, summary: TraceSummary) -> Iterator[str]:
    """What a reader must know before relying on the figures."""
    if found.sizes.requests and found.sizes.share(0.5) > _FAR_OFF:
        yield "what was recorded of sizes does not fit the requests: figures may be far off"
    least, recorded = least_cost(found), found.recorded.total
    cost = recorded.cost if recorded.requests == found.requests else None
    if cost is not None and least is not None and cost < least:
        yield "what was recorded costs less than the optimum: caches were warm before, or lines are missing"
    yield from trace_warnings(summary, found.unread)
    for said, number in sorted(found.approximate.items()):
        yield f"{counted(number, 'request')}: {said}"
    yield from price_warnings(found.unpriced)
    if found.optimum is not None and found.optimal < found.requests:
        yield (
            f"the optimum is known for {found.optimal:,} of {found.requests:,} requests, "
            "those to providers with explicit breakpoints, and is left out"
        )


def trace_warnings(summary: TraceSummary, unread: Mapping[str, int]) -> Iterator[str]:
    """What a trace left out or leaves to be assumed."""
    if summary.broken:
        yield f"{counted(summary.broken, 'line')} left out as no record: {visible(summary.first_broken[0])}"
    for reason, number in sorted(unread.items()):
        yield f"{counted(number, 'request')} left out: {visible(reason)}"
    if summary.duplicates:
        yield f"{counted(summary.duplicates, 'line')} left out as a copy of an earlier one"
    if summary.untimed:
        yield f"{counted(summary.untimed, 'request')} without a time: each is taken to follow after --gap"
    if summary.late:
        yield f"{counted(summary.late, 'request')} too far out of order: taken to start with the one before"


def price_warnings(unpriced: Collection[str]) -> Iterator[str]:
    """The models whose costs are unknown."""
    if unpriced:
        names = ", ".join(word(name) or "(none)" for name in sorted(unpriced))
        yield f"no price is known for {names}: costs are unknown"


def groups(found: Simulation, names: Sequence[str], by: str) -> Iterator[Span]:
    """What each policy costs, by group, the dearest first."""
    order = sorted(found.uncached.groups.items(), key=lambda one: -one[1].tokens.total)
    told = rows(found, names)
    head = (by, "requests", *(row.name for row in told))
    lines = [
        (
            word(group) or "(none)",
            f"{totals.requests:,}",
            *(usd(row.column.groups[group].cost) if group in row.column.groups else "" for row in told),
        )
        for group, totals in order
    ]
    yield Span("\n")
    yield from grid(head, lines)


def rules(found: Simulation, names: Sequence[str]) -> Iterator[Span]:
    """What each rule reads and writes: a token belongs to the first breakpoint at or after it."""
    head = ("rule", "policy", "requests", "read", "written 5m", "written 1h", "saved")
    lines = [
        (
            visible(rule),
            visible(row.name),
            f"{totals.requests:,}",
            f"{totals.tokens.read:,}",
            f"{totals.tokens.write_5m:,}",
            f"{totals.tokens.write_1h:,}",
            usd(totals.saved),
        )
        for row in rows(found, names)
        for rule, totals in row.column.groups.items()
    ]
    yield Span("\n")
    yield from grid(head, lines)


def as_json(found: Simulation, summary: TraceSummary, names: Sequence[str]) -> dict[str, object]:
    """Everything that was found; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": found.requests,
        "sessions": found.sessions,
        "models": dict(sorted(found.models.items())),
        "span_seconds": None if found.span is None else found.span[1] - found.span[0],
        "size_error": {
            "requests": found.sizes.requests,
            "median": found.sizes.share(0.5) if found.sizes.requests else None,
            "p95": found.sizes.share(0.95) if found.sizes.requests else None,
        },
        "warnings": [*warnings(found, summary)],
        "optimum_usd": _number(least_cost(found)),
        "rows": [{"name": row.name, **_column(row.column)} for row in rows(found, names)],
    }


def _column(column: Column) -> dict[str, object]:
    return {
        "total": _totals(column.total),
        "cold": _totals(column.cold),
        "warm": _totals(column.warm),
        "groups": {name: _totals(totals) for name, totals in sorted(column.groups.items())},
    }


def _totals(totals: Totals) -> dict[str, object]:
    tokens = totals.tokens
    return {
        "requests": totals.requests,
        "hits": totals.hits,
        "read": tokens.read,
        "written_5m": tokens.write_5m,
        "written_1h": tokens.write_1h,
        "uncached": tokens.uncached,
        "cost_usd": _number(totals.cost),
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
