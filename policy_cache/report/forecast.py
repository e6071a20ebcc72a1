"""A simulation as a person reads it, and as a program does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.forecast.counting import told
from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.text.amounts import counted, known_usd, share, share_saved, usd
from policy_cache.text.names import some_of
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from policy_cache.forecast.counting import Counted
    from policy_cache.forecast.result import Column, Simulation
    from policy_cache.trace.reader import TraceSummary
    from policy_cache.usage.totals import Totals

_MOST_NOTED = 8

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


def rows(simulation: Simulation, names: Sequence[str]) -> list[Row]:
    """Every way of marking that has something to say: no caching first, the policies last."""
    shown = [Row("no caching", simulation.uncached)]
    as_sent = simulation.as_sent.total.tokens
    if as_sent.read or as_sent.write_5m or as_sent.write_1h:
        shown.append(Row("without a policy", simulation.as_sent))
    if simulation.recorded.total.requests:
        recorded, every = simulation.recorded.total.requests, simulation.requests
        shown.append(
            Row(
                "as recorded" + ("" if recorded == every else f" ({recorded:,} of {every:,})"),
                simulation.recorded,
            )
        )
    kept = map(Row, map("{}, kept warm".format, names), simulation.kept)
    return [*shown, *map(Row, names, simulation.policies), *kept]


def table(simulation: Simulation, names: Sequence[str]) -> Iterator[Span]:
    """What each policy reads, writes and costs."""
    yield from grid(HEAD, cells(simulation, names))


def cells(simulation: Simulation, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines of that table, below `HEAD`."""
    least = least_cost(simulation)
    lines = [_cells(row, least, simulation) for row in rows(simulation, names)]
    if least is not None:
        baseline = simulation.uncached.total.cost
        saved = share_saved(baseline, least)
        lines.append(("optimum", "", "", "", "", "", "", usd(least), saved, "1.00"))
        if (pinged := simulation.pinged) is not None:
            saved, times = share_saved(baseline, pinged), f"{pinged / least:.2f}" if least else ""
            lines.append(("optimum with pings", "", "", "", "", "", "", usd(pinged), saved, times))
    return lines


def least_cost(simulation: Simulation) -> Decimal | None:
    """The optimum, where it is about every request."""
    return simulation.optimum if simulation.optimal == simulation.requests else None


def grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[Span]:
    """Columns, the first one to the left and the others to the right."""
    widths = [max(len(line[index]) for line in (head, *lines)) for index in range(len(head))]
    for number, line in enumerate((head, *lines)):
        cells = [f"{line[0]:{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield Span("  ".join(cells).rstrip() + "\n", "" if number else "strong")


def _cells(row: Row, least: Decimal | None, simulation: Simulation) -> tuple[str, ...]:
    column, baseline = row.column, simulation.uncached.total
    tokens, cost, paid = column.total.tokens, column.cost, column.whole
    # Of some requests only, a cost stands beside no other.
    whole = paid.requests == baseline.requests and paid.unpriced == baseline.unpriced
    return (
        visible(row.name),
        _hits(column.cold),
        _hits(column.warm),
        f"{tokens.read:,}",
        f"{tokens.write_5m:,}",
        f"{tokens.write_1h:,}",
        f"{tokens.uncached:,}",
        _known(paid),
        share_saved(baseline.paid, paid.paid) if whole and column is not simulation.uncached else "",
        f"{cost / least:.2f}" if whole and cost is not None and least else "",
    )


def _hits(totals: Totals) -> str:
    return share(totals.hits, totals.requests)


_FAR_OFF = 0.2
"""An error of the sizes that a reader is warned of."""


def opening(
    simulation: Simulation, summary: TraceSummary, name: str, *, optimum: bool = True
) -> Iterator[Span]:
    """What was read, and how sure the figures are; `optimum` where it is shown what is possible, too."""
    start, end = simulation.span or (0.0, 0.0)
    over = timedelta(seconds=round(end - start))
    yield Span(
        f"{visible(name)}: {counted(simulation.requests, 'request')} "
        f"in {counted(simulation.sessions, 'session')}, "
        f"{counted(len(simulation.models), 'model')}, over {over}\n"
    )
    yield from (Span(f"{line}\n", "dim") for line in how_sized(simulation))
    lines = warnings(simulation, summary) if optimum else reading_warnings(simulation, summary)
    yield from (Span(f"{line}\n", "warning") for line in lines)
    yield Span("\n")


def how_sized(simulation: Simulation) -> Iterator[str]:
    """What sizes are fitted to, and how far they are from counted and recorded ones."""
    sizes = simulation.sizes
    yield from told(simulation.counted)
    if sizes.requests:
        off = f"off by {sizes.share(0.5):.1%} (median), {sizes.share(0.95):.1%} (95th percentile)"
        if simulation.counted:
            yield f"{counted(sizes.requests, 'size')} of prompts that were recorded: {off}"
        else:
            yield f"sizes are estimates, fitted to {sizes.requests:,} recorded ones: {off}"
    elif not any(one.prompts for one in simulation.counted):
        yield "sizes are estimates by characters; no usage was recorded to fit them to"


def warnings(simulation: Simulation, summary: TraceSummary) -> Iterator[str]:
    """What a reader must know before relying on the figures, the optimum among them."""
    yield from _misfit(simulation)
    least, recorded = least_cost(simulation), simulation.recorded.total
    cost = recorded.cost if recorded.requests == simulation.requests else None
    if cost is not None and least is not None and cost < least:
        yield "what was recorded costs less than the optimum: caches were warm before, or lines are missing"
    yield from _assumed(simulation, summary)
    if simulation.optimum is not None and simulation.optimal < simulation.requests:
        yield (
            f"the optimum is known for {simulation.optimal:,} of {simulation.requests:,} requests, "
            "those to providers with explicit breakpoints, and is left out"
        )


def reading_warnings(simulation: Simulation, summary: TraceSummary) -> Iterator[str]:
    """The same where no optimum is shown."""
    yield from _misfit(simulation)
    yield from _assumed(simulation, summary)


def _misfit(simulation: Simulation) -> Iterator[str]:
    if simulation.sizes.requests and simulation.sizes.share(0.5) > _FAR_OFF:
        yield "what was recorded of sizes does not fit the requests: figures may be far off"


def _assumed(simulation: Simulation, summary: TraceSummary) -> Iterator[str]:
    """What the trace leaves out, and what the models take for granted."""
    yield from trace_warnings(summary, simulation.unread)
    if (near := simulation.near).requests:
        reckoned = usd(near.paid) if near.unpriced < near.requests else "unknown"
        yield (
            f"{counted(near.requests, 'request')} within 5 % of the minimum prefix may be cached or not: "
            f"{reckoned} as reckoned, {usd(near.without_cache)} uncached"
        )
    if simulation.summed:
        yield (
            f"{counted(simulation.summed, 'request')} used tools that the provider runs: what was recorded "
            "is the sum of several calls of the model alone, and their figures are uncertain"
        )
    if simulation.warm_starts:
        yield (
            f"{counted(simulation.warm_starts, 'session')} found a warm cache at the first request: "
            "what that read is taken as cached before the trace begins"
        )
    yield from _some(simulation.ineffective, _without_effect)
    yield from _some(simulation.approximate, lambda note, number: f"{counted(number, 'request')}: {note}")
    yield from price_warnings(simulation.unpriced)


def _without_effect(model: str, number: int) -> str:
    verb = "takes" if number == 1 else "take"
    return (
        f"{model}: {counted(number, 'marker')} of clients {verb} no effect there; "
        "`policy-cache explain` says why"
    )


def _some(notes: Mapping[str, int], say: Callable[[str, int], str]) -> Iterator[str]:
    """A line for each that was met most often, and how many others there are: clients name models."""
    most = sorted(notes, key=lambda note: (-notes[note], note))[:_MOST_NOTED]
    for note in sorted(most):
        yield say(visible(note), notes[note])
    if more := len(notes) - len(most):
        yield f"and {more:,} more of this kind"


def trace_warnings(summary: TraceSummary, unread: Mapping[str, int]) -> Iterator[str]:
    """What a trace left out or leaves to be assumed."""
    if summary.broken:
        yield f"{counted(summary.broken, 'line')} left out as no record: {visible(summary.first_broken[0])}"
    for reason, number in sorted(unread.items()):
        yield f"{counted(number, 'request')} left out: {visible(reason)}"
    if summary.duplicates:
        yield copies_left_out(summary.duplicates)
    if summary.untimed:
        yield f"{counted(summary.untimed, 'request')} without a time: each is taken to follow after --gap"
    if summary.of_another:
        requests = counted(summary.of_another, "request")
        yield f"the recorded usage of {requests} left out: it is another model's than --model says"
    if summary.late:
        yield f"{counted(summary.late, 'request')} too far out of order: taken to start with the one before"


def copies_left_out(number: int) -> str:
    """What is said of lines that repeat an earlier one."""
    return f"{counted(number, 'line')} left out as a copy of an earlier one"


def price_warnings(unpriced: Collection[str]) -> Iterator[str]:
    """The models whose costs are unknown."""
    if unpriced:
        names = some_of([word(name) or "(none)" for name in sorted(unpriced)], _MOST_NOTED)
        yield f"no price is known for {names}: no cost is theirs"


def groups(simulation: Simulation, names: Sequence[str], by: str) -> Iterator[Span]:
    """What each policy costs, by group, the dearest first."""
    order = sorted(simulation.uncached.groups.items(), key=lambda item: -item[1].tokens.total)
    shown = rows(simulation, names)
    head = (by, "requests", *(row.name for row in shown))
    lines = [
        (
            word(group) or "(none)",
            f"{totals.requests:,}",
            *(_known(row.column.whole_of(group)) if group in row.column.groups else "" for row in shown),
        )
        for group, totals in order
    ]
    yield Span("\n")
    yield from grid(head, lines)


def _known(totals: Totals) -> str:
    return known_usd(totals.paid, totals.unpriced, totals.requests)


def pings(simulation: Simulation, names: Sequence[str]) -> Iterator[Span]:
    """What was sent to keep prefixes warm, and what that came to; their cost is part of the table's."""
    head = ("kept warm", "pings", "read", "written", "cost of pings", "saved by them")
    lines = []
    for name, without, kept in zip(names, simulation.policies, simulation.kept, strict=True):
        before, after = without.cost, kept.cost
        saved = None if before is None or after is None else before - after
        sent = kept.pings
        figures = f"{sent.requests:,}", f"{sent.read:,}", f"{sent.written:,}"
        lines.append((visible(name), *figures, usd(sent.cost), usd(saved)))
    yield Span("\n")
    yield from grid(head, lines)


def rules(simulation: Simulation, names: Sequence[str]) -> Iterator[Span]:
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
        for row in rows(simulation, names)
        for rule, totals in row.column.groups.items()
    ]
    yield Span("\n")
    yield from grid(head, lines)


