"""The misses of a trace as a person reads them, and as a program does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import grid, price_warnings, trace_warnings
from policy_cache.request.location import place
from policy_cache.text.amounts import counted, counted_tokens, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from policy_cache.misses.difference import Cause
    from policy_cache.misses.ledger import CauseTotal, Miss, Misses
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
    at = place(miss.location) if miss.location else ""
    words = visible(miss.detail)
    if miss.cause in _PLACED and at:
        words = f"{'first differing block ' if miss.cause in _FIRST else ''}{at} {words}"
    elif at:
        words = f"{at}: {words}"
    yield Span(visible(miss.where), "location")
    yield Span(": ")
    yield Span(f"miss[{miss.cause}]", "warning")
    session = f", session {word(miss.session)}" if miss.session else ""
    yield Span(f": {words} ({counted_tokens(miss.tokens)}, {usd(miss.cost)}{session})\n")


def full(misses: Misses, shown: Sequence[Miss], summary: TraceSummary, name: str) -> Iterator[Span]:
    """What was looked at, what each cause cost, and the dearest misses."""
    yield Span(
        f"{visible(name)}: {misses.missed:,} of {counted(misses.requests, 'request')} "
        f"in {counted(misses.sessions, 'session')} did not read all that they could\n"
    )
    yield from (Span(f"{warning}\n", "warning") for warning in warnings(misses, summary))
    if not misses.causes:
        return
    yield Span("\n")
    yield from causes(misses)
    yield Span(f"{ESTIMATE}\n\n", "dim")
    yield from lines(shown)
    number = sum(total.requests for total in misses.causes.values())
    if len(shown) < number:
        yield Span(f"and {number - len(shown):,} more; --limit shows them\n", "dim")


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


def as_json(misses: Misses, shown: Sequence[Miss], summary: TraceSummary) -> dict[str, object]:
    """Everything that was misses; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": misses.requests,
        "sessions": misses.sessions,
        "missed_requests": misses.missed,
        "prompt_tokens": misses.tokens,
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
        "warnings": [*warnings(misses, summary)],
        "note": ESTIMATE,
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
