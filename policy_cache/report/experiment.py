"""What an experiment has shown, as a person reads it, and as a program does."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import grid
from policy_cache.text.amounts import counted, usd
from policy_cache.text.styled import Span
from policy_cache.usage.trial import FEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.usage.interval import Interval
    from policy_cache.usage.trial import Difference, Trial

_LEAST = 1e-9
_HEAD = ("policy", "sessions", "requests", "cost a request", "read share")


def experiment(trial: Trial, within: float) -> Iterator[Span]:
    """Each arm's figures, their difference with its 95 % interval, and whether that is enough to stop.

    Args:
        trial: What was recorded.
        within: How far the difference in cost may be off, as a share of what the control costs.
    """
    cost, read = trial.cost, trial.read_share
    lines = []
    for name, arm in trial.arms.items():
        money, share = arm.cost, arm.read_share
        lines.append(
            (
                name,
                f"{arm.sessions:,}",
                f"{arm.requests:,}",
                "unknown" if money is None else _usd(money.value),
                "unknown" if share is None else f"{share.value:.1%}",
            )
        )
    yield from grid(_HEAD, lines)
    yield Span("\n")
    if cost is not None:
        yield Span(f"cost a request: {_told(cost.more, _signed)}{_relative(cost)} (95 %, by session)\n")
    if read is not None:
        yield Span(f"read share: {_told(read.more, _points)} (95 %, by session)\n")
    yield Span(f"{verdict(trial, within)}\n", "strong")
    if unpriced := sum(arm.unpriced for arm in trial.arms.values()):
        yield Span(f"{counted(unpriced, 'request')} of unknown price left out of costs\n", "warning")


def verdict(trial: Trial, within: float) -> str:
    """What is known, and whether to go on."""
    cost, missing = trial.cost, trial.missing(within)
    if cost is not None and missing is None:
        return "Go on: the control costs nothing yet, which no difference can be set against."
    if cost is None or missing is None:
        return f"It is not known yet which costs less: each policy needs {FEWEST} sessions with known costs."
    if missing:
        return (
            f"Go on: the difference is known to {_share(cost.reach)} of what the control costs; about "
            f"{missing:,} sessions more for each policy make that {_share(within)}."
        )
    less = "more" if cost.more.value > 0 else "less"
    if cost.more.is_certain:
        return f"Stop: the variant costs {less}, and the difference is known to {_share(cost.reach)}."
    most = max(abs(cost.more.low), abs(cost.more.high)) / cost.control.value
    return f"Stop: whichever costs less, they differ by at most {_share(most)} of what the control costs."


def experiment_json(trial: Trial, within: float) -> dict[str, object]:
    """The same as data; costs in USD."""
    return {
        "format_version": FORMAT_VERSION,
        "arms": {
            name: {
                "sessions": arm.sessions,
                "requests": arm.requests,
                "unpriced": arm.unpriced,
                "cost_usd_per_request": None if arm.cost is None else arm.cost.value,
                "read_share": None if arm.read_share is None else arm.read_share.value,
            }
            for name, arm in trial.arms.items()
        },
        "cost_usd_per_request": _difference(trial.cost),
        "read_share": _difference(trial.read_share),
        "within": within,
        "sessions_missing": trial.missing(within),
        "verdict": verdict(trial, within),
    }


def _difference(difference: Difference | None) -> dict[str, object] | None:
    if difference is None:
        return None
    value, low, high = difference.more
    return {"difference": value, "interval_95": [low, high], "certain": difference.more.is_certain}


def _told(more: Interval, told: Callable[[float], str]) -> str:
    value, low, high = map(told, more)
    return f"{value}, between {low} and {high}"


def _relative(cost: Difference) -> str:
    return f", {cost.more.value / cost.control.value:+.1%}" if cost.control.value else ""


def _usd(amount: float) -> str:
    return usd(Decimal(repr(amount)))


def _signed(amount: float) -> str:
    return f"{'-' if amount < 0 else '+'}{_usd(abs(amount))}"


def _share(share: float) -> str:
    """In per cent, to two digits; nothing where it is a rounding error of a sum."""
    if share < _LEAST:
        return "0 %"
    return f"{100 * share:.2g} %" if share < 1 else f"{share:.0%}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"
