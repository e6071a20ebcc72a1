"""The switches of a trace as a person reads them, and as a program does."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import grid, trace_warnings
from policy_cache.text.amounts import counted, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.forecast.switches import Pair, RouterName, Switch, Switches
    from policy_cache.trace.reader import TraceSummary

NAMES: Mapping[RouterName, str] = {
    "recorded": "as recorded",
    "sticky": "each session stays with its first model",
    "cheapest": "always the cheapest by the token",
    "quotes": "follows the quotes",
}
"""What each router is called."""

MODELLED = (
    "Costs are modelled by the rules of each cache, or, as recorded, those of the usage that the trace has; "
    "replies are included where it has them, and every model is taken to answer alike."
)


def full(switches: Switches, shown: Sequence[Switch], summary: TraceSummary, name: str) -> Iterator[Span]:
    """The switches by pair of models, the dearest of them, and what each router would have paid."""
    number = sum(pair.count for pair in switches.pairs.values())
    yield Span(
        f"{visible(name)}: {counted(number, 'switch')} of model in {counted(switches.requests, 'request')}\n"
    )
    yield from (Span(f"{warning}\n", "warning") for warning in warnings(switches, summary))
    if switches.pairs:
        yield Span("\n")
        rows = [(between(*models), f"{pair.count:,}", _cost(pair)) for models, pair in ordered(switches)]
        yield from grid(("switch", "number", "cost against staying"), rows)
        yield Span("\n")
    for switch in shown:
        yield from line(switch)
    if len(shown) < number:
        yield Span(f"and {number - len(shown):,} more; --limit shows them\n", "dim")
    if len(switches.models) < 2:
        yield Span("one model alone: no other router has a choice\n", "dim")
    elif switches.compared:
        yield Span("\n")
        bills = [
            (NAMES[name], usd(paid.cost), f"{paid.read:,}", f"{paid.switches:,}")
            for name, paid in switches.bills.items()
        ]
        yield from grid(("router", "cost", "tokens read", "switches"), bills)
        yield Span(f"{MODELLED}\n", "dim")


def line(switch: Switch) -> Iterator[Span]:
    """A switch on one line."""
    yield Span(visible(switch.where), "location")
    against = "against staying: unknown" if switch.cost is None else f"{usd(switch.cost)} against staying"
    session = f", session {word(switch.session)}" if switch.session else ""
    yield Span(f": {between(switch.source, switch.target)}: paid {usd(switch.paid)}, {against}{session}\n")


def between(source: str, target: str) -> str:
    """From which model to which one."""
    return f"{called(source)} to {called(target)}"


def called(model: str) -> str:
    """A model's name as it is printed; a request may have an empty one."""
    return visible(model) or "(none)"


def ordered(switches: Switches) -> list[tuple[tuple[str, str], Pair]]:
    """The pairs, the dearest first."""
    return sorted(switches.pairs.items(), key=lambda item: (-item[1].cost, item[0]))


def dearest(switches: Switches, limit: int) -> list[Switch]:
    """The switches that cost most."""
    return sorted(switches.found, key=lambda switch: -(switch.cost or Decimal(0)))[:limit]


def warnings(switches: Switches, summary: TraceSummary) -> Iterator[str]:
    """What a reader must know before relying on the figures."""
    yield from trace_warnings(summary, switches.unread)
    left_out = switches.requests - switches.compared
    if left_out:
        yield (
            f"{counted(left_out, 'request')} left out of the routers' bills: a price, or how a cache works, "
            "is not known"
        )


def as_json(switches: Switches, shown: Sequence[Switch], summary: TraceSummary) -> dict[str, object]:
    """Everything that was found; costs in USD, unknown ones as null."""
    return {
        "format_version": FORMAT_VERSION,
        "requests": switches.requests,
        "compared_requests": switches.compared,
        "models": [*switches.models],
        "pairs": [
            {
                "source": source,
                "target": target,
                "switches": pair.count,
                "cost_usd": None if pair.unknown == pair.count else float(pair.cost),
                "unknown": pair.unknown,
            }
            for (source, target), pair in ordered(switches)
        ],
        "switches": [
            {
                "where": switch.where,
                "session": switch.session,
                "source": switch.source,
                "target": switch.target,
                "paid_usd": _number(switch.paid),
                "stayed_usd": _number(switch.stayed),
                "cost_usd": _number(switch.cost),
            }
            for switch in shown
        ],
        "routers": {
            name: {
                "title": NAMES[name],
                "cost_usd": float(paid.cost),
                "read": paid.read,
                "switches": paid.switches,
            }
            for name, paid in switches.bills.items()
        },
        "warnings": [*warnings(switches, summary)],
        "note": MODELLED,
    }


def _cost(pair: Pair) -> str:
    return "unknown" if pair.unknown == pair.count else usd(pair.cost)


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
