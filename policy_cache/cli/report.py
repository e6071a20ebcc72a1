"""`policy-cache report`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import give_up
from policy_cache.cli.progress import progress
from policy_cache.cli.traces import called, nothing_evaluated, read_policies, trace_options
from policy_cache.policy.diagnostics import visible
from policy_cache.simulate.page.collect import PASSES, collect
from policy_cache.simulate.page.document import document, plotly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from policy_cache.simulate.compare import TraceOptions


@click.command("report")
@trace_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page there, unless that exists.",
)
@click.option(
    "--policy",
    "policy_files",
    multiple=True,
    metavar="FILE",
    help="A policy file, any number of times; the default policy if left out.",
)
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
    policy_files: tuple[str, ...],
    sessions: int,
    text: bool,
    force: bool,
) -> None:
    """Show on one page what policies would have saved on TRACE, any number of files, and what was missed.

    The page is one HTML file that needs no network. It holds sizes and places of the prompts, and no text of
    theirs unless --text asks for it.
    """
    policies = read_policies(policy_files)
    plotly()
    name = called(options)
    with _whole(output, force=force) as file:
        with progress(options.paths, passes=PASSES) as advance:
            page = collect(options, policies, name, sessions=sessions, text=text, progress=advance)
        nothing_evaluated(name, page.found.requests, page.summary, page.found.unread)
        file.write(document(page))
    click.echo(f"wrote {visible(str(output))}", err=True)


@contextmanager
def _whole(output: Path, *, force: bool) -> Iterator[TextIO]:
    """A file that appears once it is whole; nothing is left behind where it is not."""
    if output.exists() and not force:
        raise click.UsageError(f"{visible(str(output))} exists; --force writes over it")
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        file = beside.open("x", encoding="utf-8", newline="\n")
    except OSError as error:
        give_up(f"{visible(str(output))}: {error.strerror or type(error).__name__}")
    try:
        with file:
            yield file
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
