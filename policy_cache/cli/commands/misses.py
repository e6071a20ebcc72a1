"""`policy-cache misses`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.output import give_up, progress, show, show_json
from policy_cache.cli.shared.traces import called, nothing_evaluated, read_policy, traces
from policy_cache.forecast.calibration import calibrate
from policy_cache.misses.ledger import Misses
from policy_cache.report.misses import as_json, full, lines, warnings

if TYPE_CHECKING:
    from policy_cache.forecast.compare import TraceOptions


@click.command("misses")
@traces(required=True)
@click.option("--policy", "policy_file", metavar="FILE", help="Policy file; the default policy if left out.")
@click.option(
    "--as-sent",
    is_flag=True,
    help="No policy: the requests as they were sent, and the reads that were reported.",
)
@click.option("--session", metavar="ID", help="Look at this session only.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many groups to show, or misses where each has a line; the dearest first.",
)
@click.option(
    "--output-format", type=click.Choice(["full", "concise", "json"]), default="full", show_default=True
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though something was missed.")
def command(
    options: TraceOptions,
    *,
    policy_file: str | None,
    as_sent: bool,
    session: str | None,
    limit: int,
    output_format: str,
    exit_zero: bool,
) -> None:
    """Say why the requests of TRACE did not read what they could have, and what each cause cost.

    A request is held against the one before it in its session. The misses of a session for one cause are
    shown together, with the change that mends them, or a line each. TRACE is any number of files with one
    JSON object a line: a request, a record of a TraceRecorder, or of litellm's or OpenHands' log. Exits with
    1 when anything was missed.
    """
    if as_sent and policy_file is not None:
        raise click.UsageError("--policy and --as-sent exclude each other")
    engine = None if as_sent else options.engine(read_policy(policy_file))
    router = options.router() if as_sent else None
    misses = Misses(engine, router=router, calibration=calibrate(options), session=session, most=limit)
    with progress(options.paths) as advance:
        trace = options.read(progress=advance)
        for record in trace:
            misses.add(record)
    name = called(options)
    shown, groups, summary = misses.kept[:limit], misses.groups[:limit], trace.summary
    if misses.requests == 0 and summary.used:
        left_out = "; ".join(warnings(misses, summary))
        give_up(f"{name}: nothing to evaluate: {left_out or 'no request is of that session'}")
    nothing_evaluated(name, misses.requests, summary, misses.unread)
    if output_format == "json":
        show_json(as_json(misses, shown, groups, summary))
    elif output_format == "concise":
        show(lines(shown))
    else:
        show(full(misses, groups, summary, name))
    sys.exit(1 if misses.missed and not exit_zero else 0)
