"""`policy-cache tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import give_up
from policy_cache.cli.progress import progress
from policy_cache.cli.traces import called, nothing_evaluated, trace_options
from policy_cache.simulate.proposal import proposal
from policy_cache.simulate.tune import tune

if TYPE_CHECKING:
    from policy_cache.simulate.compare import TraceOptions


@click.command("tune")
@trace_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the policy there, unless that exists; standard output if left out.",
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
def command(options: TraceOptions, *, output: Path | None, force: bool) -> None:
    """Propose a policy for the requests of TRACE, any number of files, with the reasons as comments."""
    if output is not None and output.exists() and not force:
        raise click.UsageError(f"{output} exists; --force writes over it")
    with progress(options.paths, passes=2) as advance:
        choices, found, summary = tune(options, progress=advance)
    nothing_evaluated(called(options), found.requests, summary, found.unread)
    text = proposal(choices, called(options))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        give_up(f"{output}: {error.strerror or type(error).__name__}")
    click.echo(f"wrote {output}", err=True)
