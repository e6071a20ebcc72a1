"""The demo as a person reads it: the change, then every request with what it used and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.report.plan.diff import diff
from policy_cache.text.styled import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.demo.result import Comparison, DemoResult
    from policy_cache.text.styled import Style

_COLUMNS = ("request", "tokens", "uncached", "written", "read", "uncached", "without", "with")
_WIDTHS = (7, 10, 11, 11, 10, 11, 11, 10)
_GROUPS = (("", 2), ("without", 1), ("with the policy", 3), ("cost", 2))
"""What stands above the columns, and above how many of them."""

_GAP = 3


def report(result: DemoResult) -> list[Span]:
    """What the demo did, the diff of its first request, and a table of all of them."""
    return [
        *_opening(result),
        *diff(result.plan),
        Span("\n"),
        *_header(),
        *(span for number, one in enumerate(result.requests, 1) for span in _row(str(number), one)),
        *_row("total", result.total, style="strong"),
        Span("\n"),
        *_verdict(result),
    ]


def _opening(result: DemoResult) -> Iterator[Span]:
    requests = result.requests
    size = sum(one.without.prompt.total for one in requests) / len(requests) / 1_000
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


def _row(name: str, one: Comparison, *, style: Style = "") -> Iterator[Span]:
    without, rewritten = one.without, one.rewritten
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
