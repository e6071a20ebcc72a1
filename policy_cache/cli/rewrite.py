"""`policy-cache rewrite`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import read_inputs, request_options
from policy_cache.cli.output import show_json

if TYPE_CHECKING:
    from pathlib import Path

    from policy_cache.request.prompt import Shape


@click.command("rewrite")
@request_options
def command(
    request_file: Path,
    policy_file: str | None,
    provider: str | None,
    alias: str | None,
    metadata: tuple[str, ...],
    headers: tuple[str, ...],
    shape: Shape | None,
) -> None:
    """Print the request that a policy makes of REQUEST, a JSON file or `-`."""
    plan = read_inputs(request_file, policy_file, provider, alias, metadata, headers, shape).plan()
    show_json(plan.request)