def as_json(simulation: Simulation, summary: TraceSummary, names: Sequence[str]) -> dict[str, object]:
    """Everything that was found; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": simulation.requests,
        "sessions": simulation.sessions,
        "models": dict(sorted(simulation.models.items())),
        "span_seconds": None if simulation.span is None else simulation.span[1] - simulation.span[0],
        "size_error": {
            "requests": simulation.sizes.requests,
            "median": simulation.sizes.share(0.5) if simulation.sizes.requests else None,
            "p95": simulation.sizes.share(0.95) if simulation.sizes.requests else None,
        },
        "counted": counts(simulation.counted),
        "warnings": [*warnings(simulation, summary)],
        "optimum_usd": _number(least_cost(simulation)),
        "optimum_with_pings_usd": _number(simulation.pinged if least_cost(simulation) is not None else None),
        "rows": [{"name": row.name, **_column(row.column)} for row in rows(simulation, names)],
    }


def counts(models: Iterable[Counted]) -> list[dict[str, object]]:
    """What counting prompts told of each model."""
    return [
        {
            "model": one.model,
            "by": one.way or None,
            "prompts": one.prompts,
            "median_error": one.off and one.off[0],
            "largest_error": one.off and one.off[1],
            "not_counted": one.missing or None,
        }
        for one in models
    ]


def _column(column: Column) -> dict[str, object]:
    return {
        "total": _totals(column.total),
        "cold": _totals(column.cold),
        "warm": _totals(column.warm),
        "groups": {name: _totals(totals) for name, totals in sorted(column.groups.items())},
        "pings": _totals(column.pings),
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
        "known_cost_usd": float(totals.paid),
        "unpriced": totals.unpriced,
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
