"""`policy-cache tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.files import refuse_existing, writing
from policy_cache.cli.shared.output import progress
from policy_cache.cli.shared.traces import called, nothing_evaluated, traces
from policy_cache.forecast.proposal import proposal
from policy_cache.forecast.tune import tune

if TYPE_CHECKING:
    from policy_cache.forecast.compare import TraceOptions


@click.command("tune")
@traces(required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the policy there, unless that exists; standard output if left out.",
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
def command(options: TraceOptions, *, output: Path | None, force: bool) -> None:
    """Propose a policy for the requests of TRACE, any number of files, with the reasons as comments."""
    if output is not None:
        refuse_existing(output, force=force)
    with progress(options.paths, passes=2) as advance:
        choices, simulation, summary = tune(options, progress=advance)
    nothing_evaluated(called(options), simulation.requests, summary, simulation.unread)
    text = proposal(choices, called(options), simulation.counted)
    if output is None:
        click.echo(text, nl=False)
        return
    with writing(output) as [file]:
        file.write(text.encode())
