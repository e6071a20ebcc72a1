"""The wire check as a person reads it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from policy_cache.report.diff import column
from policy_cache.report.render import Span
from policy_cache.report.values import place, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.integrations.litellm.wire import Check, Fate


def wire_report(check: Check) -> Iterator[Span]:
    """Where each marker of a request stands in the body that litellm sends, or that it was lost."""
    last = check.wire.sent[-1]
    yield Span(f"\nwire, litellm {version('litellm')}: ", "strong")
    yield Span(f"{last.method} {word(last.url.partition('?')[0])}\n", "dim")
    rows = [(place(fate.marker.holder), _found(fate), fate) for fate in check.fates]
    widths = column(row[0] for row in rows), column(row[1] for row in rows)
    for where, found, fate in rows:
        yield Span(f"  {where:{widths[0]}}  ")
        yield Span(f"{found:{widths[1]}}", "added" if len(fate.places) == 1 else "error")
        yield Span(f"  {fate.source.rule if fate.source else 'the client'}\n", "note")
    if not check.fates:
        yield Span("  no marker is sent\n", "dim")
    for name in check.wire.leaks:
        yield Span(f"  litellm passes `{name}` on to the provider\n", "error")


def _found(fate: Fate) -> str:
    if not fate.places:
        return "lost by litellm"
    return ", ".join(f"-> {place(one.location)}{f' ({one.ttl})' if one.ttl else ''}" for one in fate.places)
