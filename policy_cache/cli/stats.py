"""`policy-cache stats`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import give_up
from policy_cache.cli.output import show, show_json
from policy_cache.integrations.stats import stats
from policy_cache.report.diff import counted
from policy_cache.report.render import Span
from policy_cache.report.values import word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from policy_cache.integrations.stats import Stats


@click.command("stats")
@click.argument("trace", type=click.Path(allow_dash=True))
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(trace: str, output_format: str) -> None:
    """Sum up what the requests of TRACE, as a TraceRecorder wrote it, read from the cache and wrote to it."""
    try:
        with click.open_file(trace, "rb") as lines:
            found = stats(lines)
    except OSError as error:
        give_up(f"{trace}: {error.strerror or type(error).__name__}")
    if output_format == "json":
        show_json(_as_json(found))
    else:
        show(_table(found))
    if found.broken:
        shown = ", ".join(map(str, found.broken[:5])) + (", …" if len(found.broken) > 5 else "")
        click.echo(f"policy-cache: {len(found.broken)} lines are no records: {shown}", err=True)
    sys.exit(0)


def _table(found: Stats) -> Iterator[Span]:
    head = ("model", "requests", "hits", "read", "written", "uncached", "read share", "saved")
    rows = [
        (
            word(model),
            f"{one.requests:,}",
            f"{one.hits:,}",
            f"{one.read:,}",
            f"{one.written:,}",
            f"{one.uncached:,}",
            f"{one.share_read:.0%}",
            _usd(one.saved),
        )
        for model, one in sorted(found.models.items())
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for number, row in enumerate((head, *rows)):
        cells = [f"{row[0]:{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield Span("  ".join(cells) + "\n", "" if number else "strong")
    if found.without_usage:
        yield Span(f"{counted(found.without_usage, 'request')} came without usage\n", "dim")


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"


def _as_json(found: Stats) -> dict[str, object]:
    return {
        "models": {
            model: {
                "requests": one.requests,
                "hits": one.hits,
                "read": one.read,
                "written": one.written,
                "uncached": one.uncached,
                "saved_usd": None if one.saved is None else float(one.saved),
            }
            for model, one in sorted(found.models.items())
        },
        "without_usage": found.without_usage,
        "broken_lines": found.broken,
    }
