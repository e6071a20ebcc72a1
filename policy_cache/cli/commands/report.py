"""`policy-cache report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.files import refuse_existing, writing
from policy_cache.cli.shared.output import progress
from policy_cache.cli.shared.traces import called, named, nothing_evaluated, policies_option, traces
from policy_cache.report.page.collect import PASSES, collect
from policy_cache.report.page.document import document

if TYPE_CHECKING:
    from policy_cache.forecast.compare import PolicyText, TraceOptions


@click.command("report")
@traces(required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page there, unless that exists.",
)
@policies_option
@click.option(
    "--sessions",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many sessions to show request by request, the dearest first.",
)
@click.option("--text", is_flag=True, help="Put what the prompts say into the page, too.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
def command(
    options: TraceOptions,
    *,
    output: Path,
    policies: list[PolicyText],
    sessions: int,
    text: bool,
    force: bool,
) -> None:
    """Show on one page what policies would have saved on TRACE, any number of files, and what was missed.

    The page is one HTML file that needs no network. It holds sizes and places of the prompts, and no text of
    theirs unless --text asks for it.
    """
    refuse_existing(output, force=force)
    with writing(output) as [file]:
        with progress(options.paths, passes=PASSES) as advance:
            page = collect(options, policies, named(options), sessions=sessions, text=text, progress=advance)
        nothing_evaluated(called(options), page.simulation.requests, page.summary, page.simulation.unread)
        file.write(document(page).encode())
