"""`policy-cache stats`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.errors import reason_of
from policy_cache.report.experiment import experiment, experiment_json
from policy_cache.report.forecast import copies_left_out
from policy_cache.text.amounts import counted, digits_of, known_usd, share, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import visible, word
from policy_cache.usage.ledger import DIMENSIONS
from policy_cache.usage.stats import stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.usage.ledger import Dimension
    from policy_cache.usage.stats import Stats
    from policy_cache.usage.totals import Totals

# Whose rows have no uncached tokens, which nobody caused.
_CAUSES = ("rule", "source")
_PARTIES: Mapping[str, str] = {
    "policy": "policy-cache",
    "client": "the client's markers",
    "litellm": "litellm's markers",
    "provider": "the provider itself",
    "unrecorded": "what is not recorded",
}


@click.command("stats")
@click.argument("trace", type=click.Path(allow_dash=True))
@click.option(
    "--by", type=click.Choice(DIMENSIONS), default="model", show_default=True, help="What a row stands for."
)
@click.option("--experiment", "as_experiment", is_flag=True, help="Compare the policies of an experiment.")
@click.option(
    "--within",
    type=click.FloatRange(0, 100, min_open=True),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="How well an experiment's difference in cost shall be known, of what the control costs.",
)
@catalog_option
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(
    trace: str,
    *,
    by: Dimension,
    as_experiment: bool,
    within: float,
    catalog_file: str | None,
    output_format: str,
) -> None:
    """Sum up what the requests of TRACE, as a TraceRecorder wrote it, read from the cache and wrote to it.

    A session starts cold, and again when its cache has expired; its other requests are warm. By rule and by
    source, a row has the tokens that were read and written because of it. With --experiment, what the two
    policies of an experiment cost, by how much that differs, how sure it is, and whether to stop.
    """
    catalog = read_catalog(catalog_file)
    try:
        with click.open_file(trace, "rb") as lines:
            result = stats(lines, catalog=catalog)
    except OSError as error:
        give_up(f"{trace}: {reason_of(error)}")
    if result.broken and not (result.ledger.by["model"] or result.without_usage):
        what = f"{counted(len(result.broken), 'line')}, of which none is a record of a TraceRecorder"
        give_up(f"{visible(trace)}: nothing to sum up: {what}")
    if as_experiment:
        _show_experiment(trace, result, within / 100, as_json=output_format == "json")
    elif output_format == "json":
        show_json(_as_json(result))
    else:
        show(_table(result, by))
    if result.broken:
        shown = ", ".join(map(str, result.broken[:5])) + (", …" if len(result.broken) > 5 else "")
        verb = "is no record" if len(result.broken) == 1 else "are no records"
        click.echo(f"policy-cache: {counted(len(result.broken), 'line')} {verb}: {shown}", err=True)
    if result.duplicates:
        click.echo(f"policy-cache: {copies_left_out(result.duplicates)}", err=True)
    sys.exit(0)


def _show_experiment(trace: str, result: Stats, within: float, *, as_json: bool) -> None:
    empty = [name for name, arm in result.trial.arms.items() if not arm.requests]
    if len(empty) == len(result.trial.arms):
        give_up(f"{visible(trace)}: no request of it is of an experiment")
    if empty:
        give_up(f"{visible(trace)}: no request of it is of the {empty[0]}: there is nothing to compare")
    if as_json:
        show_json(experiment_json(result.trial, within))
    else:
        show(experiment(result.trial, within))


def _table(result: Stats, by: Dimension) -> Iterator[Span]:
    shares = () if by in _CAUSES else ("uncached", "read share")
    head = (by, "requests", "hits", "read", "written", *shares, "saved")
    rows: list[tuple[str, ...]] = [head]
    digits = digits_of(entry.total.known_saved for entry in result.ledger.by[by].values())
    for name, entry in sorted(result.ledger.by[by].items()):
        rows.append(_row(word(name), entry.total, by, digits))
        if entry.cold.requests and entry.warm.requests:
            rows += [_row("  cold", entry.cold, by, digits), _row("  warm", entry.warm, by, digits)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        cells = [f"{row[0]:{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield Span("  ".join(cells) + "\n", "" if number else "strong")
    if caused := _caused(result):
        yield Span(f"read because of {', '.join(caused)}\n", "dim")
    if result.switches:
        what = f"{counted(result.switches, 'switch')} of model cost {usd(result.switch_cost)} against staying"
        yield Span(f"{what}\n", "dim")
    if result.without_usage:
        yield Span(f"{counted(result.without_usage, 'request')} came without usage\n", "dim")


def _row(name: str, totals: Totals, by: Dimension, digits: int) -> tuple[str, ...]:
    shares = (
        ()
        if by in _CAUSES
        else (f"{totals.uncached:,}", share(totals.read, totals.tokens.total, otherwise="0%"))
    )
    figures = (totals.requests, totals.hits, totals.read, totals.written)
    saved = known_usd(totals.known_saved, totals.unpriced, totals.requests, digits=digits)
    return (name, *(f"{figure:,}" for figure in figures), *shares, saved)


def _caused(result: Stats) -> list[str]:
    """Each party's share of the tokens that were read, the largest first."""
    read = {source: entry.total.read for source, entry in result.ledger.by["source"].items()}
    whole = sum(read.values())
    parties = sorted((source for source in read if read[source]), key=lambda source: -read[source])
    return [f"{_PARTIES[source]}: {share(read[source], whole)}" for source in parties]


def _as_json(result: Stats) -> dict[str, object]:
    return {
        **result.ledger.snapshot(),
        "without_usage": result.without_usage,
        "model_switches": result.switches,
        "model_switch_cost_usd": float(result.switch_cost),
        "broken_lines": result.broken,
        "duplicate_lines": result.duplicates,
    }
