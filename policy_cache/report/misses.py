"""The misses of a trace as a person reads them, and as a program does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import grid, price_warnings, trace_warnings, usd
from policy_cache.report.plan.diff import counted
from policy_cache.request.location import place
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    from policy_cache.misses.ledger import Misses
    from policy_cache.misses.miss import Cause, CauseTotal, Miss
    from policy_cache.trace.record import TraceSummary

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
    said = visible(miss.detail)
    if miss.cause in _PLACED and at:
        said = f"{'first differing block ' if miss.cause in _FIRST else ''}{at} {said}"
    elif at:
        said = f"{at}: {said}"
    yield Span(visible(miss.where), "location")
    yield Span(": ")
    yield Span(f"miss[{miss.cause}]", "warning")
    session = f", session {word(miss.session)}" if miss.session else ""
    yield Span(f": {said} ({counted_tokens(miss.tokens)}, {usd(miss.cost)}{session})\n")


def counted_tokens(number: int) -> str:
    """`1 token`, `12,000 tokens`."""
    return f"{number:,} token{'' if number == 1 else 's'}"


def full(found: Misses, shown: Sequence[Miss], summary: TraceSummary, name: str) -> Iterator[Span]:
    """What was looked at, what each cause cost, and the dearest misses."""
    yield Span(
        f"{visible(name)}: {found.missed:,} of {counted(found.requests, 'request')} "
        f"in {counted(found.sessions, 'session')} did not read all that they could\n"
    )
    yield from (Span(f"{said}\n", "warning") for said in warnings(found, summary))
    if not found.causes:
        return
    yield Span("\n")
    yield from causes(found)
    yield Span(f"{ESTIMATE}\n\n", "dim")
    yield from lines(shown)
    number = sum(total.requests for total in found.causes.values())
    if len(shown) < number:
        yield Span(f"and {number - len(shown):,} more; --limit shows them\n", "dim")


def lines(shown: Iterable[Miss]) -> Iterator[Span]:
    """Misses, a line each."""
    for miss in shown:
        yield from line(miss)


def causes(found: Misses) -> Iterator[Span]:
    """The causes, the dearest first."""
    rows = [
        (TITLES[cause], f"{total.requests:,}", f"{total.tokens:,}", usd(total.cost))
        for cause, total in ordered(found)
    ]
    yield from grid(("cause", "requests", "tokens", "cost"), rows)


def ordered(found: Misses) -> list[tuple[Cause, CauseTotal]]:
    """The causes with their sums, the dearest first; those of unknown cost by their tokens."""
    return sorted(found.causes.items(), key=lambda one: (-(one[1].cost or 0), -one[1].tokens, one[0]))


def warnings(found: Misses, summary: TraceSummary) -> Iterator[str]:
    """What a reader must know before relying on the figures."""
    yield from trace_warnings(summary, found.unread)
    for name, number in sorted(found.unmodelled.items()):
        yield f"{counted(number, 'request')} to {word(name)} left out: its cache does not take cache_control"
    yield from price_warnings(found.unpriced)


def as_json(found: Misses, shown: Sequence[Miss], summary: TraceSummary) -> dict[str, object]:
    """Everything that was found; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": found.requests,
        "sessions": found.sessions,
        "missed_requests": found.missed,
        "prompt_tokens": found.tokens,
        "causes": [
            {
                "cause": cause,
                "title": TITLES[cause],
                "requests": total.requests,
                "tokens": total.tokens,
                "cost_usd": _number(total.cost),
            }
            for cause, total in ordered(found)
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
        "warnings": [*warnings(found, summary)],
        "note": ESTIMATE,
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
