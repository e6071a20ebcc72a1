"""`policy-cache simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.output import progress, show, show_json
from policy_cache.cli.shared.traces import (
    called,
    check_grouping,
    nothing_evaluated,
    policies_option,
    traces,
)
from policy_cache.forecast.compare import compare
from policy_cache.lifetimes import FLOOR
from policy_cache.report.forecast import as_json, groups, opening, pings, rules, table

if TYPE_CHECKING:
    from policy_cache.forecast.compare import PolicyText, TraceOptions


@click.command("simulate")
@traces(required=True)
@policies_option
@click.option(
    "--by",
    callback=check_grouping,
    metavar="WHAT",
    help="Also by session, model, rule, or metadata.NAME.",
)
@click.option(
    "--keep-warm", is_flag=True, help="Also with pings before entries expire, where they should pay."
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(
    options: TraceOptions,
    *,
    policies: list[PolicyText],
    by: str | None,
    keep_warm: bool,
    workers: int,
    output_format: str,
) -> None:
    """Tell what policies would have saved on TRACE, any number of files.

    A trace has one JSON object a line: a request, a record of a TraceRecorder, or of litellm's or
    OpenHands' log.
    """
    names = [policy.name for policy in policies]
    with progress(options.paths) as advance:
        simulation, summary = compare(
            options,
            policies,
            by=by,
            keep_warm=FLOOR if keep_warm else None,
            workers=workers,
            progress=advance,
        )
    nothing_evaluated(called(options), simulation.requests, summary, simulation.unread)
    if output_format == "json":
        show_json(as_json(simulation, summary, names))
        return
    show(opening(simulation, summary, called(options)))
    show(table(simulation, names))
    if keep_warm:
        show(pings(simulation, names))
    if by == "rule":
        show(rules(simulation, names))
    elif by is not None:
        show(groups(simulation, names, by))
