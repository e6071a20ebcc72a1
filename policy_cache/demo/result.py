"""What the demo measured, and how a person reads it: the change, then every request and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.explicit import CacheOutcome
from policy_cache.engine.diff import diff
from policy_cache.text.styled import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy_cache.engine.plan import Plan
    from policy_cache.text.styled import Style

_COLUMNS = ("request", "tokens", "uncached", "written", "read", "uncached", "without", "with")
_WIDTHS = (7, 10, 11, 11, 10, 11, 11, 10)
_GROUPS = (("", 2), ("without", 1), ("with the policy", 3), ("cost", 2))
"""What stands above the columns, and above how many of them."""

_GAP = 3


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request, or several, used.

    Attributes:
        prompt: The tokens of the prompt: read from the cache, written to it, or neither.
        output: The tokens of the reply.
        cost: The cost in USD, unrounded.
    """

    prompt: CacheOutcome
    output: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same request, sent without the policy and with it."""

    without: Usage
    rewritten: Usage


@dataclass(frozen=True, slots=True)
class DemoResult:
    """A conversation, sent without the policy and with it.

    Attributes:
        requests: Each request, in the order of the conversation.
        plan: What the policy decided for the first one.
    """

    requests: tuple[Comparison, ...]
    plan: Plan

    @property
    def total(self) -> Comparison:
        """Everything added up."""
        return Comparison(
            _total(request.without for request in self.requests),
            _total(request.rewritten for request in self.requests),
        )

    @property
    def saving(self) -> Decimal:
        """The share of the cost that the policy saves; below zero when it costs more."""
        total = self.total
        return 1 - total.rewritten.cost / total.without.cost


def _total(usages: Iterable[Usage]) -> Usage:
    summed = tuple(usages)
    prompt = CacheOutcome(
        read=sum(usage.prompt.read for usage in summed),
        write_5m=sum(usage.prompt.write_5m for usage in summed),
        write_1h=sum(usage.prompt.write_1h for usage in summed),
        uncached=sum(usage.prompt.uncached for usage in summed),
    )
    output = sum(usage.output for usage in summed)
    return Usage(prompt, output, sum((usage.cost for usage in summed), Decimal(0)))


def report(result: DemoResult) -> list[Span]:
    """What the demo did, the diff of its first request, and a table of all of them."""
    return [
        *_opening(result),
        *diff(result.plan),
        Span("\n"),
        *_header(),
        *(
            span
            for number, comparison in enumerate(result.requests, 1)
            for span in _row(str(number), comparison)
        ),
        *_row("total", result.total, style="strong"),
        Span("\n"),
        *_verdict(result),
    ]


def _opening(result: DemoResult) -> Iterator[Span]:
    requests = result.requests
    size = sum(request.without.prompt.total for request in requests) / len(requests) / 1_000
    yield Span(f"{len(requests)} requests of one agent, about {size:.0f},000 tokens each, sent by litellm ")
    yield Span("to an emulator on loopback:\nfirst as they are, then rewritten by the policy. ")
    yield Span("It changes the first one like this:\n\n")


def _header() -> Iterator[Span]:
    groups = ""
    start = 0
    for name, columns in _GROUPS:
        width = sum(_WIDTHS[start : start + columns])
        label = f" {name} ".center(width - _GAP, "-") if name and columns > 1 else name
        groups += label.rjust(width)
        start += columns
    yield Span(f"{groups}\n{_line(_COLUMNS)}\n", "dim")


def _verdict(result: DemoResult) -> Iterator[Span]:
    total = result.total
    share = f"{abs(100 * result.saving):.0f} %"
    yield Span(f"saved {share}" if result.saving >= 0 else f"costs {share} more", "strong")
    yield Span(f": ${total.without.cost:.2f} without the policy, ${total.rewritten.cost:.2f} with it\n")


def _row(name: str, comparison: Comparison, *, style: Style = "") -> Iterator[Span]:
    without, rewritten = comparison.without, comparison.rewritten
    cells = (
        name,
        f"{without.prompt.total:,}",
        f"{without.prompt.uncached:,}",
        f"{rewritten.prompt.write_5m + rewritten.prompt.write_1h:,}",
        f"{rewritten.prompt.read:,}",
        f"{rewritten.prompt.uncached:,}",
        f"${without.cost:.4f}",
        f"${rewritten.cost:.4f}",
    )
    yield Span(_line(cells) + "\n", style)


def _line(cells: tuple[str, ...]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
