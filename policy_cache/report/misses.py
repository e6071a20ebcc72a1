"""The misses of a trace as a person reads them, and as a program does."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.forecast.counting import told
from policy_cache.forecast.result import added
from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import counts, grid, price_warnings, trace_warnings
from policy_cache.report.mends import change, mend
from policy_cache.request.location import place
from policy_cache.text.amounts import counted, counted_tokens, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy_cache.misses.difference import Cause
    from policy_cache.misses.groups import MissGroup
    from policy_cache.misses.kept import CauseTotal, Miss
    from policy_cache.misses.ledger import Misses
    from policy_cache.trace.reader import TraceSummary

TITLES: Mapping[Cause, str] = {
    "model_switched": "the model was switched",
    "tool_order": "the tools came in another order",
    "tool_added": "a tool was added",
    "tool_removed": "a tool was removed",
    "tool_changed": "a tool changed",
    "speed": "speed changed",
    "citations": "citations came or went",
    "system_changed": "the system prompt changed",
    "tool_choice": "tool_choice changed",
    "thinking": "thinking changed",
    "effort": "effort changed",
    "images": "images came or went",
    "message_changed": "a message changed",
    "conversation_cut": "the conversation was cut back",
    "below_minimum": "below the model's minimum",
    "no_breakpoint": "no breakpoint there",
    "expired": "the entry had expired",
    "lookback": "too far for the lookback",
    "not_readable_yet": "not readable yet",
    "unexplained": "not explained",
}
"""What each cause is called."""

_FIRST = frozenset({
    "tool_order", "tool_added", "tool_removed", "tool_changed", "system_changed", "message_changed",
})  # fmt: skip
_PLACED = _FIRST | {"model_switched", "speed", "tool_choice", "thinking", "effort", "conversation_cut"}
ESTIMATE = (
    "A cost is what the tokens were billed beyond the price of reading them: "
    "what mending its cause saves is an estimate."
)


def line(miss: Miss) -> Iterator[Span]:
    """A miss on one line."""
    yield from _cause(miss)
    session = f", session {word(miss.session)}" if miss.session else ""
    yield Span(f" ({counted_tokens(miss.tokens)}, {usd(miss.cost)}{session})\n")


def group(misses: MissGroup) -> Iterator[Span]:
    """The misses of a session for one cause: the first one, how much they are, and what would mend them."""
    first = misses.first
    yield from _cause(first)
    session = f" of session {word(first.session)}" if first.session else ""
    number = counted(misses.requests, "request")
    yield Span(f"\n  {number}{session}: {counted_tokens(misses.tokens)}, {usd(misses.cost)}\n")
    yield Span("  mend: ", "help")
    yield Span(f"{mend(misses)}\n")


def _cause(miss: Miss) -> Iterator[Span]:
    """Where a miss is, and why."""
    at = place(miss.location) if miss.location else ""
    words = visible(miss.detail)
    if miss.cause in _PLACED and at:
        words = f"{'first differing block ' if miss.cause in _FIRST else ''}{at} {words}"
    elif at:
        words = f"{at}: {words}"
    yield Span(visible(miss.where), "location")
    yield Span(": ")
    yield Span(f"miss[{miss.cause}]", "warning")
    yield Span(f": {words}")


def full(misses: Misses, shown: Sequence[MissGroup], summary: TraceSummary, name: str) -> Iterator[Span]:
    """What was looked at, what each cause cost, and the dearest groups of misses."""
    yield Span(
        f"{visible(name)}: {misses.missed:,} of {counted(misses.requests, 'request')} "
        f"in {counted(misses.sessions, 'session')} did not read all that they could\n"
    )
    yield from (Span(f"{line}\n", "dim") for line in told(misses.counted))
    yield from (Span(f"{warning}\n", "warning") for warning in warnings(misses, summary))
    if not misses.causes:
        return
    yield Span("\n")
    yield from causes(misses)
    yield Span(f"{ESTIMATE}\n\n", "dim")
    for each in shown:
        yield from group(each)
    if len(shown) < misses.group_count:
        yield Span(f"and {_rest(misses, shown)}; --limit shows them\n", "dim")


def _rest(misses: Misses, shown: Sequence[MissGroup]) -> str:
    """The groups that are not shown, in one: what all misses come to, less those that are."""
    totals = misses.causes.values()
    requests = sum(total.requests for total in totals) - sum(one.requests for one in shown)
    tokens = sum(total.tokens for total in totals) - sum(one.tokens for one in shown)
    cost: Decimal | None = Decimal(0)
    for total in totals:
        cost = added(cost, total.cost)
    for one in shown:
        cost = added(cost, None if one.cost is None else -one.cost)
    more = f"{misses.group_count - len(shown):,} more"
    return f"{more}: {counted(requests, 'request')}, {counted_tokens(tokens)}, {usd(cost)}"


def lines(shown: Iterable[Miss]) -> Iterator[Span]:
    """Misses, a line each."""
    for miss in shown:
        yield from line(miss)


def causes(misses: Misses) -> Iterator[Span]:
    """The causes, the dearest first."""
    rows = [
        (TITLES[cause], f"{total.requests:,}", f"{total.tokens:,}", usd(total.cost))
        for cause, total in ordered(misses)
    ]
    yield from grid(("cause", "requests", "tokens", "cost"), rows)


def ordered(misses: Misses) -> list[tuple[Cause, CauseTotal]]:
    """The causes with their sums, the dearest first; those of unknown cost by their tokens."""
    return sorted(misses.causes.items(), key=lambda item: (-(item[1].cost or 0), -item[1].tokens, item[0]))


def warnings(misses: Misses, summary: TraceSummary) -> Iterator[str]:
    """What a reader must know before relying on the figures."""
    yield from trace_warnings(summary, misses.unread)
    for name, number in sorted(misses.unmodelled.items()):
        yield f"{counted(number, 'request')} to {word(name)} left out: its cache does not take cache_control"
    yield from price_warnings(misses.unpriced)


def as_json(
    misses: Misses, shown: Sequence[Miss], groups: Sequence[MissGroup], summary: TraceSummary
) -> dict[str, object]:
    """Everything that was misses; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": misses.requests,
        "sessions": misses.sessions,
        "missed_requests": misses.missed,
        "prompt_tokens": misses.tokens,
        "counted": counts(misses.counted),
        "causes": [
            {
                "cause": cause,
                "title": TITLES[cause],
                "requests": total.requests,
                "tokens": total.tokens,
                "cost_usd": _number(total.cost),
            }
            for cause, total in ordered(misses)
        ],
        "misses": [
            {
                "where": miss.where,
                "session": miss.session,
                "cause": miss.cause,
                "location": place(miss.location) if miss.location else None,
                "detail": visible(miss.detail),
                "tokens": miss.tokens,
                "cost_usd": _number(miss.cost),
            }
            for miss in shown
        ],
        "groups": [
            {
                "session": each.first.session,
                "cause": each.first.cause,
                "title": TITLES[each.first.cause],
                "requests": each.requests,
                "tokens": each.tokens,
                "cost_usd": _number(each.cost),
                "where": each.first.where,
                "location": place(each.first.location) if each.first.location else None,
                "detail": visible(each.first.detail),
                "change": change(each),
                "mended_requests": None if each.hour is None else each.hour.requests,
                "saved_usd": None if each.hour is None else _number(each.hour.saved),
            }
            for each in groups
        ],
        "warnings": [*warnings(misses, summary)],
        "note": ESTIMATE,
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
